"""Fractional differentiation as users call it: against the definition, SciPy, statsmodels and a published table.

The package `fracdiff` cannot stand beside it: its releases need a Python below 3.10.
"""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from arch.data import sp500
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import fftconvolve
from scipy.special import binom
from statsmodels.tsa.stattools import adfuller

from operators.adf import adf
from operators.config import FeatureConfig
from operators.ffd import ffd_into
from operators.fracdiff import FractionalDifferentiator, find_optimal_d, frac_diff_ffd, get_weights_ffd
from operators.state import make_params
from tests.oracle import fracdiff as oracle

orders = st.floats(0.01, 2.0)
ORDERS = (0.1, 0.4, 0.77, 1.0, 1.3, 2.0)


def walk(n: int, seed: int = 1) -> np.ndarray:
    return 11 + 1e-3 * np.random.default_rng(seed).normal(size=n).cumsum()


def online(x: np.ndarray, d: float, threshold: float) -> np.ndarray:
    fd = FractionalDifferentiator(d, threshold)
    values = [fd.update(float(v)) for v in x]
    assert [v is None for v in values] == [i + 1 < fd.window_size for i in range(len(x))]
    return np.array([math.nan if v is None else v for v in values])


def test_the_published_number_of_weights() -> None:
    assert len(get_weights_ffd(0.4, 1e-5)) == 1458 == FractionalDifferentiator(d=0.4).window_size


@pytest.mark.parametrize("d", ORDERS)
def test_weights_are_the_binomial_coefficients(d: float) -> None:
    w = get_weights_ffd(d, 1e-4)
    k = np.arange(len(w))
    assert_allclose(w, (-1.0) ** k * binom(d, k), rtol=1e-9, atol=1e-300)
    assert abs(binom(d, len(w))) < 1e-4 <= np.abs(w).min()


