"""Rewards against exact arithmetic, against the ratio that they are the derivative of, and step by step."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.rewards import DifferentialSharpe, Pnl, differential_sharpe, pnl

RETURNS = st.lists(st.floats(-1.0, 1.0, width=32), max_size=60)


def oracle(returns: list[float], eta: float) -> tuple[list[float], list[bool]]:
    """The definition in fractions, but for the power; and where the variance is no difference of near equals."""
    a = b = Fraction(0)
    rate, rewards, clear = Fraction(eta), [], []
    for r in map(Fraction, returns):
        variance = b - a * a
        top = b * (r - a) - (r * r - b) * a / 2
        clear.append(variance == b == 0 or variance > max(b / 1000, Fraction(1e-11)))
        rewards.append(float(top) / float(variance) ** 1.5 if variance > Fraction(1e-12) else 0.0)
        a, b = a + rate * (r - a), b + rate * (r * r - b)
    return rewards, clear


@settings(max_examples=40, deadline=None)
@given(RETURNS, st.sampled_from([0.01, 0.2, 0.5]))
def test_rewards_are_those_of_exact_arithmetic(returns: list[float], eta: float) -> None:
    expected, clear = oracle(returns, eta)
    got = differential_sharpe(returns, eta)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[clear], np.array(expected)[clear], rtol=1e-9, atol=1e-9)


def test_a_worked_example() -> None:
    """η = ½: after 2, A = 1 and B = 2; of −1 then ΔA = −2, ΔB = −1: (2·−2 − ½·1·−1) / 1."""
    reward = DifferentialSharpe(eta=0.5)
    assert reward.update(2.0) == 0.0
    assert (reward.a, reward.b) == (1.0, 2.0)
    assert reward.update(-1.0) == -3.5
    assert (reward.a, reward.b) == (0.0, 1.5)


def test_a_and_b_are_not_swapped() -> None:
    """A gain above the mean is paid and a loss is fined, where it is small beside the deviation."""
    returns = np.random.default_rng(1).normal(0.0005, 0.01, 4000)
    rewards = differential_sharpe(returns)[500:]
    assert np.corrcoef(rewards, returns[500:])[0, 1] > 0.9


def test_one_reward_is_the_derivative_of_the_ratio() -> None:
    rng = np.random.default_rng(2)
    for eta in (1e-4, 1e-5):
        reward = DifferentialSharpe(eta)
        reward.a, reward.b = 0.1, 1.0
        before, r = reward.ratio, float(rng.normal())
        change = reward.update(r)
        assert (reward.ratio - before) / eta == pytest.approx(change, abs=20 * eta)


def test_the_sum_is_the_change_of_the_ratio_to_first_order() -> None:
    """What is left over falls with η²·T, and so with η where η·T is fixed."""
    returns = np.random.default_rng(3).normal(0.2, 1.0, 40_000)
    left = []
    for eta, steps in ((1e-3, 4_000), (1e-4, 40_000)):
        reward = DifferentialSharpe(eta)
        reward.a, reward.b = 0.0, 1.0
        total = eta * reward.update_all(returns[:steps]).sum()
        assert total == pytest.approx(reward.ratio, abs=5 * eta)
        assert reward.ratio > 0.15
        left.append(abs(total - reward.ratio))
    assert left[1] < left[0]


@settings(max_examples=40, deadline=None)
@given(RETURNS, st.integers(0, 60), st.sampled_from([0.01, 0.3, 1.0]))
def test_many_at_once_have_the_bits_of_one_by_one(returns: list[float], cut: int, eta: float) -> None:
    one, many, net, nets = DifferentialSharpe(eta), DifferentialSharpe(eta), Pnl(3.0), Pnl(3.0)
    by_one = [one.update(r) for r in returns]
    by_two = np.concatenate([many.update_all(returns[:cut]), many.update_all(returns[cut:])])
    assert by_two.tolist() == by_one
    assert (one.a, one.b) == (many.a, many.b)
    profits = [net.update(e) for e in returns]
    assert np.concatenate([nets.update_all(returns[:cut]), nets.update_all(returns[cut:])]).tolist() == profits
    assert pnl(returns, 3.0).tolist() == profits


def test_no_reward_without_variance() -> None:
    assert differential_sharpe([0.0] * 5).tolist() == [0.0] * 5
    assert differential_sharpe([0.0, 1e-7, 1e-7]).tolist() == [0.0] * 3
    assert differential_sharpe([1e-4, 1e-4])[1] != 0.0
    assert DifferentialSharpe().ratio == 0.0


def test_profits_add_up() -> None:
    assert pnl([20.0, 15.0], 1000.0).tolist() == [0.02, -0.005]
    assert math.fsum(pnl([3.0, -4.0, 9.5], 2.0)) == 4.75


@pytest.mark.parametrize("value", [math.nan, math.inf, "1"])
def test_what_is_no_number_is_refused_and_changes_nothing(value: object) -> None:
    reward, net = DifferentialSharpe(), Pnl()
    for call, name in ((reward.update, "r"), (reward.update_all, "returns"), (net.update, "equity")):
        with pytest.raises(ValueError, match=f"^{name}: "):
            call([1.0, value] if name == "returns" else value)  # type: ignore[operator]
    assert (reward.a, reward.b, net.equity) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("eta", [0.0, -0.1, 1.5, math.nan])
def test_eta_out_of_range_is_refused(eta: float) -> None:
    with pytest.raises(ValueError, match=r"^eta: "):
        DifferentialSharpe(eta)


def test_capital_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^capital: 0"):
        Pnl(0.0)
