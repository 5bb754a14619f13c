"""The two sides of a book as sorted blocks of levels: where a level is, and how blocks come and go.

A side is sorted by ``key = side · price`` (side +1 or −1) in rising order, so that the best level is always the last
one and one code serves both sides. Its levels lie in blocks of up to 31, the farthest block first; a block begins at
its fence. Every eighth fence stands once more in a column of its own, so that three short searches without a branch
find a level (`operators.sorted_block`).
"""

import math
from typing import NamedTuple

import numpy as np

from operators.jit import kernel
from operators.sorted_block import counter
from sources.tape.batch import Float64s, Int64s

START_BLOCKS = 8  # of a new book, a side
BLOCK = 32  # places of a block; the last stays free, so that a search always ends in one
GROUP = 8  # fences that one comparison takes
PACKED = 24  # levels a block where a side is laid out anew; with as many, a full block is split

below = counter(BLOCK, "<")
up_to = counter(GROUP, "<=")

# Rows of `Book.block`.
ORDER, USED, LIVE = 0, 1, 2


class Book(NamedTuple):
    """Both sides, bids first; P blocks a side, of which those not in use lie behind the others in the order.

    Attributes:
        place: shape ``(2 · P · 2 · 32,)``: for each block its keys, NaN where it is not in use, then its sizes.
        fence: shape ``(2 · (P + 8),)``: the least key that the i-th block of a side may hold, −∞ for the first; +∞
            behind the last.
        far_fence: shape ``(2 · (P/8 + 8),)``: every eighth of them.
        block: shape ``(3, 2 · P)``: which block is the i-th of a side; by block, its places in use and its levels.
        blocks, levels: shape ``(2,)``: blocks in use, at least 1, and levels of a side.
    """

    place: Float64s
    fence: Float64s
    far_fence: Float64s
    block: Int64s
    blocks: Int64s
    levels: Int64s


