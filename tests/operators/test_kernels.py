"""Each kernel alone, against exact arithmetic, other libraries and cases worked by hand."""

import math
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import zscore as scipy_zscore

from operators import compensated, ffd, fractal, rolling_moments, rolling_sum
from operators.features.order_flow import UPDATE_EVENT
from operators.features.trades import TRADE_EVENT
from operators.ordered_dot import GROUP, LANES, dot, dots

pytestmark = pytest.mark.jit_off

numbers = st.floats(-1e9, 1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-9)


@given(numbers, numbers)
def test_two_sum_and_two_product_are_exact(a: float, b: float) -> None:
    s, e = compensated.two_sum(a, b)
    assert Fraction(s) + Fraction(e) == Fraction(a) + Fraction(b)
    p, e = compensated.two_product(a, b)
    assert Fraction(p) + Fraction(e) == Fraction(a) * Fraction(b)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite)
@example(2.0**1000, 1.5)  # the halves of Dekker's product overflow here
def test_two_product_is_exact_wherever_doubles_can_hold_it(a: float, b: float) -> None:
    exact = Fraction(a) * Fraction(b)
    largest = Fraction(2) ** (995 if numba.config.DISABLE_JIT else 1023)
    assume(exact == 0 or abs(exact) > Fraction(2) ** -960)
    assume(max(abs(Fraction(a)), abs(Fraction(b)), abs(exact)) < largest)
    p, e = compensated.two_product(a, b)
    assert Fraction(p) + Fraction(e) == exact


@settings(deadline=None)
@given(st.lists(st.tuples(*[numbers] * 7), min_size=1, max_size=30))
def test_pairs_together_have_the_bits_of_pairs_one_by_one(rows: list[tuple[float, ...]]) -> None:
    """Seven are a vector and three doubles."""
    together, alone = np.zeros((2, 8)), np.zeros((2, 8))
    for row in rows:
        compensated.add_each(together, 1, np.array(row))
        for i, x in enumerate(row):
            compensated.add_one(alone, 1 + i, x)
        assert_array_equal(together, alone)
    others = together[:, ::-1].copy()
    compensated.take_each(together, others)
    want = [compensated.add_pair(*alone[:, i], *-others[:, i]) for i in range(8)]
    assert_array_equal(together, np.transpose(want))


@given(st.lists(numbers, max_size=200))
def test_a_compensated_sum_equals_fsum_and_returns_to_zero(values: list[float]) -> None:
    hi = lo = 0.0
    for x in values:
        hi, lo = compensated.add(hi, lo, x)
    assert hi == pytest.approx(math.fsum(values), rel=1e-15, abs=1e-20)
    for x in values:
        hi, lo = compensated.add(hi, lo, -x)
    assert abs(hi) < 1e-20


def _shape(quantum: int, windows: list[int]) -> rolling_sum.RollingShape:
    kinds = np.array([UPDATE_EVENT, TRADE_EVENT], np.int64)
    return rolling_sum.RollingShape(np.array([quantum]), np.array([w // quantum for w in windows]), kinds)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.sampled_from((0.1, -0.3, 1e8, 1e-6, 0.0))), max_size=150)
)
def test_rolling_sums_equal_a_sum_over_the_events(steps: list[tuple[int, bool, float]]) -> None:
    quantum, windows = 5, [5, 40, 200]
    shape, state = _shape(quantum, windows), rolling_sum.rolling_sum_state(3, 2, 2, buckets=8)
    clock = 1
    events: list[tuple[int, bool, float]] = []
    for step, is_trade, x in steps:
        clock += step
        while not rolling_sum.has_room(state, shape, clock):
            state = rolling_sum.grown(state)
        kind = TRADE_EVENT if is_trade else UPDATE_EVENT
        rolling_sum.add_events(state, shape, clock, kind, kind, np.array([x]))
        events.append((clock, is_trade, x))
        t = -(-clock // quantum) * quantum
        rolling_sum.slide(state, shape, t // quantum)
        for w, window in enumerate(windows):
            for q, wanted in enumerate((False, True)):
                inside = [x for c, k, x in events if k == wanted and t - window < c <= t]
                assert state.window_sum[w, 0, q] == math.fsum(inside)


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=60), st.integers(2, 8))
def test_rolling_moments_equal_exact_ones(values: list[float], window: int) -> None:
    state = rolling_moments.rolling_moments_state(window, 1)
    for i, x in enumerate(values):
        rolling_moments.push(state, np.array([x]))
        held = [Fraction(v) for v in values[max(0, i + 1 - window) : i + 1]]
        mean = sum(held) / len(held)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in held) / len(held))
        got_mean, got_deviation = rolling_moments.mean_and_deviation(state, 0)
        assert got_mean == pytest.approx(float(mean), rel=1e-14, abs=1e-24)
        assert got_deviation == pytest.approx(deviation, rel=1e-9, abs=1e-9 * abs(float(mean)) + 1e-24)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.one_of(numbers, st.just(1e6))] * 6), min_size=1, max_size=30), st.integers(2, 8))
