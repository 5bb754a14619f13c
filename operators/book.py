"""A level-2 order book on flat sorted arrays.

Both sides live in one pair of arrays of length ``2 · capacity``: bids in the first half, asks in the second. A side is
sorted by ``key = side · price`` (side +1 or −1) in rising order, so that the best level is always the last one and one
code serves both sides; near the touch, where most levels come and go, an insertion moves few elements.

The book keeps every level that the venue sent, up to ``MAX_LEVELS`` a side; then the farthest gives way and is counted.
"""

import numpy as np

from operators.jit import kernel
from operators.moves import move
from sources.events import Float64s, Int64s

# Array indices are unsigned: signed ones would be checked for negative values, which count from the end.
_ONE = np.uint64(1)

START_LEVELS = 256  # capacity of a new book, a side
MAX_LEVELS = 16_384
# Venues send a message's levels in the order of their prices: on a BTCUSDT capture half of them lie within 5 levels of
# the one before and nine tenths within 135, of 5 000.
NEAR = 32


@kernel
def find(key: Float64s, base: int, levels: int, wanted: float) -> int:
    """Index within a side of the first level whose key is not below ``wanted``; ``levels`` if there is none."""
    low = np.uint64(base)
    size = np.uint64(levels)
    while size > _ONE:
        half = size >> _ONE
        if key[low + half - _ONE] < wanted:
            low = low + half
        size = size - half
    i = int(low) - base
    if levels > 0 and key[low] < wanted:
        i += 1
    return i


@kernel
def find_near(key: Float64s, base: int, levels: int, wanted: float, near: int) -> int:
    """`find`, for which the levels around the index ``near`` are tried first: a guess, right or wrong."""
    first, end = near - NEAR, near + NEAR
    if first >= 0 and end <= levels and key[base + first] < wanted and wanted <= key[base + end - 1]:
        return first + find(key, base + first, 2 * NEAR, wanted)
    return find(key, base, levels, wanted)


@kernel
def remove(column: Float64s, at: int, end: int) -> None:
    """Close the gap at ``at``: elements ``at + 1 … end − 1`` move down by one."""
    move(column, at, at + 1, end - at - 1)


@kernel
def insert(column: Float64s, at: int, end: int, x: float) -> None:
    """Put ``x`` at ``at``: elements ``at … end − 1`` move up by one."""
    move(column, at + 1, at, end - at)
    column[at] = x


@kernel
def apply_level(
    key: Float64s, size: Float64s, levels: Int64s, near: Int64s, side: int, price: float, amount: float
) -> int:
    """Set the absolute size of one level; 0 removes it, and removing an absent level does nothing.

    Args:
        key, size: shape ``(2 · capacity,)``; levels: shape ``(2,)``, the number of levels of bids and asks.
        near: shape ``(2,)``, where the level before was on each side; any numbers do, but those that the last call
            left find the next level of a message 25 ns sooner.

    Returns:
        1 if a level was dropped because the side was full, else 0.
    """
    capacity = len(key) >> 1
    s = 0 if side > 0 else 1
    base = s * capacity
    n = levels[s]
    end = base + n
    wanted = side * price
    i = find_near(key, base, n, wanted, near[s])
    near[s] = i
    at = base + i
    if i < n and key[at] == wanted:
        if amount != 0.0:
            size[at] = amount
        else:
            remove(key, at, end)
            remove(size, at, end)
            levels[s] = n - 1
        return 0
    if amount == 0.0:
        return 0
    if n < capacity:
        insert(key, at, end, wanted)
        insert(size, at, end, amount)
        levels[s] = n + 1
        return 0
    # Full: the farthest level (index 0) gives way, unless the new one is itself the farthest.
    if i > 0:
        remove(key, base, at)
        remove(size, base, at)
        key[at - 1] = wanted
        size[at - 1] = amount
    return 1


def grown(column: Float64s) -> Float64s:
    """The same side-by-side column with twice the room."""
    capacity = len(column) // 2
    out = np.zeros(4 * capacity)
    out[:capacity] = column[:capacity]
    out[2 * capacity : 3 * capacity] = column[capacity:]
    return out


@kernel
def copy_top(
    key: Float64s, size: Float64s, levels: Int64s, price_out: Float64s, size_out: Float64s, count_out: Int64s
) -> None:
    """Copy the best levels, best first.

    Args:
        price_out, size_out: shape ``(2, depth)``, bids then asks; where there is no level the price is −∞ (bid) or
            +∞ (ask) and the size 0 (contract, 4.4).
        count_out: shape ``(2,)``, how many there are.
    """
    capacity = len(key) >> 1
    depth = price_out.shape[1]
    for s in range(2):
        sign = 1.0 if s == 0 else -1.0
        top = s * capacity + levels[s] - 1
        n = min(depth, levels[s])
        for m in range(n):
            price_out[s, m] = sign * key[top - m]
            size_out[s, m] = size[top - m]
        for m in range(n, depth):
            price_out[s, m] = -sign * np.inf
            size_out[s, m] = 0.0
        count_out[s] = n
