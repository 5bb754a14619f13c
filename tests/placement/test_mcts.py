"""The tree search against what dynamic programming knows to be best."""

import numpy as np
import pytest

from operators.placement.dp import always_post, solve
from operators.placement.market import STATES
from operators.placement.mcts import TreeSearch
from tests.placement.markets import any_market, likely_market

STEPS = 40


def regrets(seed: int, simulations: int, starts: int = 60) -> tuple[float, float]:
    """Mean cost beyond the best of what the search does first, and of posting, in ticks."""
    market = likely_market(seed)
    best, guess = solve(market, STEPS), always_post(market, STEPS)
    search = TreeSearch(market, guess, simulations=simulations)
    random = np.random.default_rng(seed)
    left, states = random.integers(1, STEPS + 1, starts), random.integers(STATES, size=starts)
    found = [search.decide(int(k), int(s), seed, i).action for i, (k, s) in enumerate(zip(left, states, strict=True))]
    least = best.cost[left, states]
    return float((best.costs[left, states, found] - least).mean()), float((guess[left, states] - least).mean())


def test_regret():
    """At most 0.01 ticks, which is a fiftieth of what posting costs."""
    found, posting = np.mean([regrets(seed, 500) for seed in range(5)], axis=0)
    assert found <= 0.01
    assert posting > 0.3


def test_regret_falls_with_simulations():
    few, many = (np.mean([regrets(seed, n)[0] for seed in range(4)]) for n in (6, 1000))
    assert many < few / 2


def test_with_one_step_left_it_is_exact():
    market = any_market(4)
    best, guess = solve(market, 2), always_post(market, 2)
    search = TreeSearch(market, guess, simulations=5)
    for state in range(STATES):
        found = search.decide(1, state, 1, state)
        assert found.action == best.action[1, state]
        np.testing.assert_allclose(found.costs, best.costs[1, state], rtol=1e-12)
        assert found.visits.sum() == 5


def test_a_decision_hangs_on_key_and_ordinal_alone():
    market = likely_market(2)
    guess = always_post(market, STEPS)
    one, other = (TreeSearch(market, guess, simulations=200) for _ in range(2))
    for ordinal in range(20):
        other.decide(STEPS, 50, 3, ordinal)  # what came before changes nothing
    for ordinal in range(20):
        a, b = one.decide(30, 40, 7, ordinal), other.decide(30, 40, 7, ordinal)
        assert a.action == b.action
        assert a.costs.tobytes() == b.costs.tobytes()
        assert a.visits.tolist() == b.visits.tolist()
    assert len({one.decide(30, 40, 7, ordinal).costs.tobytes() for ordinal in range(20)}) > 1


def test_what_it_refuses():
    market = likely_market(0)
    guess = always_post(market, STEPS)
    with pytest.raises(ValueError, match="simulations, bonus: 0"):
        TreeSearch(market, guess, simulations=0)
    with pytest.raises(ValueError, match="guess: shape"):
        TreeSearch(market, guess[:, 1:])
    search = TreeSearch(market, guess)
    for left, state in ((0, 0), (STEPS + 1, 0), (1, STATES), (1, -1)):
        with pytest.raises(ValueError, match="left, state"):
            search.decide(left, state, 0, 0)