def test_columns_together_have_the_bits_of_columns_alone(rows: list[tuple[float, ...]], window: int) -> None:
    """Six are a vector and two doubles."""
    together = rolling_moments.rolling_moments_state(window, 6)
    alone = [rolling_moments.rolling_moments_state(window, 1) for _ in range(6)]
    out = np.empty(6)
    for row in rows:
        rolling_moments.push(together, np.array(row))
        rolling_moments.zscores(together, np.array(row), out)
        for state, x in zip(alone, row, strict=True):
            rolling_moments.push(state, np.array([x]))
        assert_array_equal(together.sums, np.concatenate([state.sums for state in alone], axis=1))
        assert_array_equal(together.ring, np.concatenate([state.ring for state in alone], axis=1))
        assert out.tolist() == [_zscore(state, x) for state, x in zip(alone, row, strict=True)]


def _zscore(state: rolling_moments.RollingMoments, x: float) -> float:
    out = np.empty(1)
    rolling_moments.zscores(state, np.array([x]), out)
    return float(out[0])


def test_zscore_equals_scipy_and_its_edge_cases() -> None:
    state = rolling_moments.rolling_moments_state(4, 1)
    x = np.array([3.0, -1.5, 8.0, 0.25])
    for i, v in enumerate(x):
        rolling_moments.push(state, np.array([v]))
        assert _zscore(state, v) == (pytest.approx(scipy_zscore(x[: i + 1])[-1], rel=1e-15) if i else 0.0)
    for v in [1e6] * 4:  # constant: the deviation is rounding at most
        rolling_moments.push(state, np.array([v]))
    assert _zscore(state, 1e6) == 0.0


def test_an_outlier_leaves_no_trace_once_it_has_left() -> None:
    """The known failure of running sums in float64: 1e8 squared swamps what remains."""
    state = rolling_moments.rolling_moments_state(3, 1)
    for v in [1e8, 1e-3, 2e-3, 3e-3]:
        rolling_moments.push(state, np.array([v]))
    assert rolling_moments.mean_and_deviation(state, 0)[1] == pytest.approx(math.sqrt(2 / 3) * 1e-3, rel=1e-9)


def test_ffd_weights_have_the_published_count_and_recursion() -> None:
    w = ffd.ffd_weights(0.4, 1e-5)
    assert len(w) == 1458
    k = np.arange(1, len(w))
    assert_array_equal(w[1:], -w[:-1] * (0.4 - k + 1) / k)
    assert np.abs(w).min() >= 1e-5
    assert ffd.ffd_weights(0.0, 1e-5).tolist() == [1.0]
    assert ffd.ffd_weights(1.0, 1e-5).tolist() == [1.0, -1.0]
    assert ffd.ffd_weights(2.0, 1e-5).tolist() == [1.0, -2.0, 1.0]
    assert len(ffd.ffd_weights(0.01, 1e-12)) == ffd.MAX_WEIGHTS


