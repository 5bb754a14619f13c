"""Mean and population standard deviation of the last N rows, for C columns at once (contract, 4.4 and 4.7).

Σx and Σx² are compensated pairs (`compensated`) to which a row is added and from which the row N before is taken.
The variance is formed as ``(n·Σx² − (Σx)²)/n²`` in pairs, so that cancellation leaves about 30 of the 106 bits even
where the deviation is 1e-9 of the mean, below which the z-score is defined as 0.
"""

from typing import NamedTuple

import numpy as np

from operators.compensated import add, add_pair, multiply_pair, two_product
from operators.jit import kernel
from sources.events import Float64s, Int64s

# When what leaves held all but a millionth of Σx², its rounding errors are large beside what stays: sum anew.
_COLLAPSE = 2.0**-20


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
def sum_again(ring: Float64s, c: int, without: int) -> tuple[float, float, float, float]:
    """Both pairs of column ``c`` from the rows held, but for one."""
    hi = lo = sq_hi = sq_lo = 0.0
    for i in range(len(ring)):
        if i != without:
            x = ring[i, c]
            hi, lo = add(hi, lo, x)
            p, e = two_product(x, x)
            sq_hi, sq_lo = add_pair(sq_hi, sq_lo, p, e)
    return hi, lo, sq_hi, sq_lo


@kernel
def push(state: RollingMoments, row: Float64s) -> None:
    """Add a row of shape ``(C,)``; the oldest leaves once there are N."""
    n = len(state.ring)
    slot = state.seen[0] % n
    full = state.seen[0] >= n
    sums = state.sums
    for c in range(len(row)):
        x = row[c]
        hi, lo, sq_hi, sq_lo = sums[0, c], sums[1, c], sums[2, c], sums[3, c]
        if full:
            old = state.ring[slot, c]
            hi, lo = add(hi, lo, -old)
            p, e = two_product(old, old)
            sq_hi, sq_lo = add_pair(sq_hi, sq_lo, -p, -e)
            if sq_hi < p * _COLLAPSE:
                hi, lo, sq_hi, sq_lo = sum_again(state.ring, c, slot)
        sums[0, c], sums[1, c] = add(hi, lo, x)
        p, e = two_product(x, x)
        sums[2, c], sums[3, c] = add_pair(sq_hi, sq_lo, p, e)
        state.ring[slot, c] = x
    state.seen[0] += 1


@kernel
def mean_and_deviation(state: RollingMoments, c: int) -> tuple[float, float]:
    """Mean and population standard deviation of column ``c`` over the rows held (at least one)."""
    count = float(min(state.seen[0], len(state.ring)))
    hi, lo, sq_hi, sq_lo = state.sums[0, c], state.sums[1, c], state.sums[2, c], state.sums[3, c]
    square_hi, square_lo = multiply_pair(hi, lo, hi, lo)
    n_hi, n_lo = multiply_pair(sq_hi, sq_lo, count, 0.0)
    spread, _ = add_pair(n_hi, n_lo, -square_hi, -square_lo)
    return hi / count, np.sqrt(max(spread, 0.0)) / count


@kernel
def zscore(state: RollingMoments, c: int, x: float) -> float:
    """``(x − mean)/max(deviation, 1e-8)``; 0.0 with fewer than 2 rows or a deviation of at most 1e-9·|mean|."""
    if state.seen[0] < 2:
        return 0.0
    mean, deviation = mean_and_deviation(state, c)
    if deviation <= 1e-9 * abs(mean):
        return 0.0
    return (x - mean) / max(deviation, 1e-8)