@pytest.mark.parametrize("d", ORDERS)
def test_a_whole_series_equals_the_definition_and_a_convolution_by_fourier_transform(d: float) -> None:
    x = walk(3000)
    got = frac_diff_ffd(x, d, 1e-4)
    literal_weights = oracle.weights(d, 1e-4)
    first = len(literal_weights) - 1
    literal = [oracle.ffd(x[: i + 1].tolist(), literal_weights) for i in range(0, 3000, 97)]
    assert_allclose(got[::97], literal, rtol=0, atol=1e-13)
    assert np.isnan(got[:first]).all()
    assert_allclose(got[first:], fftconvolve(x, literal_weights, "valid"), rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(orders, st.sampled_from((1e-2, 1e-3, 1e-4)), st.integers(0, 2500), st.integers(1, 4))
def test_online_and_whole_series_agree_in_every_bit(d: float, threshold: float, n: int, threads: int) -> None:
    x = walk(n, seed=n)
    assert_array_equal(online(x, d, threshold), frac_diff_ffd(x, d, threshold, threads=threads))


def test_threads_change_no_bit_of_a_long_series() -> None:
    x = walk(200_001)
    one = frac_diff_ffd(x, 0.4, threads=1)
    assert_array_equal(one, frac_diff_ffd(x, 0.4, threads=3))
    assert_array_equal(one[-3000:], frac_diff_ffd(x[-3000 - 1457 :], 0.4)[-3000:])


def test_order_0_is_the_identity_1_the_first_difference_2_the_second() -> None:
    x = walk(400)
    out = np.empty(400)
    ffd_into(x, oracle_array(0.0), out)
    assert_array_equal(out, x)
    assert get_weights_ffd(0).tolist() == [1.0]
    assert FractionalDifferentiator(0).window_size == 1
    for d in (0, 0.0, -0.0, np.float32(0)):
        assert_array_equal(frac_diff_ffd(x, d), x)
        assert_array_equal(online(x, d, 1e-5), x)
    assert_array_equal(frac_diff_ffd(walk(70_000), 0.0, threads=3), walk(70_000))
    assert_array_equal(frac_diff_ffd(x, 1.0)[1:], np.diff(x))
    assert_allclose(frac_diff_ffd(x, 2.0)[2:], np.diff(x, 2), rtol=0, atol=1e-14)


def oracle_array(d: float) -> np.ndarray:
    return np.array(oracle.weights(d, 1e-5))[::-1].copy()


@given(orders, st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=20)
def test_it_is_linear(d: float, a: float, b: float) -> None:
    x, y = walk(600, 1), walk(600, 2)
    together = frac_diff_ffd(a * x + b * y, d, 1e-3)
    assert_allclose(together, a * frac_diff_ffd(x, d, 1e-3) + b * frac_diff_ffd(y, d, 1e-3), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("d1", "d2"), [(0.3, 0.4), (0.5, 0.5), (0.6, 1.0), (1.0, 1.0)])
def test_two_orders_in_turn_are_their_sum_within_truncation(d1: float, d2: float) -> None:
    """Each sum misses a tail of weights; on a series about 0 their effect is below the tails' absolute sum."""
    threshold = 1e-5
    x = np.random.default_rng(3).uniform(-1, 1, 12_000)
    once = frac_diff_ffd(x, d1, threshold)
    first = np.flatnonzero(~np.isnan(once))[0]
    twice = frac_diff_ffd(once[first:], d2, threshold)
    direct = frac_diff_ffd(x, d1 + d2, threshold)[first:]

    def tail(d: float) -> float:  # Σ over k ≥ K of |w_k|; all of one sign there, and the whole sums to 0
        return abs(math.fsum(get_weights_ffd(d, threshold)))

    bound = tail(d1) * np.abs(get_weights_ffd(d2)).sum() + tail(d2) * np.abs(get_weights_ffd(d1)).sum() + tail(d1 + d2)
    there = ~np.isnan(twice) & ~np.isnan(direct)
    assert there.sum() > 2000
    assert np.abs(twice - direct)[there].max() <= bound + 1e-12
    assert bound < 0.25  # of values up to 1: that much the published cut-off costs


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, pl.Series, lambda x: np.array(x, np.float32)])
def test_every_kind_of_series_is_accepted(kind: object) -> None:
    values = [1.0, 4.0, 9.0, 16.0]
    assert frac_diff_ffd(kind(values), 1.0)[1:].tolist() == [3.0, 5.0, 7.0]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: frac_diff_ffd([[1.0]], 0.4), "series: has shape (1, 1); 1 dimension expected"),
        (lambda: frac_diff_ffd([1.0, math.nan], 0.4), "series: nan at 1; numbers must be finite"),
        (lambda: frac_diff_ffd(["1", "2"], 0.4), "series: is no array of numbers"),
        (lambda: frac_diff_ffd([1.0, [2.0, 3.0]], 0.4), "series: is no array of numbers"),
        (lambda: frac_diff_ffd([1.0], -1e-9), "d: -1e-09 is outside 0 to 2"),
        (lambda: get_weights_ffd(2.1), "d: 2.1 is outside"),
        (lambda: get_weights_ffd(10**400), "d: 1000000000"),
        (lambda: get_weights_ffd(10**5000), "d: a whole number of 16610 bits is not a finite number"),
        (lambda: frac_diff_ffd([1.0, 10**400], 1.0), "series: has a number beyond what a float64 holds"),
        (lambda: frac_diff_ffd([1.0], 1.0, threads=-1), "threads: -1 is not a whole number from 1 on"),
        (lambda: frac_diff_ffd([1.0], 1.0, threads=0), "threads: 0 is not a whole number from 1 on"),
        (lambda: frac_diff_ffd([1.0], 1.0, threads=1.5), "threads: 1.5 is not a whole number from 1 on"),
        (lambda: find_optimal_d(walk(500), step=1e-12), "step: 1e-12 makes 1e+12 orders up to 1; at most 10000"),
        (lambda: find_optimal_d([7.0 + i % 2 * 1e-15 for i in range(200)]), "series: constant within rounding, 7.0"),
        (lambda: get_weights_ffd(math.nan), "d: nan is not a finite number"),
        (lambda: get_weights_ffd(0.4, 0), "threshold: 0 is outside"),
        (lambda: FractionalDifferentiator(d=-1), "d: -1 is outside"),
        (lambda: FractionalDifferentiator(0.4).update(math.inf), "x: inf is not a finite number"),
        (lambda: FractionalDifferentiator(0.4).update("1"), "x: '1' is not a finite number"),
        (lambda: find_optimal_d(walk(500), 1.0), "adf_pvalue_threshold: 1.0 is outside"),
        (lambda: find_optimal_d(walk(500), step=0), "step: 0 is outside"),
        (lambda: find_optimal_d(walk(500), max_d=3), "max_d: 3 is outside"),
        (lambda: find_optimal_d(walk(99)), "series: 99 values; a test needs 100"),
        (lambda: find_optimal_d([5.0] * 200), "series: constant, 5.0 throughout"),
    ],
)
def test_what_cannot_be_is_named(call: object, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        call()
    assert str(caught.value).startswith(text)


def test_a_refused_value_leaves_no_trace_and_reset_forgets() -> None:
    fd = FractionalDifferentiator(d=1.0)
    fd.update(1)
    with pytest.raises(ValueError, match="x: nan"):
        fd.update(math.nan)
    assert fd.update(np.float32(4)) == 3.0
    fd.reset()
    assert fd.update(9.0) is None


SHAPES = ("walk", "noise", "moving average", "stationary", "integrated twice", "steps")


def shaped(shape: str, n: int, seed: int) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=n)
    return {
        "walk": lambda: 10 + 1e-4 * e.cumsum(),
        "noise": lambda: e,
        "moving average": lambda: np.convolve(e, [1, 0.5, 0.3, -0.8, 0.6])[:n].cumsum(),
        "stationary": lambda: np.convolve(e, 0.9 ** np.arange(60))[:n],
        "integrated twice": lambda: e.cumsum().cumsum(),
        "steps": lambda: np.round(e.cumsum() / 3),
    }[shape]()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@settings(max_examples=40)