@kernel
def find_block(book: Book, s: int, key: float) -> int:
    """Which block of side ``s`` a key belongs to: the last one whose fence is not above it."""
    first, far = s * (len(book.fence) >> 1), s * (len(book.far_fence) >> 1)
    n = book.blocks[np.uint64(s)]
    count = 0
    for k in range((n + GROUP * GROUP - 1) // (GROUP * GROUP)):
        count += up_to(book.far_fence, far + GROUP * k, key)
    group = GROUP * (max(count, 1) - 1)
    count = group + up_to(book.fence, first + group, key)
    return max(min(count, n), 1) - 1


@kernel
def insert_place(book: Book, b: int, i: int, key: float, size: float) -> None:
    """Put a level at the i-th place of a block that has one free; the places in use from there on move up by one."""
    first = 2 * BLOCK * b
    # Only the places in use, keys and sizes in one loop: as fast as moving whole blocks as vectors.
    for at in range(first + book.block[USED, b], first + i, -1):
        book.place[at] = book.place[at - 1]
        book.place[at + BLOCK] = book.place[at + BLOCK - 1]
    book.place[first + i] = key
    book.place[first + i + BLOCK] = size
    book.block[USED, b] += 1


@kernel
def drop_places(book: Book, b: int) -> None:
    """Keep only the places of a block that have a level."""
    n = 0
    for at in range(2 * BLOCK * b, 2 * BLOCK * b + book.block[USED, b]):
        key, size = book.place[at], book.place[at + BLOCK]
        book.place[2 * BLOCK * b + n] = key
        book.place[2 * BLOCK * b + n + BLOCK] = size
        n += int(size != 0.0)
    for at in range(2 * BLOCK * b + n, 2 * BLOCK * b + book.block[USED, b]):
        book.place[at] = np.nan
    book.block[USED, b] = n


@kernel
def split(book: Book, s: int, d: int, key: float) -> None:
    """Move the upper half of a block, all of whose places have levels, to a new one behind it.

    Levels that come in order leave full blocks: a key beyond all others gets a block of its own.
    """
    half = book.block.shape[1] >> 1
    order, fence = book.block[ORDER, s * half :], book.fence[s * (half + GROUP) :]
    n = book.blocks[s]
    old, new = order[d], order[n]
    for k in range(n, d + 1, -1):
        order[k] = order[k - 1]
        fence[k] = fence[k - 1]
    order[d + 1] = new
    book.blocks[s] = n + 1

    used = book.block[USED, old]
    source, target = 2 * BLOCK * old, 2 * BLOCK * new
    keep = used >> 1
    if d == 0 and key < book.place[source]:
        keep = 0
    if d == n - 1 and key > book.place[source + used - 1]:
        keep = used
    for k in range(BLOCK):
        there = keep + k < used
        book.place[target + k] = book.place[source + keep + k] if there else np.nan
        book.place[target + k + BLOCK] = book.place[source + keep + k + BLOCK] if there else 0.0
    book.place[source + keep : source + BLOCK] = np.nan
    fence[d + 1] = key if keep == used else book.place[target]
    book.block[USED, old] = book.block[LIVE, old] = keep
    book.block[USED, new] = book.block[LIVE, new] = used - keep
    set_far_fence(book, s)


@kernel
def free_block(book: Book, s: int, d: int) -> None:
    """The d-th block of a side has no level left: another one takes over its keys, unless it is the only one."""
    half = book.block.shape[1] >> 1
    order, fence = book.block[ORDER, s * half :], book.fence[s * (half + GROUP) :]
    n = book.blocks[s]
    b = order[d]
    book.block[USED, b] = 0
    book.place[2 * BLOCK * b : 2 * BLOCK * b + BLOCK] = np.nan
    if n == 1:
        return
    for k in range(d, n - 1):
        order[k] = order[k + 1]
        fence[k] = fence[k + 1]
    order[n - 1] = b
    fence[n - 1] = np.inf
    fence[0] = -np.inf
    book.blocks[s] = n - 1
    set_far_fence(book, s)


@kernel
def set_far_fence(book: Book, s: int) -> None:
    """Take every eighth fence."""
    first, far = s * (len(book.fence) >> 1), s * (len(book.far_fence) >> 1)
    groups = (book.blocks[s] + GROUP - 1) // GROUP
    for k in range(groups):
        book.far_fence[far + k] = book.fence[first + GROUP * k]
    book.far_fence[far + groups] = np.inf


@kernel
def clear(book: Book) -> None:
    """No level."""
    book.fence[:] = np.inf
    book.far_fence[:] = np.inf
    for s in range(2):
        b = book.block[ORDER, s * (book.block.shape[1] >> 1)]
        book.block[USED, b] = book.block[LIVE, b] = 0
        book.place[2 * BLOCK * b : 2 * BLOCK * b + BLOCK] = np.nan
        book.fence[s * (len(book.fence) >> 1)] = -np.inf
        book.far_fence[s * (len(book.far_fence) >> 1)] = -np.inf
    book.blocks[:] = 1
    book.levels[:] = 0


Side = tuple[Float64s, Float64s]  # keys in rising order, sizes
_NO_LEVEL: Side = (np.empty(0), np.empty(0))


def _aligned(shape: tuple[int, ...], x: float) -> Float64s:
    """An array that begins a cache line, as a block must: one that lies askew takes 5 ns a row more to search."""
    room = np.empty(math.prod(shape) + GROUP)
    first = -room.ctypes.data // 8 % GROUP
    array = room[first : first + math.prod(shape)].reshape(shape)
    array[...] = x
    return array


def make_book(bids: Side = _NO_LEVEL, asks: Side = _NO_LEVEL) -> Book:
    """A book of these levels, with room for more."""
    count = [max(1, -(-len(key) // PACKED)) for key, _ in (bids, asks)]
    room = START_BLOCKS
    while 4 * max(count) > 3 * room:  # else it would soon be full again
        room *= 2
    place, block = _aligned((2, room, 2, BLOCK), 0.0), np.zeros((3, 2, room), np.int64)
    place[:, :, 0] = np.nan
    block[ORDER] = np.arange(2 * room).reshape(2, room)
    fence, far_fence = _aligned((2, room + GROUP), np.inf), _aligned((2, room // GROUP + GROUP), np.inf)
    fence[:, 0] = -np.inf
    for s, (n, columns) in enumerate(zip(count, (bids, asks), strict=True)):
        missing = n * PACKED - len(columns[0])
        for column, x, nothing in zip((0, 1), columns, (np.nan, 0.0), strict=True):
            place[s, :n, column, :PACKED] = np.append(x, np.full(missing, nothing)).reshape(n, PACKED)
        fence[s, 1:n] = columns[0][PACKED::PACKED]
        block[USED:, s, :n] = PACKED
        block[USED:, s, n - 1] -= missing
    far_fence[:, : room // GROUP] = fence[:, :room:GROUP]
    return Book(
        place=place.reshape(-1),
        fence=fence.reshape(-1),
        far_fence=far_fence.reshape(-1),
        block=block.reshape(3, 2 * room),
        blocks=np.array(count, np.int64),
        levels=np.array([len(bids[0]), len(asks[0])], np.int64),
    )


def sides(book: Book) -> tuple[Side, Side]:
    """The levels of bids and asks."""
    room = book.block.shape[1] // 2
    blocks = book.place.reshape(2 * room, 2, BLOCK)

    def side(s: int) -> Side:
        key, size = blocks[book.block[ORDER, s * room :][: book.blocks[s]]].transpose(1, 0, 2).reshape(2, -1)
        there = ~np.isnan(key) & (size != 0.0)
        return key[there], size[there]

    return side(0), side(1)


def grown(book: Book) -> Book:
    """The same levels laid out anew, in more blocks if these would soon be full again."""
    return make_book(*sides(book))
