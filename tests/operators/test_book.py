"""The book against a dictionary, and the vector instructions below it against lists."""

import math
from bisect import insort

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from operators.book import MAX_LEVELS, apply_rows, copy_top
from operators.jit import kernel
from operators.level_blocks import (
    BLOCK,
    LIVE,
    ORDER,
    START_BLOCKS,
    USED,
    Book,
    clear,
    grown,
    insert_place,
    make_book,
    sides,
)
from operators.sorted_block import counter
from sources.tape.batch import DELTA, Float64s, TapeBatch, tape_batch

less, at_most = counter(8, "<"), counter(32, "<=")


@kernel
def _less(column: Float64s, at: int, x: float) -> int:
    return less(column, at, x)


@kernel
def _at_most(column: Float64s, at: int, x: float) -> int:
    return at_most(column, at, x)


def _rows(side: object, price: object, size: object) -> TapeBatch:
    n = len(np.asarray(price))
    number = np.arange(n)
    return tape_batch(
        ordinal=number, exchange_ts=number, receive_ts=number, sequence=number, kind=np.full(n, DELTA),
        side=np.broadcast_to(np.asarray(side), n), price=price, size=size, last=np.ones(n, bool),
    )  # fmt: skip


def _applied(book: Book, batch: TapeBatch) -> tuple[Book, int, int]:
    """The book after all rows, how many levels were dropped, and how often it had to be laid out anew."""
    start = dropped = again = 0
    while True:
        end, lost = apply_rows(book, batch, start, batch.rows)
        dropped += lost
        if end == batch.rows:
            return book, dropped, again
        assert end > start or again == 0  # a book laid out anew takes at least one row
        book, start, again = grown(book), end, again + 1


