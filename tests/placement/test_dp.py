"""Dynamic programming against plain recursion, and against what simulated orders come to."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.placement.dp import always_post, solve
from operators.placement.market import (
    ACTIONS,
    BEHIND,
    IMPROVE,
    IMPROVED,
    JOIN,
    LAST_THIRD,
    NONE,
    PLACES,
    SHARES,
    STATES,
    STEP_BACK,
    TAKE,
    WAIT,
    Market,
    market_of,
)
from tests.placement.markets import any_market, likely_market

WHERE = {JOIN: LAST_THIRD, IMPROVE: IMPROVED, STEP_BACK: BEHIND}


def parts(state: int) -> tuple[int, int, int]:
    return state // (SHARES * len(PLACES)), state // len(PLACES) % SHARES, state % len(PLACES)


def by_recursion(market: Market):
    """The definition, word for word: cost of each action with some steps left."""

    def half(state: int) -> float:
        return float(market.spread[parts(state)[0]]) / 2

    @cache
    def least(left: int, state: int) -> float:
        return min(costs(left, state))

    @cache
    def costs(left: int, state: int) -> tuple[float, ...]:
        return tuple(cost(left, state, action) for action in range(len(ACTIONS)))

    def cost(left: int, state: int, action: int) -> float:
        if action == TAKE:
            return half(state) + market.taker
        if left == 0 or (action == IMPROVE and parts(state)[0] == 0):
            return np.inf
        spread, share, place = parts(state)
        place = WHERE.get(action, place)
        there = (spread * SHARES + share) * len(PLACES) + place
        offset = {IMPROVED: 1.0, BEHIND: -1.0}.get(place, 0.0)
        total = 0.0
        for k in range(market.first[there], market.first[there + 1]):
            if market.filled[k]:
                total += market.probability[k] * (offset - half(state) + market.maker)
            else:
                total += market.probability[k] * (market.move[k] + least(left - 1, int(market.after[k])))
        return total

    return costs


@pytest.mark.parametrize("make", [any_market, likely_market])
def test_costs_are_those_of_the_definition(make):
    market = make(3)
    solution, costs = solve(market, 4), by_recursion(market)
    for left in range(5):
        expected = np.array([costs(left, state) for state in range(STATES)])
        np.testing.assert_allclose(solution.costs[left], expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(solution.cost[left], expected.min(axis=1), rtol=1e-12, atol=1e-12)
        chosen = solution.action[left].astype(int)
        np.testing.assert_allclose(solution.costs[left, np.arange(STATES), chosen], solution.cost[left])


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 30))
def test_the_best_is_no_worse_than_any_policy(seed, steps):
    market = any_market(seed)
    solution, posting = solve(market, steps), always_post(market, steps)
    assert (solution.cost <= posting + 1e-12).all()
    assert (solution.cost <= solution.costs[..., TAKE]).all()
    assert np.isfinite(solution.cost).all()
    longer = solve(market, steps + 5)
    assert (longer.cost[: steps + 1] == solution.cost).all()  # what is left decides, not what was at first


def test_simulated_orders_cost_what_it_says():
    market, steps, n = likely_market(1), 12, 20_000
    solution = solve(market, steps)
    random = np.random.default_rng(5)
    for start in (NONE, 2 * SHARES * len(PLACES) + 2 * len(PLACES) + NONE):
        total = np.array([cost_of_one(market, solution.action, steps, start, random) for _ in range(n // 4)])
        error = total.std() / np.sqrt(len(total))
        assert abs(total.mean() - solution.cost[steps, start]) < 4 * error


def cost_of_one(market: Market, action, left: int, state: int, random) -> float:
    cost = 0.0
    while True:
        spread, share, place = parts(state)
        a = int(action[left, state])
        if a == TAKE:
            return cost + float(market.spread[spread]) / 2 + market.taker
        place = WHERE.get(a, place)
        there = (spread * SHARES + share) * len(PLACES) + place
        outcomes = np.arange(market.first[there], market.first[there + 1])
        k = int(random.choice(outcomes, p=market.probability[outcomes]))
        if market.filled[k]:
            offset = {IMPROVED: 1.0, BEHIND: -1.0}.get(place, 0.0)
            return cost + offset - float(market.spread[spread]) / 2 + market.maker
        cost += float(market.move[k])
        state, left = int(market.after[k]), left - 1


def test_what_is_plain():
    """In a market where nothing happens one waits for the end; where each order is filled at once one posts."""
    still = [[(1.0, 0, 0.0, state)] for state in range(STATES)]
    assert (solve(market_of(still, [1, 2, 3], 0.0, 0.5), 3).cost[:, 0] == 1.0).all()
    filled = [[(1.0, 1, 0.0, 0)] if state % len(PLACES) else still[state] for state in range(STATES)]
    solution = solve(market_of(filled, [1, 2, 3], 0.0, 0.5), 3)
    wide = 2 * SHARES * len(PLACES)
    assert ACTIONS[solution.action[1, wide]] == "behind"  # the further away the better, where all is filled
    assert solution.cost[1, wide] == -2.5
    assert solution.action[3, wide] == WAIT  # until the last step but one


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda o: o[:-1], "of 89 states"),
        (lambda o: [*o[:-1], []], "or none of one"),
        (lambda o: [*o[:-1], [(1.0, 0, 0.0, STATES)]], "after: not from 0 to 89"),
        (lambda o: [*o[:-1], [(1.0, 0, np.nan, 0)]], "move"),
        (lambda o: [*o[:-1], [(-1.0, 0, 0.0, 0), (2.0, 0, 0.0, 0)]], "probability"),
    ],
)
def test_numbers_that_are_no_model(change, says):
    outcomes = [[(1.0, 0, 0.0, 0)] for _ in range(STATES)]
    with pytest.raises(ValueError, match=says):
        market_of(change(outcomes), [1.0, 2.0, 3.0], 0.2, 0.5)
    with pytest.raises(ValueError, match="steps: 0 is not at least 1"):
        solve(likely_market(0), 0)
