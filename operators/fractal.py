"""Fractal dimension of a window of prices, and the market regime it names (contract, 4.7).

A straight line has dimension 1, a random walk 1.5, a curve that fills the plane 2. How far each estimator can be
trusted on how long a window: `docs/regime.md`.

    >>> fdi = FractalDimensionIndex(window=3)
    >>> [fdi.update(x) for x in (1.0, 2.0, 3.0, 2.0)]
    [None, None, 1.0, 2.0]
"""

import math
from typing import Any

import numpy as np

from operators.arguments import as_array, as_count, as_number
from operators.jit import kernel
from sources.events import Float64s

MADOGRAM, SEVCIK, CHORD = 0, 1, 2
_LONGEST_WINDOW = 1_000_000  # as in the settings
METHODS = ("madogram", "sevcik", "chord")

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
def fractal_push(history: Float64s, seen: int, method: int, x: float) -> float:
    """Add one value and return the dimension of the newest window; NaN for the first N − 1 values.

    Args:
        history: shape ``(2·N,)``; every value is written twice, N apart, so that the window is always contiguous.
        seen: values before this one.
    """
    n = len(history) >> 1
    slot = seen % n
    history[slot] = x
    history[slot + n] = x
    if seen + 1 < n:
        return np.nan
    return fractal_dimension(history[slot + 1 : slot + 1 + n], method)


@kernel
def fractal_into(x: Float64s, window: int, method: int, out: Float64s) -> None:
    """The whole series at once into ``out``, shape of ``x``: the same bits as value by value."""
    out[: min(window - 1, len(x))] = np.nan
    for i in range(window - 1, len(x)):
        out[i] = fractal_dimension(x[i + 1 - window : i + 1], method)


def _method(name: str) -> int:
    if name not in METHODS:
        raise ValueError(f"method: {name!r} is not one of {', '.join(METHODS)}")
    return METHODS.index(name)


def fractal_dimension_index(prices: Any, window: int = 30, method: str = "madogram") -> Float64s:
    """Fractal dimension of each window of a whole series, shape ``(n,)``; NaN for the first ``window`` − 1 values.

    The same bits as `FractalDimensionIndex` gives value by value.

    Args:
        prices: n numbers, oldest first: list, tuple, NumPy array, pandas or Polars series.
        window: values a window, 3 or more.
        method: ``madogram``, ``sevcik`` or ``chord``.

    Raises:
        ValueError: an argument is out of range, or the prices have another shape, NaN or infinite values.
    """
    x = as_array("prices", prices)
    out = np.empty(len(x))
    fractal_into(x, as_count("window", window, 3, _LONGEST_WINDOW), _method(method), out)
    return out


class FractalDimensionIndex:
    """The fractal dimension of the last values of a stream: 1 a straight line, 1.5 a random walk, towards 2 ranging."""

    def __init__(self, window: int = 30, method: str = "madogram") -> None:
        """Args:
            window: values a window, 3 or more.
            method: ``madogram``, ``sevcik`` or ``chord``.

        Raises:
            ValueError: one is out of range.
        """
        self.window = as_count("window", window, 3, _LONGEST_WINDOW)
        self.method = method
        self._code = _method(method)
        self._history = np.zeros(2 * self.window)
        self._seen = 0

    def update(self, price: float) -> float | None:
        """Add a value; the dimension of the newest window, None until it is full.

        Raises:
            ValueError: ``price`` is no finite number; it is not added.
        """
        value: float = fractal_push(self._history, self._seen, self._code, as_number("price", price))
        self._seen += 1
        return value if self._seen >= self.window else None

    def reset(self) -> None:
        """Forget every value."""
        self._seen = 0
