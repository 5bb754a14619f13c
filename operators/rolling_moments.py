"""Mean and population standard deviation of the last N rows, for C columns at once (contract, 4.4 and 4.7).

Σx and Σx² are compensated pairs (`compensated`) to which a row is added and from which the row N before is taken.
The variance is formed as ``(n·Σx² − (Σx)²)/n²`` in pairs, so that cancellation leaves about 30 of the 106 bits even
where the deviation is 1e-9 of the mean, below which the z-score is defined as 0.
"""

from typing import NamedTuple

import numpy as np

from operators.compensated import add, add_pair, multiply_pair, two_product, two_sum
from operators.jit import kernel
from sources.events import Float64s, Int64s

# When what leaves held all but a millionth of Σx², its rounding errors are large beside what stays: sum anew.
_COLLAPSE = 2.0**-20


_HI, _LO, _SQ_HI, _SQ_LO = (np.uint64(i) for i in range(4))  # rows of `RollingMoments.sums`


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
def push(state: RollingMoments, row: Float64s) -> None:
    """Add a row of shape ``(C,)``; the oldest leaves once there are N."""
    ring, sums = state.ring, state.sums
    columns = np.uint64(len(row))  # unsigned indices and no branch in the loops: several columns at once
    slot = np.uint64(state.seen[0] % len(ring))
    if state.seen[0] >= len(ring):
        collapsed = False
        for c in range(columns):
            old = ring[slot, c]
            p, e = two_product(old, old)
            sums[_HI, c], sums[_LO, c] = add(sums[_HI, c], sums[_LO, c], -old)
            sums[_SQ_HI, c], sums[_SQ_LO, c] = add_pair(sums[_SQ_HI, c], sums[_SQ_LO, c], -p, -e)
            collapsed |= sums[_SQ_HI, c] < p * _COLLAPSE
        if collapsed:
            sum_collapsed_again(state, int(slot))
    for c in range(columns):
        x = row[c]
        p, e = two_product(x, x)
        sums[_HI, c], sums[_LO, c] = add(sums[_HI, c], sums[_LO, c], x)
        sums[_SQ_HI, c], sums[_SQ_LO, c] = add_pair(sums[_SQ_HI, c], sums[_SQ_LO, c], p, e)
        ring[slot, c] = x
    state.seen[0] += 1


@kernel
def deviation_of(hi: float, lo: float, sq_hi: float, sq_lo: float, count: float) -> float:
    """Population standard deviation from the two pairs."""
    square_hi, square_lo = multiply_pair(hi, lo, hi, lo)
    n_hi, n_lo = multiply_pair(sq_hi, sq_lo, count, 0.0)
    spread, _ = add_pair(n_hi, n_lo, -square_hi, -square_lo)
    return np.sqrt(max(spread, 0.0)) / count


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
def zscores(state: RollingMoments, row: Float64s, out: Float64s) -> None:
    """``(x − mean)/max(deviation, 1e-8)`` of each column of ``row``, shape ``(C,)``.

    0.0 with fewer than 2 rows, or where the deviation is at most 1e-9·|mean|.
    """
    sums = state.sums
    columns = np.uint64(len(row))
    held = rows_held(state)
    count = float(held)
    for c in range(columns):
        deviation = deviation_of(sums[_HI, c], sums[_LO, c], sums[_SQ_HI, c], sums[_SQ_LO, c], count)
        mean = sums[_HI, c] / count
        # n·x − Σx in pairs: beside a large mean the difference of rounded numbers has few digits left.
        p, e = two_product(count, row[c])
        s, f = two_sum(p, -sums[_HI, c])
        z = (s + (f + (e - sums[_LO, c]))) / count / max(deviation, 1e-8)
        out[c] = 0.0 if held < 2 or deviation <= 1e-9 * abs(mean) else z
