"""Fractional differentiation with a fixed-width window (docs/features.md, 4.6)."""

import math

MOST_WEIGHTS = 10_000


def weights(d: float, threshold: float) -> list[float]:
    kept = [1.0]  # the threshold is at most 1
    while len(kept) < MOST_WEIGHTS:
        k = len(kept)
        w = -kept[-1] * (d - k + 1) / k
        if abs(w) < threshold:
            break
        kept.append(w)
    return kept


def ffd(series: list[float], w: list[float]) -> float:
    """Of the newest value of a series; NaN while the series is shorter than the weights."""
    if len(series) < len(w):
        return math.nan
    i = len(series) - 1
    return math.fsum(w[k] * series[i - k] for k in range(len(w)))
