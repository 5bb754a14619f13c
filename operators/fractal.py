"""Fractal dimension of a window of prices, and the market regime it names (docs/features.md, 4.7).

A straight line has dimension 1, a random walk 1.5, a curve that fills the plane 2. How far each estimator can be
trusted on how long a window: `docs/regime.md`.

    >>> fdi = FractalDimensionIndex(window=3)
    >>> [fdi.update(x) for x in (1.0, 2.0, 3.0, 2.0)]
    [None, None, 1.0, 2.0]
"""

import math
from typing import Any, NamedTuple

import numpy as np

from operators.arguments import as_array, as_count, as_number
from operators.jit import kernel
from sources.tape.batch import Float64s, Int64s

VARIOGRAM, MADOGRAM, SEVCIK, CHORD = 0, 1, 2, 3
METHODS = ("variogram", "madogram", "sevcik", "chord")
DEFAULT_METHOD = "variogram"

# Sums of squares outside of these have lost digits to the range of a double.
_SMALLEST_SUM, _LARGEST_SUM = 1e-280, 1e280
_LARGEST_EXPONENT = 1023  # of a power of 2 that is a double
_LONGEST_WINDOW = 1_000_000  # as in the settings

# Codes of `regime`; −1 is null (dimension not known yet).
REGIMES = ("trending", "ranging", "neutral")


@kernel
def clip_dimension(d: float) -> float:
    """A curve's dimension lies between 1 and 2."""
    return min(max(d, 1.0), 2.0)


@kernel
def extremes(x: Float64s) -> tuple[float, float]:
    """Lowest and highest value."""
    low = high = x[0]
    for i in range(1, len(x)):
        low = min(low, x[i])
        high = max(high, x[i])
    return low, high


class FractalWindow(NamedTuple):
    """The last N values, and for `variogram_push` the squared differences of lag 1 and 2 in blocks.

    A block is as long as a window has differences of its lag. The newest window is the end of the last whole block and
    the beginning of the one after it, so both parts are running sums of positive numbers: nothing is subtracted, and
    so no digit is lost, whatever has left the window.
    """

    history: Float64s  # (2 · N,); every value is written twice, N apart, so that the window is always contiguous
    square: Float64s  # (2, N), or (2, 0) for other methods; behind the newest: sums from here to the end of its block
    begun: Float64s  # (2,): sum of the block that is not whole yet
    equal: Int64s  # (2,): how many of the newest differences in a row were 0


def fractal_window(window: int, method: int) -> FractalWindow:
    """An empty window of ``window`` values."""
    blocks = np.zeros((2, window if method == VARIOGRAM else 0))
    return FractalWindow(np.zeros(2 * window), blocks, np.zeros(2), np.zeros(2, np.int64))


@kernel
def variogram(x: Float64s) -> float:
    """``2 − ½·log2(V_2/V_1)``, ``V_l`` the mean of ``(x_i − x_{i−l})²``; 1.5 for a flat window, 2 where V_2 is 0.

    Source: Gneiting, Ševčíková & Percival 2012, "Estimators of fractal dimension", section 3.1 (variogram, order 2).
    """
    n = len(x)
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(x[i]))
    # By a power of 2, which rounds nothing, so that no square leaves the range of a double.
    scale = math.ldexp(1.0, min(-math.frexp(largest)[1], _LARGEST_EXPONENT))
    v1 = 0.0
    v2 = 0.0
    for i in range(1, n):
        d = x[i] * scale - x[i - 1] * scale
        v1 += d * d
    for i in range(2, n):
        d = x[i] * scale - x[i - 2] * scale
        v2 += d * d
    if v1 == 0.0:
        return 1.5
    if v2 == 0.0:
        return 2.0
    ratio = (v2 / (n - 2)) / (v1 / (n - 1))
    if ratio == 0.0:  # too small for a number: log2(0) = −∞
        return 2.0
    return clip_dimension(2.0 - 0.5 * math.log2(ratio))


