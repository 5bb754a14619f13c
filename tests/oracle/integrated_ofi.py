"""Integrated order flow: the first principal component of many levels' flow (docs/features.md, 4.11)."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np

from tests.oracle.book import BookView
from tests.oracle.order_flow import level_flow

LARGEST = 1e60


def scaled(before: BookView | None, books: list[BookView], levels: int) -> list[float]:
    """`x` of a row, by level; `books` are those after its updates, `before` the one before them, if there is any."""
    if not books:
        return [0.0] * levels
    chain = books if before is None else [before, *books]
    sizes = [size for book in books for side in (book.bids, book.asks) for _, size in side[:levels]]
    depth = sum(map(Fraction, sizes)) / (2 * levels * len(books))
    flows = [sum((Fraction(level_flow(a, b, m)) for a, b in pairwise(chain)), Fraction(0)) for m in range(levels)]
    return [float(max(min(flow / depth, Fraction(LARGEST)), -Fraction(LARGEST))) for flow in flows]


def covariance(x: list[list[float]]) -> np.ndarray:
    """Of the population, without rounding on the way; a level that does not vary has none with any other."""
    n, levels = len(x), len(x[0])
    exact = [[Fraction(value) for value in row] for row in x]
    mean = [sum((row[i] for row in exact), Fraction(0)) / n for i in range(levels)]
    out = np.zeros((levels, levels))
    for i in range(levels):
        for j in range(levels):
            out[i, j] = float(sum(((row[i] - mean[i]) * (row[j] - mean[j]) for row in exact), Fraction(0)) / n)
    still = [math.sqrt(out[i, i]) <= 1e-9 * abs(float(mean[i])) for i in range(levels)]
    out[still, :] = 0.0
    out[:, still] = 0.0
    return out


def component(x: list[list[float]]) -> tuple[np.ndarray, float] | None:
    """Weights and share of the first principal component of these rows; None if there is no single one."""
    of = covariance(x)
    if not np.trace(of) > 0:
        return None
    values, vectors = np.linalg.eigh(of / np.trace(of))
    powers = (np.maximum(values, 0) / values[-1]) ** 2.0**19
    if 1 - np.sum((powers / powers.sum()) ** 2) > 1e-8:
        return None
    w = vectors[:, -1] / np.abs(vectors[:, -1]).sum()
    if abs(w.sum()) <= 1e-9:
        return None
    return w * np.sign(w.sum()), float(values[-1] / values.sum())


def integrated(x: list[list[float]], window: int) -> tuple[float, float]:
    """Value and share of the newest row; `x` are all rows since the restart."""
    found = component(x[-1 - window : -1]) if len(x) > window else None
    if found is None:
        return math.nan, math.nan
    weights, share = found
    return float(weights @ x[-1]), share
