"""The running variogram: its definition in exact fractions, whatever has passed through the window before."""

import math

import numpy as np
import pytest
from arch.unitroot import VarianceRatio
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.fractal import FractalDimensionIndex, fractal_dimension_index, fractal_window, variogram, variogram_push
from tests.oracle import fractal as oracle

pytestmark = pytest.mark.jit_off
RELATIVE = 1e-12


def assert_by_definition(values: list[float], window: int) -> None:
    """Every window of a series against the oracle; what must be exact is."""
    got = fractal_dimension_index(values, window, "variogram")
    assert np.isnan(got[: window - 1]).all()
    for i in range(window - 1, len(values)):
        want = oracle.dimension(values[i + 1 - window : i + 1], "variogram")
        assert got[i] == pytest.approx(want, rel=RELATIVE, abs=0), (i, values[i + 1 - window : i + 1])
        assert (got[i] == 1.0, got[i] == 2.0) == (want == 1.0, want == 2.0) or abs(got[i] - want) < 1e-15


prices = st.one_of(
    st.integers(-6, 6).map(float),  # equal values, flat and alternating windows
    st.floats(-1e15, 1e15, allow_nan=False),
    st.sampled_from([1e-8, 2e-8, 1e15, -1e15, 0.1, 0.3]),
)


@settings(max_examples=150)
@given(st.lists(prices, max_size=70), st.integers(3, 12))
def test_every_window_is_that_of_the_definition(values: list[float], window: int) -> None:
    assert_by_definition(values, window)


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=40), st.integers(3, 8))
def test_no_finite_number_is_too_large_or_too_small(values: list[float], window: int) -> None:
    got = fractal_dimension_index(values, window, "variogram")[window - 1 :]
    assert ((got >= 1.0) & (got <= 2.0)).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-8, 1.0, 1e15, 1e150, 1e300])
def test_the_unit_of_the_price_changes_nothing(scale: float) -> None:
    """Squares of these leave the range of a double."""
    x = np.array([1.0, 2.0, 1.5, 3.0, 2.5, 2.0, 4.0, 3.0, 3.5, 2.0, 1.0, 1.25])
    for i, value in enumerate(fractal_dimension_index(x * scale, 5, "variogram")[4:]):
        assert value == pytest.approx(oracle.dimension(x[i : i + 5].tolist(), "variogram"), rel=RELATIVE)


@pytest.mark.parametrize("base", [5e-324, 3e-200, 1e-160, 1e-8, 1.0, 1e15, 1e160, 1e200, 1e300, 1.7e308])
@pytest.mark.parametrize("steps", [(0, 1, 1, 2, 1), (0, 1, 2, 1, 0), (0, 1, 0, 1, 0), (1, 1, 1, 1, 1), (0, 0, 0, 0, 1)])
def test_differences_of_one_digit_are_seen_at_every_size(base: float, steps: tuple[int, ...]) -> None:
    """Neighbouring doubles: whoever rounds before taking the difference sees another curve, or a flat one."""
    ladder = [base, math.nextafter(base, math.inf), math.nextafter(math.nextafter(base, math.inf), math.inf)]
    assert_by_definition([ladder[i] for i in steps], 5)


@pytest.mark.parametrize("window", [3, 5, 30])
def test_a_jump_that_has_left_leaves_nothing_behind(window: int) -> None:
    """Subtracting its square from a sum would leave a rest much larger than the squares of ticks."""
    ticks = np.random.default_rng(4).integers(-2, 3, 4 * window).cumsum() * 1e-8
    values = [*ticks, 1e15, *ticks, -1e15, 7e14, *ticks]
    assert_by_definition(values, window)
    clean = fractal_dimension_index(ticks, window, "variogram")
    assert fractal_dimension_index(values, window, "variogram")[-1] == pytest.approx(clean[-1], rel=RELATIVE)


def test_a_flat_window_behind_a_jump_is_exactly_neutral() -> None:
    values = [1.0, 1e15, 0.1, *[0.3] * 9]
    assert fractal_dimension_index(values, 4, "variogram")[-6:].tolist() == [1.5] * 6


def test_an_alternating_window_behind_a_jump_is_exactly_2() -> None:
    values = [1.0, 1e15, 5.0, *[0.1, 0.3] * 5]
    assert fractal_dimension_index(values, 5, "variogram")[-5:].tolist() == [2.0] * 5


def test_a_thousand_values_a_window_lose_no_digit() -> None:
    x = np.random.default_rng(8).normal(size=5000).cumsum() * 0.1 + 60_000
    got = fractal_dimension_index(x, 1000, "variogram")
    for i in range(999, 5000, 97):
        assert got[i] == pytest.approx(oracle.dimension(x[i - 999 : i + 1].tolist(), "variogram"), rel=RELATIVE)


@pytest.mark.parametrize("window", [3, 30, 300])
def test_equals_the_variance_ratio_of_arch(window: int) -> None:
    """An independent library: Lo and MacKinlay's VR(2) is V_2/V_1 up to the numbers of terms.

    It divides the sum of the overlapping squares of lag 2 by twice the N − 1 of lag 1 and not by their own N − 2.
    """
    x = np.random.default_rng(6).standard_t(3, size=window + 20).cumsum() + 100
    got = fractal_dimension_index(x, window, "variogram")
    for i in range(window - 1, len(x)):
        ratio = VarianceRatio(x[i + 1 - window : i + 1], lags=2, trend="n", debiased=False, overlap=True).vr
        want = 2 - 0.5 * math.log2(2 * ratio * (window - 1) / (window - 2))
        assert got[i] == pytest.approx(min(max(want, 1.0), 2.0), rel=RELATIVE)


def test_reset_forgets_every_value() -> None:
    x = np.random.default_rng(2).normal(size=50).cumsum().tolist()
    fdi = FractalDimensionIndex(window=7, method="variogram")
    first = [fdi.update(v) for v in x]
    for cut in range(1, 14):  # at every place of a block
        fdi.reset()
        assert [fdi.update(v) for v in x[:cut]] == first[:cut]
    fdi.reset()
    assert [fdi.update(v) for v in x] == first


def test_the_cost_is_the_same_for_any_window() -> None:
    """Counted, not timed: a push touches a constant number of squares, but for the sums of one block a window."""
    window = fractal_window(400, 0)
    touched = 0
    for seen in range(4000):
        before = window.square.copy()
        variogram_push(window, seen, math.sin(seen))
        touched += int((window.square != before).sum())
    assert touched / 4000 < 5


def test_the_class_takes_it_by_default() -> None:
    x = [1.0, 2.0, 1.5, 3.0, 2.5]
    fdi = FractalDimensionIndex(window=5)
    assert [fdi.update(v) for v in x][-1] == pytest.approx(float(variogram(np.array(x))), rel=1e-14)


@pytest.mark.jit_off
def test_a_ratio_that_is_too_small_for_a_number_is_dimension_two() -> None:
    found = fractal_dimension_index([0.0, 5.810113737365015e27, 9.131917193299025e-135], 3, "variogram")
    assert found[-1] == 2.0