@kernel
def square_pushed(w: FractalWindow, lag: int, seen: int, d: float) -> float:
    """Add one difference of a lag; the sum of squares of the newest window, which must be full."""
    terms = (len(w.history) >> 1) - lag
    square = w.square[lag - 1]
    at = (seen - lag) % terms
    begun = d * d if at == 0 else w.begun[lag - 1] + d * d
    total = begun + square[at + 1] if at + 1 < terms else begun
    square[at] = d * d
    if at + 1 == terms:
        for i in range(terms - 2, -1, -1):
            square[i] += square[i + 1]
    w.begun[lag - 1] = begun
    return total


@kernel
def variogram_push(w: FractalWindow, seen: int, x: float) -> float:
    """`variogram` of the newest window with ``x`` in it, in constant time on average; NaN until it is full."""
    n = len(w.history) >> 1
    d1 = x - w.history[(seen - 1) % n] if seen >= 1 else np.nan
    d2 = x - w.history[(seen - 2) % n] if seen >= 2 else np.nan
    w.history[seen % n] = x
    w.history[seen % n + n] = x
    w.equal[0] = 0 if d1 != 0.0 else w.equal[0] + 1
    w.equal[1] = 0 if d2 != 0.0 else w.equal[1] + 1
    v1 = square_pushed(w, 1, seen, d1) if seen >= 1 else np.nan
    v2 = square_pushed(w, 2, seen, d2) if seen >= 2 else np.nan
    if seen + 1 < n:
        return np.nan
    if w.equal[0] >= n - 1:
        return 1.5
    if w.equal[1] >= n - 2:  # an alternating series: log2(0) = −∞
        return 2.0
    if not (_SMALLEST_SUM < v1 < _LARGEST_SUM and _SMALLEST_SUM < v2 < _LARGEST_SUM):
        return variogram(w.history[seen % n + 1 : seen % n + 1 + n])
    ratio = (v2 / (n - 2)) / (v1 / (n - 1))
    if ratio == 0.0:  # too small for a number: log2(0) = −∞
        return 2.0
    return clip_dimension(2.0 - 0.5 * math.log2(ratio))


@kernel
def madogram(x: Float64s) -> float:
    """``2 − log2(V_2/V_1)``, ``V_l`` the mean of ``|x_i − x_{i−l}|``; 1.5 for a flat window.

    Source: Gneiting, Ševčíková & Percival 2012, "Estimators of fractal dimension", section 3.1 (variogram of order 1).
    """
    n = len(x)
    v1 = 0.0
    v2 = 0.0
    for i in range(1, n):
        v1 += abs(x[i] - x[i - 1])
    for i in range(2, n):
        v2 += abs(x[i] - x[i - 2])
    if v1 == 0.0:
        return 1.5
    if v2 == 0.0:  # an alternating series: log2(0) = −∞
        return 2.0
    return clip_dimension(2.0 - math.log2((v2 / (n - 2)) / (v1 / (n - 1))))


@kernel
def sevcik(x: Float64s) -> float:
    """``1 + (ln L + ln 2)/ln(2(N−1))``, L the length of the curve in the unit square; 1.5 for a flat window.

    Source: Sevcik 1998, "A procedure to estimate the fractal dimension of waveforms", equations 4 to 6.
    """
    n = len(x)
    low, high = extremes(x)
    if high == low:
        return 1.5
    step = 1.0 / (n - 1)
    length = 0.0
    for i in range(1, n):
        dy = (x[i] - x[i - 1]) / (high - low)
        length += math.sqrt(step * step + dy * dy)
    return clip_dimension(1.0 + (math.log(length) + math.log(2.0)) / math.log(2.0 * (n - 1)))


@kernel
def chord(x: Float64s) -> float:
    """``1 + ln(L/C)/ln(2(N−1))``, L the sum of ``|Δy|``, C the chord from the first point to the last."""
    n = len(x)
    low, high = extremes(x)
    if high == low:
        return 1.5
    step = 1.0 / (n - 1)
    length = 0.0
    for i in range(1, n):
        length += abs(x[i] - x[i - 1]) / (high - low)
    dy = (x[n - 1] - x[0]) / (high - low)
    line = max(math.sqrt(step * step + dy * dy), 1e-10)
    return clip_dimension(1.0 + math.log(length / line) / math.log(2.0 * (n - 1)))


