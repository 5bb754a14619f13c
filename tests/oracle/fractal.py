"""Fractal dimension of a window of mids, and the regime it names (docs/features.md, 4.7)."""

import math
from fractions import Fraction

FLAT = 1.5


def is_sample(ts: int, sampling_ns: int, interval_ns: int) -> bool:
    """Whether the row at `ts` is one of the fractal dimension's samples."""
    return sampling_ns == 0 or ts % interval_ns == 0


def dimension(window: list[float], method: str) -> float:
    low, high = min(window), max(window)
    if low == high:
        return FLAT
    if method == "variogram":  # a ratio, so scaling changes nothing
        return variogram(window)
    y = [(x - low) / (high - low) for x in window]
    estimate = {"madogram": madogram, "sevcik": sevcik, "chord": chord}[method]
    return min(max(estimate(y), 1.0), 2.0)


def variogram(window: list[float]) -> float:
    """Gneiting, Ševčíková & Percival 2012, section 3, with p = 2 and lags 1 and 2, in exact fractions."""
    exact = [Fraction(x) for x in window]

    def mean_square(lag: int) -> Fraction:
        squares = [(exact[i] - exact[i - lag]) ** 2 for i in range(lag, len(exact))]
        return sum(squares, Fraction(0)) / len(squares)

    v1, v2 = mean_square(1), mean_square(2)
    if v2 <= v1:  # 2 or more; the ratio may be too small for a float
        return 2.0
    return max(2 - 0.5 * math.log2(v2 / v1), 1.0)


def madogram(y: list[float]) -> float:
    def variogram(lag: int) -> float:
        return math.fsum(abs(y[i] - y[i - lag]) for i in range(lag, len(y))) / (len(y) - lag)

    v1, v2 = variogram(1), variogram(2)
    return 2 - math.log2(v2 / v1) if v2 > 0 else math.inf


def sevcik(y: list[float]) -> float:
    n = len(y)
    length = math.fsum(math.sqrt((1 / (n - 1)) ** 2 + (y[i] - y[i - 1]) ** 2) for i in range(1, n))
    return 1 + (math.log(length) + math.log(2)) / math.log(2 * (n - 1))


def chord(y: list[float]) -> float:
    n = len(y)
    length = math.fsum(abs(y[i] - y[i - 1]) for i in range(1, n))
    straight = max(math.sqrt((1 / (n - 1)) ** 2 + (y[-1] - y[0]) ** 2), 1e-10)
    return 1 + math.log(length / straight) / math.log(2 * (n - 1))


def regime(fdi: float) -> str | None:
    if math.isnan(fdi):
        return None
    if fdi == FLAT:
        return "neutral"
    return "trending" if fdi < FLAT else "ranging"