def _check_blocks(book: Book) -> None:
    """Every block lies between its fences, is sorted, and counts what is in it; none is empty but an only one."""
    room = book.block.shape[1] // 2
    blocks = book.place.reshape(2 * room, 2, BLOCK)
    for s in range(2):
        n = int(book.blocks[s])
        order = book.block[ORDER, s * room : (s + 1) * room]
        assert sorted(order.tolist()) == list(range(s * room, (s + 1) * room))
        fence, far_fence = np.split(book.fence, 2)[s], np.split(book.far_fence, 2)[s]
        assert fence[0] == -math.inf
        assert (np.diff(fence[:n]) > 0).all()
        assert (fence[n:] == math.inf).all()
        groups = -(-n // 8)
        assert_array_equal(far_fence[:groups], fence[:n:8])
        assert (far_fence[groups:] == math.inf).all()
        assert int(book.block[LIVE, order[:n]].sum()) == book.levels[s]
        for d in range(n):
            (key, size), used = blocks[order[d]], int(book.block[USED, order[d]])
            assert used < BLOCK
            assert np.isnan(key[used:]).all()
            assert (np.diff(key[:used]) > 0).all()
            assert (key[:used] >= fence[d]).all()
            assert (key[:used] < fence[d + 1]).all()
            live = np.count_nonzero(size[:used])
            assert book.block[LIVE, order[d]] == live
            assert live > 0 or n == 1


def _check_levels(book: Book, want: tuple[dict[float, float], dict[float, float]], depth: int = 50) -> None:
    price_out, size_out, count_out = np.empty((2, depth)), np.empty((2, depth)), np.empty(2, np.int64)
    copy_top(book, price_out, size_out, count_out)
    for s, (sign, (key, size)) in enumerate(zip((1, -1), sides(book), strict=True)):
        levels = sorted(want[s].items(), key=lambda level: sign * level[0])
        assert list(zip((sign * key).tolist(), size.tolist(), strict=True)) == levels
        n = min(depth, len(levels))
        assert book.levels[s] == len(levels)
        assert count_out[s] == n
        best = levels[::-1][:n]
        assert list(zip(price_out[s, :n].tolist(), size_out[s, :n].tolist(), strict=True)) == best
        assert_array_equal(price_out[s, n:], -sign * math.inf)
        assert_array_equal(size_out[s, n:], 0.0)


@pytest.mark.jit_off
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from((5, 40, 400, 3000)), st.sampled_from((0.1, 0.4, 0.6)), st.booleans())
def test_the_book_is_a_sorted_dictionary(seed: int, ticks: int, removed: float, drifting: bool) -> None:
    random = np.random.default_rng(seed)
    book = make_book()
    want: tuple[dict[float, float], dict[float, float]] = ({}, {})
    for part in range(8):
        n = 150
        side = random.choice((1, -1), n)
        tick = random.integers(0, ticks, n) + (ticks // 3 * part if drifting else 0)
        if part % 2:  # as messages come
            order = np.lexsort((tick, side))
            side, tick = side[order], tick[order]
        price = 100.0 + tick
        size = np.where(random.random(n) < removed, 0.0, random.integers(1, 9, n) / 10)
        book, dropped, _ = _applied(book, _rows(side, price, size))
        assert dropped == 0
        for row_side, row_price, amount in zip(side.tolist(), price.tolist(), size.tolist(), strict=True):
            levels = want[0 if row_side > 0 else 1]
            if amount:
                levels[row_price] = amount
            else:
                levels.pop(row_price, None)
        _check_blocks(book)
        _check_levels(book, want)
        if part % 3 == 2:
            book = make_book(*sides(book))  # as a snapshot does
            _check_blocks(book)
    _check_levels(book, want, depth=1)


@pytest.mark.parametrize("step", [1, -1, 7])
def test_a_book_that_is_filled_emptied_and_filled_again(step: int) -> None:
    n = 2000
    price = 1.0 + np.arange(n) * step % n
    book = make_book()
    laid_out = 0
    for round in range(6):
        book, _, again = _applied(book, _rows(1, price, np.full(n, 1.0 + round)))
        laid_out += again
        _check_blocks(book)
        assert book.levels.tolist() == [n, 0]
        book, _, again = _applied(book, _rows(1, price[::-1], np.zeros(n)))
        _check_blocks(book)
        assert again == 0
        assert book.levels.tolist() == [0, 0]
        assert book.blocks.tolist() == [1, 1]
    assert 0 < laid_out < 9
    assert book.block.shape[1] // 2 <= 256


def test_a_cleared_book_is_a_new_one() -> None:
    book, _, _ = _applied(make_book(), _rows(-1, 1.0 + np.arange(700.0), np.ones(700)))
    clear(book)
    _check_blocks(book)
    _check_levels(book, ({}, {}))
    book, _, again = _applied(book, _rows(-1, 9.0 - np.arange(8.0), np.ones(8)))
    assert again == 0
    _check_levels(book, ({}, {9.0 - i: 1.0 for i in range(8)}))


def test_extreme_prices_are_levels_like_others() -> None:
    book, _, _ = _applied(make_book(), _rows(1, [math.inf, 5e-324, 1.7e308, math.inf], [1.0, 2.0, 3.0, 4.0]))
    _check_levels(book, ({math.inf: 4.0, 5e-324: 2.0, 1.7e308: 3.0}, {}))
    book, _, _ = _applied(book, _rows(1, [math.inf], [-0.0]))
    _check_levels(book, ({5e-324: 2.0, 1.7e308: 3.0}, {}))


@pytest.mark.parametrize("side", [1, -1])
def test_in_a_full_side_the_farthest_level_gives_way(side: int) -> None:
    random = np.random.default_rng(side + 1)
    n = MAX_LEVELS + 6000
    tick = random.permutation(2 * n)[:n].astype(float)
    tick[-3000:] = random.choice(tick[:-3000], 3000)
    size = np.ones(n)
    size[-2000:] = random.random(2000) < 0.5
    size[-6000:-5000] = 0.0
    keys: list[float] = []
    there: set[float] = set()
    want = 0
    for key, amount in zip((side * (1.0 + tick)).tolist(), size.tolist(), strict=True):
        if amount and key not in there:
            there.add(key)
            insort(keys, key)
            if len(keys) > MAX_LEVELS:
                there.remove(keys.pop(0))
                want += 1
        elif not amount and key in there:
            there.remove(key)
            keys.remove(key)
    book, dropped, _ = _applied(make_book(), _rows(side, 1.0 + tick, size))
    _check_blocks(book)
    assert sides(book)[0 if side > 0 else 1][0].tolist() == keys
    assert dropped == want > 500


def test_a_new_book_is_small_and_a_grown_one_has_room() -> None:
    book = make_book()
    assert book.block.shape == (3, 2 * START_BLOCKS)
    assert sum(part.nbytes for part in book) < 10_000
    n = 24 * START_BLOCKS
    key = np.arange(n, dtype=float)
    book = make_book((key, key + 1.0))
    assert book.block.shape[1] == 4 * START_BLOCKS
    assert book.blocks.tolist() == [START_BLOCKS, 1]
    _check_blocks(book)


lanes = st.lists(st.sampled_from((-math.inf, -1.0, 0.0, 2.0, 3.5, math.inf, math.nan)), min_size=40, max_size=40)


@pytest.mark.jit_off
@settings(deadline=None)
@given(lanes, st.integers(0, 8), st.sampled_from((-math.inf, -2.0, 0.0, 3.0, 3.5, math.inf, math.nan)))
def test_numbers_below_another_are_counted(column: list[float], at: int, x: float) -> None:
    array = np.array(column)
    assert _less(array, at, x) == sum(number < x for number in column[at : at + 8])
    assert _at_most(array, at, x) == sum(number <= x for number in column[at : at + 32])


@pytest.mark.jit_off
@settings(deadline=None)
@given(st.integers(0, 2 * START_BLOCKS - 1), st.integers(0, BLOCK - 1), st.integers(0, BLOCK - 1))
def test_a_level_is_inserted_and_the_places_behind_it_move_up(b: int, used: int, i: int) -> None:
    book, i = make_book(), min(i, used)
    book.place[:] = np.arange(len(book.place))
    book.block[USED, b] = used
    keys, sizes = np.split(np.arange(2.0 * BLOCK) + 2 * BLOCK * b, 2)
    insert_place(book, b, i, -1.0, -2.0)
    assert book.block[USED, b] == used + 1
    place = book.place.reshape(-1, 2, BLOCK)
    for there, before, new in ((place[b, 0], keys, -1.0), (place[b, 1], sizes, -2.0)):
        assert_array_equal(there, [*before[:i], new, *before[i:used], *before[used + 1 :]])
    others = np.delete(np.arange(len(book.place)).reshape(-1, 2, BLOCK), b, axis=0)
    assert_array_equal(np.delete(place, b, axis=0), others)