@given(st.sampled_from(SHAPES), st.integers(100, 500), st.integers(0, 2**32))
def test_the_adf_test_is_that_of_statsmodels(shape: str, n: int, seed: int) -> None:
    x = shaped(shape, n, seed)
    want = adfuller(x, regression="c", autolag="AIC")
    got, confirmed = adf(x), adf(x, confirm=True)
    assert (got.lags, got.rows) == (confirmed.lags, confirmed.rows) == want[2:4]
    assert got.critical_values == confirmed.critical_values == want[4]
    assert (confirmed.stat, confirmed.pvalue) == want[:2]
    assert got.stat == pytest.approx(want[0], rel=1e-8, abs=1e-10)
    assert got.pvalue == pytest.approx(want[1], rel=1e-7, abs=1e-12)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_series_too_smooth_for_moments_is_left_to_statsmodels() -> None:
    x = np.sin(np.arange(300) / 20) + 1e-9 * np.random.default_rng(1).normal(size=300)
    assert adf(x)[:2] == adfuller(x)[:2]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("seed", range(4))
def test_the_optimal_order_is_that_of_an_independent_bisection(seed: int) -> None:
    x = walk(700, seed)

    def pvalue(d: float) -> float:
        w = oracle.weights(d, 1e-3)
        return adfuller(np.convolve(x, w, "valid"))[1]

    result = find_optimal_d(x, threshold=1e-3)
    # Not every order above a stationary one is stationary: the smallest counts, as far as a grid can see.
    high = next(d for d in np.arange(21) / 20 if pvalue(d) < 0.05)
    low = high - 0.05
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if pvalue(middle) < 0.05 else (middle, high)
    assert result.d == pytest.approx(high, abs=0.0011)
    assert result.is_stationary
    assert result.adf_pvalue == pytest.approx(pvalue(result.d), rel=1e-6)
    assert pvalue(result.d - 0.001) >= 0.05
    original = pd.Series(x)
    assert result.memory_retained == pytest.approx(original.corr(pd.Series(result.series)), rel=1e-9)


def test_a_stationary_series_needs_no_order() -> None:
    x = np.random.default_rng(1).normal(size=300)
    result = find_optimal_d(x)
    assert (result.d, result.memory_retained, result.is_stationary) == (0.0, 1.0, True)
    assert_array_equal(result.series, x)
    assert_array_equal(frac_diff_ffd(x, result.d), x)
    assert_array_equal(online(x, result.d, 1e-5), x)


@pytest.mark.parametrize("shape", ["walk", "noise", "integrated twice"])
@pytest.mark.parametrize("most", [0.3, 1.0, 2.0])
def test_what_is_found_is_taken_by_what_uses_it(shape: str, most: float) -> None:
    x = shaped(shape, 400, 2)
    result = find_optimal_d(x, threshold=1e-3, max_d=most)
    assert_array_equal(frac_diff_ffd(x, result.d, 1e-3), result.series)
    assert_array_equal(online(x, result.d, 1e-3), result.series)
    config = FeatureConfig(price_d=result.d, volume_d=result.d, ffd_threshold=1e-3)
    assert (
        make_params(config, full_depth=True).features.fractional_difference.price.tolist()
        == get_weights_ffd(result.d, 1e-3)[::-1].tolist()
    )


