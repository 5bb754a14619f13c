"""Counting what comes of a step: by hand, and against a market that is known."""

import numpy as np
import pytest

from learning.placement import Decisions, Steps, TooFewError, estimate, steps_of
from operators.placement.log import DONE, SENT_NOW
from operators.placement.market import (
    BEHIND,
    FIRST_THIRD,
    IMPROVE,
    IMPROVED,
    JOIN,
    LAST_THIRD,
    MIDDLE_THIRD,
    NONE,
    PLACES,
    SHARES,
    STATES,
    STEP_BACK,
    WAIT,
)
from operators.placement.model import as_arrays, as_market, model_in
from tests.placement.markets import likely_market

MS = 1_000_000


def state(spread: int, share: int, place: int) -> int:
    return (spread * SHARES + share) * len(PLACES) + place


def decisions(rows) -> Decisions:
    types = (np.int64, np.int64, np.int8, np.int8, np.int64, float)
    return Decisions(*(np.array(column, t) for column, t in zip(zip(*rows, strict=True), types, strict=True)))


def test_steps_by_hand():
    rows = [
        # ts, parent, side, action, state, mid
        (0 * MS, 1, 1, JOIN, state(1, 2, NONE), 100.0),
        (0 * MS, 2, -1, IMPROVE, state(1, 2, NONE), 100.0),
        (250 * MS, 1, 1, JOIN, state(0, 3, MIDDLE_THIRD), 100.5),  # is there already: stays in the queue
        (300 * MS, 2, -1, DONE, state(0, 3, NONE), 100.5),
        (500 * MS, 1, 1, WAIT, state(0, 1, FIRST_THIRD), 100.0),
        (700 * MS, 1, 1, SENT_NOW, state(0, 1, NONE), 100.0),
        (800 * MS, 1, 1, STEP_BACK, state(0, 1, FIRST_THIRD), 99.0),
        (1300 * MS, 1, 1, DONE, state(0, 0, NONE), 98.0),  # too long after: nobody knows what was between
    ]
    steps = steps_of([decisions(rows[:3]), decisions(rows[3:])], 250 * MS)
    assert steps.state.tolist()[:4] == [
        state(1, 2, LAST_THIRD), state(0, 3, MIDDLE_THIRD), state(0, 1, FIRST_THIRD), state(1, 2, IMPROVED),
    ]  # fmt: skip
    assert steps.filled.tolist() == [False, False, False, True, *[False] * 4]
    assert steps.move.tolist()[:4] == [0.5, -0.5, -1.0, -0.5]
    assert steps.after.tolist()[:3] == [state(0, 3, MIDDLE_THIRD), state(0, 1, FIRST_THIRD), state(0, 1, FIRST_THIRD)]
    behind = steps_of([decisions([rows[6], (1000 * MS, 1, 1, DONE, 0, 98.0)])], 250 * MS)
    assert behind.state.tolist() == [state(0, 1, BEHIND), state(0, 1, NONE)]
    assert len(steps_of([], 250 * MS).ts) == 0


def test_what_comes_of_no_order_is_what_the_market_does():
    """Once a time and side, whatever became of the orders: one that is far away may be filled, and no order cannot."""
    rows = []
    for k in range(3):  # two orders to buy and one to sell, of which the first is seen as none, and is filled
        for parent, side, place in ((1, 1, NONE), (2, 1, BEHIND), (3, -1, FIRST_THIRD)):
            what = DONE if k == 2 and parent == 1 else WAIT
            rows.append((k * 250 * MS, parent, side, what, state(0, k if side > 0 else 4 - k, place), 100.0 + k))
    steps = steps_of([decisions(rows)], 250 * MS)
    none = steps.state % len(PLACES) == NONE
    assert sorted(zip(*(x[none].tolist() for x in steps), strict=True)) == [
        (0, state(0, 0, NONE), False, 1.0, state(0, 1, NONE)),
        (0, state(0, 4, NONE), False, -1.0, state(0, 3, NONE)),
        (250 * MS, state(0, 1, NONE), False, 1.0, state(0, 2, NONE)),
        (250 * MS, state(0, 3, NONE), False, -1.0, state(0, 2, NONE)),
    ]
    assert (~none).sum() == 4