@kernel
def fractal_dimension(x: Float64s, method: int) -> float:
    """Dimension of the window ``x``, shape ``(N,)`` with N ≥ 3, oldest first."""
    if method == VARIOGRAM:
        return variogram(x)
    if method == MADOGRAM:
        return madogram(x)
    if method == SEVCIK:
        return sevcik(x)
    return chord(x)


@kernel
def regime(dimension: float) -> int:
    """Code of the regime: trending below 1.5, ranging above, neutral at 1.5, −1 while NaN."""
    if np.isnan(dimension):
        return -1
    if dimension < 1.5:
        return 0
    if dimension > 1.5:
        return 1
    return 2


@kernel
def fractal_push(w: FractalWindow, seen: int, method: int, x: float) -> float:
    """Add one value and return the dimension of the newest window; NaN for the first N − 1 values.

    Args:
        w: made for the same method.
        seen: values before this one.
    """
    if method == VARIOGRAM:
        return variogram_push(w, seen, x)
    n = len(w.history) >> 1
    slot = seen % n
    w.history[slot] = x
    w.history[slot + n] = x
    if seen + 1 < n:
        return np.nan
    return fractal_dimension(w.history[slot + 1 : slot + 1 + n], method)


@kernel
def fractal_into(x: Float64s, w: FractalWindow, method: int, out: Float64s) -> None:
    """The whole series at once into ``out``, shape of ``x``: the same bits as value by value."""
    for i in range(len(x)):
        out[i] = fractal_push(w, i, method, x[i])


def _method(name: str) -> int:
    if name not in METHODS:
        raise ValueError(f"method: {name!r} is not one of {', '.join(METHODS)}")
    return METHODS.index(name)


def fractal_dimension_index(prices: Any, window: int = 30, method: str = DEFAULT_METHOD) -> Float64s:
    """Fractal dimension of each window of a whole series, shape ``(n,)``; NaN for the first ``window`` − 1 values.

    The same bits as `FractalDimensionIndex` gives value by value.

    Args:
        prices: n numbers, oldest first: list, tuple, NumPy array, pandas or Polars series.
        window: values a window, 3 or more.
        method: ``variogram``, ``madogram``, ``sevcik`` or ``chord``.

    Raises:
        ValueError: an argument is out of range, or the prices have another shape, NaN or infinite values.
    """
    x = as_array("prices", prices)
    out = np.empty(len(x))
    code = _method(method)
    fractal_into(x, fractal_window(as_count("window", window, 3, _LONGEST_WINDOW), code), code, out)
    return out


class FractalDimensionIndex:
    """The fractal dimension of the last values of a stream: 1 a straight line, 1.5 a random walk, towards 2 ranging.

    >>> fdi = FractalDimensionIndex(window=4)
    >>> [fdi.update(x) for x in (1.0, 2.0, 3.0, 4.0, 3.0)]
    [None, None, None, 1.0, 1.5]
    """

    def __init__(self, window: int = 30, method: str = DEFAULT_METHOD) -> None:
        """Args:
            window: values a window, 3 or more.
            method: ``variogram``, ``madogram``, ``sevcik`` or ``chord``.

        Raises:
            ValueError: one is out of range.
        """
        self.window = as_count("window", window, 3, _LONGEST_WINDOW)
        self.method = method
        self._code = _method(method)
        self._values = fractal_window(self.window, self._code)
        self._seen = 0

    def update(self, price: float) -> float | None:
        """Add a value; the dimension of the newest window, None until it is full.

        Raises:
            ValueError: ``price`` is no finite number; it is not added.
        """
        value: float = fractal_push(self._values, self._seen, self._code, as_number("price", price))
        self._seen += 1
        return value if self._seen >= self.window else None

    def reset(self) -> None:
        """Forget every value."""
        self._seen = 0