NOT_RANDOM = {
    "a ramp": (np.arange(120.0), "its differences are constant within rounding"),
    "a ramp in steps that are no binary fraction": (0.1 * np.arange(120), "constant within rounding"),
    "a falling ramp far from 0": (1e6 - np.arange(500) / 7, "constant within rounding"),
    "a summed constant": (np.full(3000, 0.1).cumsum(), "constant within rounding"),
    "a parabola": (np.arange(300.0) ** 2, "each value follows from those before"),
    "growth": (np.exp(np.arange(300) / 100), "each value follows from those before"),
    "two waves": (np.sin(0.7 * np.arange(2000)) + np.sin(0.31 * np.arange(2000)), "follows from those before"),
    "a saw": (np.tile(np.arange(7.0), 40), "each value follows from those before"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NOT_RANDOM)
@pytest.mark.parametrize("unit", [1.0, 1e300, 1e-290])
def test_rounding_decides_nothing(name: str, unit: float) -> None:
    """No order leaves anything random, so there is no statistic, and that is said."""
    x, what = NOT_RANDOM[name]
    with pytest.raises(ValueError, match=f"series: not tested at d = 0.*{what}"):
        find_optimal_d(x * unit, threshold=1e-3, step=0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e300, 1e20, 1e-20, 1e-290])
def test_the_unit_of_a_series_changes_nothing(unit: float) -> None:
    x = walk(700) - 11
    want, got = (find_optimal_d(series, threshold=1e-3) for series in (x, x * unit))
    assert got.d == want.d
    assert got.is_stationary
    assert (got.adf_stat, got.adf_pvalue) == pytest.approx((want.adf_stat, want.adf_pvalue), rel=1e-7)
    assert got.memory_retained == pytest.approx(want.memory_retained, rel=1e-9)
    assert_array_equal(got.series, frac_diff_ffd(x * unit, got.d, 1e-3))


@pytest.mark.filterwarnings("error")
def test_orders_that_leave_nothing_random_are_named_beside_the_one_found() -> None:
    """What repeats after 15 values follows from 13 differences and the level; on 100 values 12 are tried."""
    x = np.tile(np.random.default_rng(4).normal(size=15), 8)[:101]
    result = find_optimal_d(x, threshold=1e-2, step=1.0)
    assert [t.d for t in result.trials] == [1.0] == [result.d]
    assert result.note == "not tested at d = 0: within rounding each value follows from those before"


def test_a_tolerance_below_the_distance_of_floats_ends() -> None:
    result = find_optimal_d(walk(700), threshold=1e-2, step=0.5, tolerance=1e-300)
    assert 0 < result.d < 1
    pvalues = {t.d: t.adf_pvalue for t in result.trials}
    assert pvalues[result.d] < 0.05 <= pvalues[float(np.nextafter(result.d, 0))]


def test_a_series_that_no_order_makes_stationary_says_so() -> None:
    x = np.random.default_rng(1).normal(size=2000).cumsum().cumsum().cumsum()
    result = find_optimal_d(x, step=0.25)
    assert not result.is_stationary
    assert result.note == "no order up to 1 is stationary"
    assert result.adf_pvalue == pytest.approx(min(t.adf_pvalue for t in result.trials), rel=1e-6)


def test_orders_that_leave_too_little_are_not_tested_and_that_is_said() -> None:
    result = find_optimal_d(walk(900), step=0.1)
    tested = [t.d for t in result.trials]
    assert 0.1 not in tested
    assert all(900 - len(oracle.weights(d, 1e-5)) + 1 >= 100 for d in tested)
    assert "leave fewer than 100 values and were not tested" in result.note


@pytest.mark.parametrize(("threshold", "least", "correlation"), [(1e-3, 0.5953, 0.8316), (1e-4, 0.3328, 0.9042)])
def test_de_prados_table_on_the_sp500(threshold: float, least: float, correlation: float) -> None:
    """Daily closes of 1999 to 2018: as d rises the statistic and the correlation with the original fall, and the
    smallest stationary order keeps much of the memory (López de Prado 2018, section 5.6 and table 5.1)."""
    data = sp500.load()
    result = find_optimal_d(np.log(data["Adj Close"]), threshold=threshold, step=0.1)
    grid = [t for t in result.trials if t.d == round(t.d, 1)]
    assert [t.d for t in grid] == pytest.approx(np.arange(11) / 10)
    assert (np.diff([t.adf_stat for t in grid]) < 0).all()
    assert (np.diff([t.memory_retained for t in grid]) < 0).all()
    assert grid[0].adf_pvalue > 0.9
    assert grid[-1].adf_stat == pytest.approx(-16.28, abs=0.01)
    assert grid[-1].memory_retained == pytest.approx(0.0276, abs=1e-4)  # prices less memory: returns
    assert result.d == pytest.approx(least, abs=0.001)
    assert result.memory_retained == pytest.approx(correlation, abs=0.001)