@settings(deadline=None, max_examples=30)
@given(st.lists(numbers, max_size=60), st.sampled_from((0.0, 0.3, 0.4, 1.0, 1.7)), st.sampled_from((0.2, 0.05, 0.01)))
def test_ffd_online_and_whole_array_agree_in_every_bit(values: list[float], d: float, threshold: float) -> None:
    weights = ffd.ffd_weights(d, threshold)[::-1].copy()
    x = np.array(values)
    whole = np.empty(len(x))
    ffd.ffd_into(x, weights, whole)
    history = np.zeros(2 * len(weights))
    online = np.array([ffd.ffd_push(history, i, weights, v) for i, v in enumerate(values)])
    assert_array_equal(online, whole)
    assert np.isnan(whole[: len(weights) - 1]).all()
    for i in range(len(weights) - 1, len(x)):
        literal = math.fsum(w * v for w, v in zip(weights, x[i - len(weights) + 1 : i + 1], strict=True))
        scale = np.abs(weights * x[i - len(weights) + 1 : i + 1]).max()
        assert abs(whole[i] - literal) <= 1e-13 * scale + 1e-300


@settings(deadline=None)
@given(st.lists(numbers, max_size=70), st.integers(0, 3))
def test_dot_adds_in_its_written_order(values: list[float], start: int) -> None:
    x = np.array([9.0] * start + values)
    w = np.linspace(-1, 1, len(values))
    whole = len(values) // 16 * 16
    lanes = np.zeros(16)
    for k in range(whole):
        lanes[k % 16] += values[k] * w[k]
    for half in (8, 4, 2, 1):
        lanes = lanes[:half] + lanes[half:]
    rest = 0.0
    for k in range(whole, len(values)):
        rest += values[k] * w[k]
    assert dot(x, start, w) == lanes[0] + rest


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 2 * GROUP * LANES), st.integers(0, 220), st.integers(0, 5), st.integers(0, 2**32))
def test_dots_are_the_dot_of_each_window_in_every_bit(terms: int, count: int, start: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, w = random.normal(size=start + terms + count), random.normal(size=terms)
    out = np.full(count + 2, 7.0)
    dots(x, start, w, out, 1, count)
    assert out[1:-1].tolist() == [dot(x, start + i, w) for i in range(count)]
    assert out[0] == out[-1] == 7.0


@settings(deadline=None, max_examples=30)
@given(st.lists(numbers, max_size=60), st.sampled_from((0.0, 0.4, 1.0)), st.data())
def test_ffd_of_values_together_has_the_bits_of_one_by_one(values: list[float], d: float, data: st.DataObject) -> None:
    weights = ffd.ffd_weights(d, 0.05)[::-1].copy()
    together, alone = np.zeros(2 * len(weights)), np.zeros(2 * len(weights))
    seen = 0
    while seen < len(values):
        part = np.array(values[seen : seen + data.draw(st.integers(1, 40))])
        want = [ffd.ffd_push(alone, seen + i, weights, v) for i, v in enumerate(part.tolist())]
        ffd.ffd_push_all(together, seen, weights, part)
        assert_array_equal(part, want)
        assert_array_equal(together, alone)
        seen += len(part)


def test_ffd_equals_a_convolution_of_numpy() -> None:
    x = np.random.default_rng(1).normal(size=4000).cumsum()
    weights = ffd.ffd_weights(0.4, 1e-5)
    whole = np.empty(len(x))
    ffd.ffd_into(x, weights[::-1].copy(), whole)
    np.testing.assert_allclose(whole[len(weights) - 1 :], np.convolve(x, weights, "valid"), rtol=0, atol=1e-11)


@pytest.mark.parametrize("method", range(4))
def test_fractal_dimension_of_known_curves(method: int) -> None:
    n = 31
    line, flat = np.arange(n, dtype=float), np.full(n, 7.0)
    assert fractal.fractal_dimension(flat, method) == 1.5
    straight = fractal.fractal_dimension(line, method)
    if method in (fractal.VARIOGRAM, fractal.MADOGRAM):
        assert straight == 1.0
        assert fractal.fractal_dimension(line % 2, method) == 2.0
    elif method == fractal.SEVCIK:
        length = math.sqrt(2) * 1.0  # the diagonal of the unit square
        assert straight == pytest.approx(1 + (math.log(length) + math.log(2)) / math.log(2 * (n - 1)))
    else:
        assert straight == 1.0  # the curve is shorter than its chord: clipped


def test_fractal_dimension_of_known_curves_by_hand() -> None:
    """Curves worked on paper, as users call it."""
    line, zigzag = [3.0 * i for i in range(9)], [float(i % 2) for i in range(9)]

    def last(x: list[float], method: str) -> float | None:
        fdi = fractal.FractalDimensionIndex(window=9, method=method)
        values = [fdi.update(v) for v in x]
        assert values[:-1] == [None] * 8
        return values[-1]

    assert last(line, "variogram") == 1.0
    assert last(zigzag, "variogram") == 2.0
    # x = 0 1 2 1 0 1 2 1 0: every Δ_1² is 1; Δ_2² is 4 0 4 0 4 0 4, in the mean 16/7.
    assert last([0.0, 1, 2, 1, 0, 1, 2, 1, 0], "variogram") == pytest.approx(2 - 0.5 * math.log2(16 / 7), rel=1e-15)
    assert last(line, "madogram") == 1.0
    assert last(zigzag, "madogram") == 2.0
    # x = 0 1 2 1 0 1 2 1 0: every |Δ_1| is 1; |Δ_2| is 2 0 2 0 2 0 2, in the mean 8/7.
    assert last([0.0, 1, 2, 1, 0, 1, 2, 1, 0], "madogram") == 2 - math.log2(8 / 7)
    # The diagonal of the unit square has length √2: 1 + (ln √2 + ln 2)/ln 16 = 1 + 1.5/4.
    assert last(line, "sevcik") == pytest.approx(1.375, rel=1e-15)
    # Eight steps of √(1/64 + 1/16) = √5/8 make a length of √5.
    tent = [0.0, 1, 2, 3, 4, 3, 2, 1, 0]
    assert last(tent, "sevcik") == pytest.approx(1 + math.log(2 * math.sqrt(5)) / math.log(16), rel=1e-15)
    assert last(zigzag, "sevcik") == 2.0  # a length of √65 > 8: clipped
    assert last(line, "chord") == 1.0
    # It ends where it began, so the chord is one step along the axis, 1/8: ln(8 / (1/8)) / ln 16 = 6/4, clipped.
    assert last(zigzag, "chord") == 2.0
    assert last([7.0] * 9, "variogram") == 1.5
    assert last([7.0] * 9, "madogram") == last([7.0] * 9, "sevcik") == last([7.0] * 9, "chord") == 1.5


@settings(deadline=None, max_examples=30)
@given(st.lists(numbers, max_size=60), st.integers(3, 12), st.sampled_from(fractal.METHODS))
def test_fractal_dimension_online_and_whole_agree_in_every_bit(values: list[float], window: int, method: str) -> None:
    fdi = fractal.FractalDimensionIndex(window, method)
    online = [fdi.update(v) for v in values]
    whole = fractal.fractal_dimension_index(values, window, method)
    assert_array_equal(whole, [math.nan if v is None else v for v in online])
    fdi.reset()
    assert all(fdi.update(1.0) is None for _ in range(window - 1))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fractal.FractalDimensionIndex(2), "window: 2 is not a whole number from 3 on"),
        (lambda: fractal.FractalDimensionIndex(3.5), "window: 3.5 is not"),
        (
            lambda: fractal.FractalDimensionIndex(method="x"),
            "method: 'x' is not one of variogram, madogram, sevcik, chord",
        ),
        (lambda: fractal.FractalDimensionIndex().update(math.nan), "price: nan is not a finite number"),
        (lambda: fractal.fractal_dimension_index([[1.0]]), "prices: has shape (1, 1); 1 dimension expected"),
    ],
)
def test_a_fractal_dimension_that_cannot_be_names_the_argument(call: object, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        call()
    assert str(caught.value).startswith(text)


def test_regime_names_the_dimension() -> None:
    codes = [fractal.regime(d) for d in (1.2, 1.8, 1.5, math.nan)]
    assert [None if c < 0 else fractal.REGIMES[c] for c in codes] == ["trending", "ranging", "neutral", None]
