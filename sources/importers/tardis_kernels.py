"""Kernels that read lines of Tardis.dev's CSV files in one pass; each gives up where anything is unusual."""

from typing import NamedTuple

import numpy as np

from sources.clock import MAX_AHEAD_NS
from sources.decimals import number
from sources.importers.csv_fields import Bytes
from sources.jit import KernelCache
from sources.messages import NS_PER_US
from sources.tape.batch import Bools, Float64s, Int8s, Int64s
from sources.tape.bounds import is_price, is_size, is_time

# 300 000 rows took 35 ms with kernels of this kind, and 59 to 65 ms with those of the other modules.
_CACHE = KernelCache(
    "tardis", "sources/importers/tardis_kernels.py", "sources/decimals.py", "sources/tape/bounds.py", "sources/jit.py",
    allocates=False, inlined=True,
)  # fmt: skip
kernel = _CACHE.kernel

_DIGITS = 16  # of a time in microseconds
_TIMES = 2 * (_DIGITS + 1)  # bytes of two of them, each with its comma
_LONGEST_INTEGER = 18  # digits; as of `csv_fields.naturals`
LONGEST_WORD = 8
_ZERO, _NINE = np.uint8(48), np.uint8(9)
_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)  # places are unsigned: none is counted from the end


class Words(NamedTuple):
    """Words and what they stand for, each with the comma behind it."""

    text: Bytes  # (words, LONGEST_WORD)
    length: Int64s
    means: Int64s


class Lines(NamedTuple):
    """What is of every line, shape ``(lines,)`` each."""

    begin: Int64s  # of the exchange's name
    changed: Bools  # exchange or symbol are others than in the line before; true of the first
    exchange_ts: Int64s  # ns
    receive_ts: Int64s


@_CACHE.entry_kernel
def read_rows(
    text: Bytes, trades: bool, sides: Words, flags: Words, lines: Lines, side: Int8s, flag: Bools,
    price: Float64s, size: Float64s, trade_id: Int64s, start: Int64s, stop: Int64s,
) -> bool:  # fmt: skip
    """Read rows that are a level or a print each; False where any is unusual.

    Args:
        text: whole lines, the last of which may lack its end.
        trades: whether they are prints.
        sides: words of the side's column.
        flags: of that of snapshots.
        lines: room for what is of every line; likewise the others. ``trade_id`` is -1 where the id is no number, which
            stands from ``start`` to ``stop`` then; these three are of prints alone.
    """
    at = name = length = 0
    for row in range(len(lines.begin)):
        at, length = _head(text, at, name, length, lines, row)
        if at < 0:
            return False
        name = lines.begin[row]
        if trades:
            begin = at
            trade_id[row], at = _id(text, at)
            start[row], stop[row] = begin, at - 1
        else:
            means, at = _word(text, at, flags)
            flag[row] = means == 1
        if at < 0:
            return False
        side[row], at = _word(text, at, sides)
        if at < 0:
            return False
        price[row], at = number(text, at, len(text))
        if at < 0 or at >= len(text) or text[at] != 44 or not is_price(price[row]):
            return False
        size[row], at = number(text, at + 1, len(text))
        if at < 0 or not is_size(size[row]):
            return False
        at = _end(text, at)
        if at < 0:
            return False
    return at == len(text)


@_CACHE.entry_kernel
def read_books(
    text: Bytes, amount: Bools, place: Int64s, lines: Lines, side: Int8s, price: Float64s, size: Float64s,
    of_line: Int64s, prices: Float64s, sizes: Float64s,
) -> int:  # fmt: skip
    """Read rows of whole books, each level as a row; gives how many, or -1 where any is unusual.

    Args:
        text: as of `read_rows`.
        amount: of every column behind the four common ones whether it is an amount, otherwise a price.
        place: and of which level, bids first.
        lines: room for what is of every line; ``side``, ``price``, ``size`` and ``of_line`` for every level.
        prices, sizes: room for those of a line; below 0 where there is none.
    """
    levels = len(place) // 2
    at = name = length = row = 0
    for line in range(len(lines.begin)):
        at, length = _head(text, at, name, length, lines, line)
        if at < 0:
            return -1
        name = lines.begin[line]
        for column in range(len(place)):
            value = -1.0
            if at < len(text) and text[at] != 44 and text[at] != 10 and text[at] != 13:
                value, at = number(text, at, len(text))
                if at < 0 or not (is_size(value) if amount[column] else is_price(value)):
                    return -1
            if amount[column]:
                sizes[place[column]] = value
            else:
                prices[place[column]] = value
            if column + 1 < len(place):
                if at >= len(text) or text[at] != 44:
                    return -1
                at += 1
        at = _end(text, at)
        if at < 0:
            return -1
        for level in range(levels):
            if prices[level] > 0.0:
                if sizes[level] < 0.0:
                    return -1
                side[row] = 1 if level < levels // 2 else -1
                price[row], size[row], of_line[row] = prices[level], sizes[level], line
                row += 1
    return row if at == len(text) else -1


