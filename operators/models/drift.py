"""Whether what a model meets, and how it errs, are still what they were in training (docs/forecasts.md, 8).

`take` is ADWIN: Bifet & Gavaldà 2007, "Learning from Time-Changing Data with Adaptive Windowing", the variant with an
exponential histogram (§4) and the bound that knows the variance. `population_stability` is that of Siddiqi 2006,
"Credit Risk Scorecards", §6.
"""

from typing import NamedTuple

import numpy as np

from operators.models.jit import entry_kernel, kernel
from operators.models.logarithm import log_ratio
from sources.tape.batch import Float64s, Int64s

DELTA = 0.002  # how likely a change is seen where there is none, at one look
LOOK = 32  # numbers between two looks
MOST = 5  # buckets of one size
LEAST = 5  # numbers on either side of a cut
GRACE = 10  # numbers before the first look
_SIZES = 40  # a bucket of the last size holds 2^39 numbers

TICKS, WIDTH, CHANGES = range(3)  # of `Adwin.counts`; then the buckets of each size
_BUCKETS = 3
TOTAL, VARIANCE = range(2)  # of `Adwin.sums`

BINS = 10
EDGES = BINS - 1
_LEAST_SHARE = 1e-4
FORGET = 20_000  # rows after which old ones count half


class Adwin(NamedTuple):
    """A window of numbers, as long as their mean seems not to have changed."""

    counts: Int64s  # (3 + sizes,): numbers seen, numbers in the window, changes, buckets of 1, 2, 4, … numbers
    sums: Float64s  # (2,): of the window, and of the squares of what its numbers are from their mean
    total: Float64s  # (sizes, 6): of each bucket, the oldest first
    spread: Float64s  # (sizes, 6): likewise the squares


def adwin() -> Adwin:
    """An empty one."""
    shape = (_SIZES, MOST + 1)
    return Adwin(np.zeros(_BUCKETS + _SIZES, np.int64), np.zeros(2), np.zeros(shape), np.zeros(shape))


@kernel
def _apart(n: float, total: float, m: float, other: float) -> float:
    """What joining two stretches of ``n`` and ``m`` numbers adds to the squares of both."""
    between = total / n - other / m
    return n * m / (n + m) * between * between


@kernel
def _drop(state: Adwin, size: int, buckets: int) -> None:
    """Forget the oldest buckets of a size."""
    left = state.counts[_BUCKETS + size] - buckets
    for k in range(left):
        state.total[size, k] = state.total[size, k + buckets]
        state.spread[size, k] = state.spread[size, k + buckets]
    state.counts[_BUCKETS + size] = left


@kernel
def _insert(state: Adwin, x: float) -> None:
    count, total, spread = state.counts, state.total, state.spread
    if count[WIDTH] > 0:
        state.sums[VARIANCE] += _apart(count[WIDTH], state.sums[TOTAL], 1.0, x)
    count[WIDTH] += 1
    state.sums[TOTAL] += x
    at, more = x, 0.0  # of the bucket that is added
    for size in range(_SIZES):
        k = count[_BUCKETS + size]
        total[size, k], spread[size, k] = at, more
        count[_BUCKETS + size] = k + 1
        if k < MOST or size == _SIZES - 1:
            return
        n = float(1 << size)
        at = total[size, 0] + total[size, 1]
        more = spread[size, 0] + spread[size, 1] + _apart(n, total[size, 0], n, total[size, 1])
        _drop(state, size, 2)


@kernel
def _differs(state: Adwin) -> bool:
    """Whether some cut of the window parts two means that differ beyond chance."""
    count, width = state.counts, float(state.counts[WIDTH])
    chance = log_ratio(2.0 * log_ratio(width, 1.0), DELTA)
    variance = state.sums[VARIANCE] / width
    n, total = 0.0, 0.0
    for size in range(_SIZES - 1, -1, -1):
        for k in range(count[_BUCKETS + size]):
            n += float(1 << size)
            total += state.total[size, k]
            rest = width - n
            if n < LEAST or rest < LEAST:
                continue
            inverse = 1.0 / (n - LEAST + 1.0) + 1.0 / (rest - LEAST + 1.0)
            bound = np.sqrt(2.0 * inverse * variance * chance) + 2.0 / 3.0 * inverse * chance
            if abs(total / n - (state.sums[TOTAL] - total) / rest) > bound:
                return True
    return False


@kernel
def take(state: Adwin, x: float) -> bool:
    """Add a number; where a cut tells two means apart, the oldest are forgotten until none does. Tells whether so."""
    _insert(state, x)
    count = state.counts
    count[TICKS] += 1
    changed = False
    while count[TICKS] % LOOK == 0 and count[WIDTH] > GRACE and _differs(state):
        changed = True
        size = _SIZES - 1
        while count[_BUCKETS + size] == 0:
            size -= 1
        n, total, spread = float(1 << size), state.total[size, 0], state.spread[size, 0]
        _drop(state, size, 1)
        count[WIDTH] -= 1 << size
        state.sums[TOTAL] -= total
        state.sums[VARIANCE] -= spread + _apart(count[WIDTH], state.sums[TOTAL], n, total)
    if changed:
        count[CHANGES] += 1
    return changed


@entry_kernel
def take_all(state: Adwin, values: Float64s, changed: Int64s) -> int:
    """`take` of each value; fills ``changed`` with the numbers of those at which a change was seen, and counts them."""
    n = 0
    for i in range(len(values)):
        if take(state, values[i]):
            changed[n] = i
            n += 1
    return n


@entry_kernel
def count_bins(inputs: Float64s, edges: Float64s, counts: Int64s) -> None:
    """Count each input in its bin: as many edges lie below it; what is not known has a bin of its own, the last.

    Args:
        inputs: shape ``(rows, columns)``.
        edges: shape ``(columns, 9)``, rising.
        counts: shape ``(columns, 11)``, added to.
    """
    for r in range(inputs.shape[0]):
        for c in range(inputs.shape[1]):
            x, at = inputs[r, c], 0
            if np.isnan(x):
                at = BINS
            else:
                for k in range(EDGES):
                    at += 1 if x > edges[c, k] else 0
            counts[c, at] += 1


def reference(inputs: Float64s) -> Float64s:
    """What a model keeps of its training inputs: deciles, and the shares of the bins; shape ``(columns, 20)``.

    A column that is known nowhere has deciles of 0.

    Args:
        inputs: shape ``(rows, columns)``, one row at least.
    """
    edges = np.zeros((inputs.shape[1], EDGES))
    for c, x in enumerate(inputs.T):
        known = x[np.isfinite(x)]
        if len(known):
            edges[c] = np.quantile(known, np.arange(1, BINS) / BINS)
    counts = np.zeros((inputs.shape[1], BINS + 1), np.int64)
    count_bins(np.ascontiguousarray(inputs), edges, counts)
    return np.concatenate([edges, counts / len(inputs)], axis=1)


def population_stability(shares: Float64s, counts: Int64s) -> Float64s:
    """``Σ (p − q)·ln(p/q)`` of each column, over its bins: below 0.1 little has changed, above 0.25 much.

    Shares count as 0.0001 at least. NaN where nothing was counted.

    Args:
        shares: of training, shape ``(columns, bins)``; counts: of what came, likewise.
    """
    rows = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = np.maximum(counts / rows, _LEAST_SHARE), np.maximum(shares, _LEAST_SHARE)
    found: Float64s = ((p - q) * np.log(p / q)).sum(axis=1)
    return np.where(rows[:, 0] > 0, found, np.nan)
