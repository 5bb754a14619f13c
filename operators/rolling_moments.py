"""Mean and population standard deviation of the last N rows, for C columns at once (docs/features.md, 4.4 and 4.7).

Σx and Σx² are compensated pairs (`compensated`) to which a row is added and from which the row N before is taken.
The variance is formed as ``(n·Σx² − (Σx)²)/n²`` in pairs, so that cancellation leaves about 30 of the 106 bits even
where the deviation is 1e-9 of the mean, below which the z-score is defined as 0.
"""

import math
from typing import NamedTuple

import numpy as np

from operators.compensated import add, add_pair, multiply_pair, two_product, two_sum
from operators.intrinsics import where
from operators.jit import kernel
from sources.tape.batch import Float64s, Int64s

# When what leaves held all but a millionth of Σx², its rounding errors are large beside what stays: sum anew.
_COLLAPSE = 2.0**-20


_HI, _LO, _SQ_HI, _SQ_LO = range(4)  # rows of `RollingMoments.sums`


class RollingMoments(NamedTuple):
    """State of C columns over N rows."""

    seen: Int64s  # (1,): rows since the start
    ring: Float64s  # (N, C)
    sums: Float64s  # (4, C): Σx hi, lo; Σx² hi, lo


def rolling_moments_state(rows: int, columns: int) -> RollingMoments:
    """An empty state."""
    return RollingMoments(np.zeros(1, np.int64), np.zeros((rows, columns)), np.zeros((4, columns)))


@kernel
def clear(state: RollingMoments) -> None:
    """Forget every row."""
    state.seen[0] = 0
    state.sums[:] = 0.0


@kernel
def sum_collapsed_again(state: RollingMoments, leaving: int) -> None:
    """Form the sums of collapsed columns anew, from the rows held but for the one that leaves."""
    ring, sums = state.ring, state.sums
    for c in range(ring.shape[1]):
        old = ring[leaving, c]
        if sums[_SQ_HI, c] < old * old * _COLLAPSE:
            hi = lo = sq_hi = sq_lo = 0.0
            for i in range(len(ring)):
                if i != leaving:
                    x = ring[i, c]
                    hi, lo = add(hi, lo, x)
                    p, e = two_product(x, x)
                    sq_hi, sq_lo = add_pair(sq_hi, sq_lo, p, e)
            sums[_HI, c], sums[_LO, c], sums[_SQ_HI, c], sums[_SQ_LO, c] = hi, lo, sq_hi, sq_lo


@kernel
def left(hi: float, lo: float, sq_hi: float, sq_lo: float, x: float) -> tuple[float, float, float, float, bool]:
    """The sums of a column without ``x``, and whether Σx² has collapsed."""
    p, e = two_product(x, x)
    hi, lo = add(hi, lo, -x)
    sq_hi, sq_lo = add_pair(sq_hi, sq_lo, -p, -e)
    return hi, lo, sq_hi, sq_lo, sq_hi < p * _COLLAPSE


@kernel
def entered(hi: float, lo: float, sq_hi: float, sq_lo: float, x: float) -> tuple[float, float, float, float]:
    """The sums of a column with ``x``."""
    p, e = two_product(x, x)
    hi, lo = add(hi, lo, x)
    sq_hi, sq_lo = add_pair(sq_hi, sq_lo, p, e)
    return hi, lo, sq_hi, sq_lo


@kernel
def take_away(state: RollingMoments, slot: int) -> bool:
    """Take the row at ``slot`` from the sums; returns whether some had collapsed and were formed anew."""
    row = state.ring[slot]
    hi, lo, sq_hi, sq_lo = state.sums[_HI], state.sums[_LO], state.sums[_SQ_HI], state.sums[_SQ_LO]
    collapsed = False
    for c in range(len(row)):
        hi[c], lo[c], sq_hi[c], sq_lo[c], bad = left(hi[c], lo[c], sq_hi[c], sq_lo[c], row[c])
        collapsed |= bad
    if collapsed:
        sum_collapsed_again(state, slot)
    return collapsed


@kernel
def push(state: RollingMoments, row: Float64s) -> bool:
    """Add a row of shape ``(C,)``; the oldest leaves once there are N.

    Returns whether sums had collapsed and were formed anew: whoever keeps other sums of these rows does the same.
    """
    slot = state.seen[0] % len(state.ring)
    collapsed = state.seen[0] >= len(state.ring) and take_away(state, slot)
    hi, lo, sq_hi, sq_lo = state.sums[_HI], state.sums[_LO], state.sums[_SQ_HI], state.sums[_SQ_LO]
    held = state.ring[slot]
    for c in range(len(row)):
        hi[c], lo[c], sq_hi[c], sq_lo[c] = entered(hi[c], lo[c], sq_hi[c], sq_lo[c], row[c])
        held[c] = row[c]
    state.seen[0] += 1
    return collapsed


@kernel
def deviation_of(hi: float, lo: float, sq_hi: float, sq_lo: float, count: float) -> float:
    """Population standard deviation from the two pairs."""
    square_hi, square_lo = multiply_pair(hi, lo, hi, lo)
    n_hi, n_lo = multiply_pair(sq_hi, sq_lo, count, 0.0)
    spread, _ = add_pair(n_hi, n_lo, -square_hi, -square_lo)
    return math.sqrt(where(spread < 0.0, 0.0, spread)) / count


@kernel
def rows_held(state: RollingMoments) -> int:
    """How many rows the moments are of."""
    return min(state.seen[0], len(state.ring))


@kernel
def mean_and_deviation(state: RollingMoments, c: int) -> tuple[float, float]:
    """Mean and population standard deviation of column ``c`` over the rows held (at least one)."""
    count = float(rows_held(state))
    sums = state.sums
    return sums[0, c] / count, deviation_of(sums[0, c], sums[1, c], sums[2, c], sums[3, c], count)


@kernel
def zscore(hi: float, lo: float, sq_hi: float, sq_lo: float, count: float, x: float) -> float:
    """``(x − mean)/max(deviation, 1e-8)``; 0.0 where the deviation is at most 1e-9·|mean|."""
    deviation = deviation_of(hi, lo, sq_hi, sq_lo, count)
    mean = hi / count
    # n·x − Σx in pairs: beside a large mean the difference of rounded numbers has few digits left.
    p, e = two_product(count, x)
    s, f = two_sum(p, -hi)
    z = (s + (f + (e - lo))) / count / where(deviation < 1e-8, 1e-8, deviation)
    return where(deviation <= abs(mean) * 1e-9, 0.0, z)


@kernel
def zscores(state: RollingMoments, row: Float64s, out: Float64s) -> None:
    """`zscore` of each column of ``row``, shape ``(C,)``; 0.0 with fewer than 2 rows."""
    held = rows_held(state)
    if held < 2:
        out[:] = 0.0
        return
    count = float(held)
    hi, lo, sq_hi, sq_lo = state.sums[_HI], state.sums[_LO], state.sums[_SQ_HI], state.sums[_SQ_LO]
    for c in range(len(row)):
        out[c] = zscore(hi[c], lo[c], sq_hi[c], sq_lo[c], count, row[c])