@kernel
def _head(text: Bytes, at: int, name: int, length: int, lines: Lines, row: int) -> tuple[int, int]:
    """Read the four common columns of a line; gives where the text goes on (or -1), and the length of the names.

    Args:
        name: where exchange and symbol of the line before stand, each with its comma.
        length: theirs; 0 before the first line.
    """
    lines.begin[row] = at
    same = length > 0 and at + length <= len(text) and _same(text, at, name, length)
    lines.changed[row] = not same
    if same:
        at += length
    else:
        begin, commas = at, 0
        while at < len(text) and commas < 2:
            if text[at] == 10:
                return -1, 0
            commas += text[at] == 44
            at += 1
        length = at - begin
    if same and at + _TIMES <= len(text) and _same(text, at, name + length, _TIMES):
        lines.exchange_ts[row], lines.receive_ts[row] = lines.exchange_ts[row - 1], lines.receive_ts[row - 1]
        return at + _TIMES, length
    lines.exchange_ts[row], at = _time(text, at)
    lines.receive_ts[row], at = _time(text, at)
    if at >= 0 and lines.exchange_ts[row] - lines.receive_ts[row] > MAX_AHEAD_NS:
        return -1, 0
    return at, length


@kernel
def _same(text: Bytes, first: int, second: int, length: int) -> bool:
    """Whether two parts of the text are alike."""
    a, b = np.uint64(first), np.uint64(second)
    differ = np.uint8(0)
    for i in range(np.uint64(length)):  # all of it: many bytes at once
        differ |= text[a + i] ^ text[b + i]
    return differ == 0


@kernel
def _four(text: Bytes, at: int) -> int:
    """The number of four digits; -1 where there are others."""
    i = np.uint64(at)
    a, b, c, d = (
        np.uint8(text[i] - _ZERO), np.uint8(text[i + _1] - _ZERO),
        np.uint8(text[i + _2] - _ZERO), np.uint8(text[i + _3] - _ZERO),
    )  # fmt: skip
    if a > _NINE or b > _NINE or c > _NINE or d > _NINE:
        return -1
    return int(np.int64(a) * 1000 + np.int64(b) * 100 + np.int64(c) * 10 + np.int64(d))


@kernel
def _time(text: Bytes, at: int) -> tuple[int, int]:
    """A time in ns, and what stands behind its comma; -1 when it is none."""
    if at < 0 or at + _DIGITS >= len(text) or text[at + _DIGITS] != 44:
        return 0, -1
    out = 0
    for i in range(at, at + _DIGITS, 4):  # groups that do not wait for one another
        value = _four(text, i)
        if value < 0:
            return 0, -1
        out = out * 10_000 + value
    out *= NS_PER_US
    return (out, at + _DIGITS + 1) if is_time(out) else (0, -1)


@kernel
def _id(text: Bytes, at: int) -> tuple[int, int]:
    """A trade's number, -1 of another text, and what stands behind its comma (or -1)."""
    begin, out, natural = at, 0, True
    while at < len(text) and text[at] != 44:
        if text[at] == 10:
            return 0, -1
        natural = natural and 48 <= text[at] <= 57 and at - begin < _LONGEST_INTEGER
        if natural:
            out = out * 10 + (int(text[at]) - 48)
        at += 1
    return out if natural and at > begin else -1, at + 1


@kernel
def _word(text: Bytes, at: int, words: Words) -> tuple[int, int]:
    """What the word at a place stands for, and what stands behind its comma; -1 when it is another."""
    for n in range(len(words.length)):
        length = words.length[n]
        if at + length <= len(text):
            same = True
            for i in range(length):
                if text[at + i] != words.text[n, i]:
                    same = False
                    break
            if same:
                return words.means[n], at + length
    return 0, -1


@kernel
def _end(text: Bytes, at: int) -> int:
    """Where the next line begins, if one ends here; -1 if it goes on."""
    if at < len(text) and text[at] == 13:
        at += 1
    if at >= len(text):
        return at
    return at + 1 if text[at] == 10 else -1
