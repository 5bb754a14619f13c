"""A level-2 order book.

A level that is removed keeps its place with the size 0, because most come back: on a BTCUSDT capture 37 % of all rows
put in or remove a level, 8 % one whose price has no place. Places without a level go when their block is full, or when
there is no level left in it.

The book keeps every level that the venue sent, up to ``MAX_LEVELS`` a side; then the farthest gives way and is counted.
"""

import numpy as np

from operators.jit import kernel
from operators.level_blocks import (
    BLOCK,
    LIVE,
    ORDER,
    PACKED,
    USED,
    Book,
    below,
    drop_places,
    find_block,
    free_block,
    insert_place,
    split,
)
from sources.tape.batch import Float64s, Int64s, TapeBatch

MAX_LEVELS = 16_384

# Array indices are unsigned: signed ones would be checked for negative values, which count from the end.
_ORDER, _LIVE, _KEYS = np.uint64(ORDER), np.uint64(LIVE), np.uint64(BLOCK)


@kernel
def apply_rows(book: Book, batch: TapeBatch, start: int, end: int) -> tuple[int, int]:
    """Set the absolute sizes of levels, rows ``start … end − 1``; 0 removes a level, and removing an absent one does
    nothing.

    Returns:
        The first row not applied, because there is no block for it (`grown` makes some), else ``end``; and how many
        levels were dropped because their side was full.
    """
    place, block, levels = book.place, book.block, book.levels
    half = block.shape[1] >> 1
    dropped = 0
    for i in range(start, end):
        row = np.uint64(i)
        side = batch.side[row]
        key, size = side * batch.price[row], batch.size[row]
        s = 0 if side > 0 else 1
        d = find_block(book, s, key)
        b = block[_ORDER, np.uint64(s * half + d)]
        at = np.uint64(2 * BLOCK * b + below(place, 2 * BLOCK * b, key))
        if place[at] == key:
            at = at + _KEYS
            change = int(size != 0.0) - int(place[at] != 0.0)
            place[at] = size
            left = block[_LIVE, np.uint64(b)] + change
            block[_LIVE, np.uint64(b)] = left
            levels[np.uint64(s)] += change
            if left == 0:
                free_block(book, s, d)
        elif size != 0.0 and not insert_level(book, s, key, size):
            return i, dropped
        if levels[np.uint64(s)] > MAX_LEVELS:
            drop_farthest(book, s)
            dropped += 1
    return end, dropped


@kernel
def insert_level(book: Book, s: int, key: float, size: float) -> bool:
    """Put in a level whose price has no place; False if that takes a block and all are in use."""
    half = book.block.shape[1] >> 1
    d = find_block(book, s, key)
    b = book.block[ORDER, s * half + d]
    if book.block[USED, b] == BLOCK - 1:
        drop_places(book, b)
        if book.block[USED, b] >= PACKED:
            if book.blocks[s] == half:
                return False
            split(book, s, d, key)
            b = book.block[ORDER, s * half + find_block(book, s, key)]
    insert_place(book, b, below(book.place, 2 * BLOCK * b, key), key, size)
    book.block[LIVE, b] += 1
    book.levels[s] += 1
    return True


@kernel
def drop_farthest(book: Book, s: int) -> None:
    """Remove the farthest level of a side, which has one."""
    b = book.block[ORDER, s * (book.block.shape[1] >> 1)]
    at = 2 * BLOCK * b + BLOCK
    while book.place[at] == 0.0:
        at += 1
    book.place[at] = 0.0
    book.block[LIVE, b] -= 1
    book.levels[s] -= 1
    if book.block[LIVE, b] == 0:
        free_block(book, s, 0)


@kernel
def level_size(book: Book, s: int, key: float) -> float:
    """Size of a level of side ``s``; 0 if there is none. ``key`` is ``side · price``."""
    b = book.block[ORDER, s * (book.block.shape[1] >> 1) + find_block(book, s, key)]
    at = 2 * BLOCK * b + below(book.place, 2 * BLOCK * b, key)
    return book.place[at + BLOCK] if book.place[at] == key else 0.0


@kernel
def next_level(book: Book, s: int, d: int, at: int) -> tuple[int, int]:
    """The level after the one at ``place[at]``, in the d-th block of side ``s``, from the best outwards.

    Args:
        d, at: ``book.blocks[s]`` and 0 for the best level.

    Returns:
        Its block and place; −1, −1 if there is none.
    """
    order = book.block[ORDER, s * (book.block.shape[1] >> 1) :]
    b = order[d] if d < book.blocks[s] else -1
    while True:
        if b < 0 or at <= 2 * BLOCK * b:
            d -= 1
            if d < 0:
                return -1, -1
            b = order[d]
            at = 2 * BLOCK * b + book.block[USED, b]
            continue
        at -= 1
        if book.place[at + BLOCK] != 0.0:
            return d, at


@kernel
def best_key(book: Book, s: int) -> float:
    """``side · price`` of the best level of side ``s``, which has one."""
    _, at = next_level(book, s, book.blocks[s], 0)
    return book.place[at]


@kernel
def copy_top(book: Book, price_out: Float64s, size_out: Float64s, count_out: Int64s) -> None:
    """Copy the best levels, best first.

    Args:
        price_out, size_out: shape ``(2, depth)``, bids then asks; where there is no level the price is −∞ (bid) or
            +∞ (ask) and the size 0 (docs/features.md, 4.4).
        count_out: shape ``(2,)``, how many there are.
    """
    half = book.block.shape[1] >> 1
    depth = price_out.shape[1]
    for s in range(2):
        sign = 1.0 if s == 0 else -1.0
        n = min(depth, book.levels[s])
        m = 0
        d = book.blocks[s]
        while m < n:
            d -= 1
            b = book.block[ORDER, s * half + d]
            used = book.block[USED, b]
            at = 2 * BLOCK * b + used
            if book.block[LIVE, b] == used:  # nothing to leave out: vector instructions
                count = min(n - m, used)
                into, best, row = np.uint64(m), np.uint64(at - 1), np.uint64(s)
                for k in range(np.uint64(count)):
                    price_out[row, into + k] = sign * book.place[best - k]
                    size_out[row, into + k] = book.place[best - k + _KEYS]
                m += count
                continue
            while m < n and at > 2 * BLOCK * b:
                at -= 1
                amount = book.place[at + BLOCK]
                price_out[s, m] = sign * book.place[at]
                size_out[s, m] = amount
                m += int(amount != 0.0)  # else the next one is written over it
        for m in range(n, depth):
            price_out[s, m] = -sign * np.inf
            size_out[s, m] = 0.0
        count_out[s] = n