def seen_of(market, n: int, seed: int) -> Steps:
    """Steps of a market, of states drawn at random."""
    random = np.random.default_rng(seed)
    states = random.integers(STATES, size=n)
    outcome = np.empty(n, np.int64)
    for s in range(STATES):
        mine = np.flatnonzero(states == s)
        there = np.arange(market.first[s], market.first[s + 1])
        outcome[mine] = random.choice(there, len(mine), p=market.probability[there])
    filled = market.filled[outcome] == 1
    return Steps(np.arange(n), states, filled, np.where(filled, 0.0, market.move[outcome]), market.after[outcome])


def test_a_known_market_is_found():
    market = likely_market(2)
    steps = seen_of(market, 400_000, 1)
    model = estimate(steps, np.array([1.0, 2.0, np.nan]), 1000.0, 0.1)
    true = np.array(
        [market.probability[a:b] @ market.filled[a:b] for a, b in zip(market.first, market.first[1:], strict=False)]
    )
    moved = [
        market.probability[a:b] @ np.where(market.filled[a:b], 0, market.move[a:b])
        for a, b in zip(market.first, market.first[1:], strict=False)
    ]
    assert (model.steps == np.bincount(steps.state)).all()
    # The errors are those that there are: deviations over them have the deviation 1.
    can = true > 0
    z = (model.filled[can] - true[can]) / model.filled_error[can]
    assert 0.7 < z.std() < 1.3
    assert abs(z).max() < 4.5
    z = ((model.after * model.move).sum(axis=1) - moved) / (model.move_error * (1 - true))
    assert 0.7 < z.std() < 1.3
    np.testing.assert_allclose(model.filled + model.after.sum(axis=1), 1.0)
    assert model.spread.tolist() == [1.0, 2.0, 3.0]
    read = model_in(as_arrays(3, model), 3)
    found = as_market(read, 2.0, 5.0)
    assert (found.maker, found.taker) == (0.2, 0.5)  # of 1000 ticks


def test_what_happened_together_counts_as_one():
    market = likely_market(2)
    steps = seen_of(market, 20_000, 1)
    once = estimate(steps, np.ones(3), 1.0, 1.0)
    fourfold = Steps(*(np.repeat(column, 4) for column in steps))
    again = estimate(fourfold, np.ones(3), 1.0, 1.0)
    np.testing.assert_allclose(again.filled_error, once.filled_error, rtol=1e-9)


def test_a_state_that_was_never_seen_has_what_is_seen_elsewhere():
    steps = seen_of(likely_market(2), 50_000, 1)
    lost = state(2, 4, LAST_THIRD)
    there = steps.state != lost
    model = estimate(Steps(*(column[there] for column in steps)), np.ones(3), 1.0, 1.0)
    near = model.filled[[state(2, share, LAST_THIRD) for share in range(4)]]
    assert near.min() < model.filled[lost] < near.max()
    assert model.steps[lost] == 0


def test_too_few_steps_are_refused():
    steps = seen_of(likely_market(2), 2000, 1)
    behind = steps.state % len(PLACES) == BEHIND
    few = Steps(*(np.concatenate([column[~behind], column[behind][:7]]) for column in steps))
    with pytest.raises(
        TooFewError, match="of which 7 began at the place 'behind'; at least 30 of each place are needed"
    ):
        estimate(few, np.ones(3), 1.0, 1.0)


def test_a_folder_that_lacks_an_array_is_refused():
    with pytest.raises(ValueError, match=r"0\.filled: missing; \(90,\) is needed"):
        model_in({}, 0)
