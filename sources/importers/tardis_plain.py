"""Text of Tardis.dev's CSV files to columns in one pass, where nothing is unusual.

The kernels take a text whose every row has all columns, in the order in which Tardis writes them, and values with which
nothing is wrong. Any other text is left to `tardis_csv`, which alone decides what is wrong with which row. They are
here for their speed: 300 000 rows of ``incremental_book_L2`` take 27 ms of a processor so, and 83 ms column by column.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sources.clock import MAX_AHEAD_NS
from sources.decimals import number
from sources.importers.csv_fields import Bytes
from sources.importers.names import name_bits
from sources.importers.tardis_block import COMMON, Block
from sources.importers.tardis_instruments import Instruments
from sources.jit import KernelCache
from sources.messages import NS_PER_US
from sources.tape.batch import Bools, Float64s, Int8s, Int64s
from sources.tape.bounds import is_price, is_size, is_time

# 300 000 rows took 35 ms with kernels of this kind, and 59 to 65 ms with those of the other modules.
_CACHE = KernelCache(
    "tardis", "sources/importers/tardis_plain.py", "sources/decimals.py", "sources/tape/bounds.py", "sources/jit.py",
    allocates=False, inlined=True,
)  # fmt: skip
kernel = _CACHE.kernel

_DIGITS = 16  # of a time in microseconds
_TIMES = 2 * (_DIGITS + 1)  # bytes of two of them, each with its comma
_LONGEST_INTEGER = 18  # digits; as of `csv_fields.naturals`
_SIDES = ((b"bid,", 1), (b"ask,", -1)), ((b"buy,", 1), (b"sell,", -1), (b"unknown,", 0))
_LONGEST_WORD = 8
_ZERO, _NINE = np.uint8(48), np.uint8(9)
_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)  # places are unsigned: none is counted from the end


class _Words(NamedTuple):
    """Words and what they stand for, each with the comma behind it."""

    text: Bytes  # (words, _LONGEST_WORD)
    length: Int64s
    means: Int64s


class _Lines(NamedTuple):
    """What is of every line, shape ``(lines,)`` each."""

    begin: Int64s  # of the exchange's name
    changed: Bools  # exchange or symbol are others than in the line before; true of the first
    exchange_ts: Int64s  # ns
    receive_ts: Int64s


def _words(meaning: tuple[tuple[bytes, int], ...]) -> _Words:
    text = np.array([list(word.ljust(_LONGEST_WORD, b"\0")) for word, _ in meaning], np.uint8)
    return _Words(text, np.array([len(word) for word, _ in meaning]), np.array([means for _, means in meaning]))


_OF_BOOKS, _OF_TRADES, _FLAGS = _words(_SIDES[0]), _words(_SIDES[1]), _words(((b"true,", 1), (b"false,", 0)))


def plain_rows(text: bytes, trades: bool, line: int, instruments: Instruments) -> Block | None:
    """Rows that are a level or a print each; None where any is unusual.

    Args:
        text: whole lines, the last of which may lack its end.
        trades: whether they are prints.
        line: number of the first line in the file.
        instruments: gets those that are new.
    """
    characters = np.frombuffer(text, np.uint8)
    lines = _room(text)
    count = len(lines.begin)
    side, flag, price, size = np.empty(count, np.int8), np.empty(count, np.bool_), np.empty(count), np.empty(count)
    trade_id, start, stop = (np.empty(count if trades else 0, np.int64) for _ in range(3))
    words = _OF_TRADES if trades else _OF_BOOKS
    if not _rows(characters, trades, words, _FLAGS, lines, side, flag, price, size, trade_id, start, stop):
        return None
    name = np.zeros((count, 2), np.uint64)
    if trades and (named := np.flatnonzero(trade_id < 0)).size:
        name[named] = name_bits(characters, start[named], stop[named])
    zeros = np.zeros(count, np.int64)
    return Block(
        number=np.arange(line, line + count),
        instrument=_instruments(text, lines, instruments),
        trade=np.full(count, trades),
        snapshot=np.zeros(count, np.bool_) if trades else flag,
        exchange_ts=lines.exchange_ts,
        receive_ts=lines.receive_ts,
        side=side,
        price=price,
        size=size,
        trade_id=trade_id if trades else zeros,
        name=name,
        fault=zeros,
    )


def plain_books(text: bytes, levels: list[tuple[bool, int]], line: int, instruments: Instruments) -> Block | None:
    """Rows of whole books, each level as a row; None where any is unusual.

    Args:
        text: as of `plain_rows`.
        levels: of every column behind the four common ones whether it is an amount, and of which level, bids first.
        line: as of `plain_rows`.
        instruments: get those that are new, and how many levels their books are cut to.
    """
    lines = _room(text)
    room = len(lines.begin) * len(levels) // 2
    side, price, size, of_line = np.empty(room, np.int8), np.empty(room), np.empty(room), np.empty(room, np.int64)
    amount, place = np.array([amount for amount, _ in levels]), np.array([level for _, level in levels])
    characters, prices, sizes = np.frombuffer(text, np.uint8), np.empty(len(place) // 2), np.empty(len(place) // 2)
    rows = _books(characters, amount, place, lines, side, price, size, of_line, prices, sizes)
    if rows <= 0 or of_line[rows - 1] + 1 < len(lines.begin):  # nothing of the last line would be told
        return None
    instrument = _instruments(text, lines, instruments)
    for met in set(instrument.tolist()):
        instruments.cut(met, len(levels) // 4)
    at = of_line[:rows]
    zeros = np.zeros(rows, np.int64)
    return Block(
        number=at + line,
        instrument=instrument[at],
        trade=np.zeros(rows, np.bool_),
        snapshot=np.ones(rows, np.bool_),
        exchange_ts=lines.exchange_ts[at],
        receive_ts=lines.receive_ts[at],
        side=side[:rows],
        price=price[:rows],
        size=size[:rows],
        trade_id=zeros,
        name=np.zeros((rows, 2), np.uint64),
        fault=zeros,
    )


def level_columns(names: Sequence[str], levels: int) -> list[tuple[bool, int]]:
    """The columns of a file of whole books, as `plain_books` takes them; none of a file with others among them."""
    place: dict[str, tuple[bool, int]] = {}
    for level in range(2 * levels):
        of = f"{'bids' if level < levels else 'asks'}[{level % levels}]"
        place |= {f"{of}.price": (False, level), f"{of}.amount": (True, level)}
    wide = names[len(COMMON) :]
    return [place[name] for name in wide] if (*COMMON, *sorted(wide)) == (*names[:4], *sorted(place)) else []


def _room(text: bytes) -> _Lines:
    count = int(np.count_nonzero(np.frombuffer(text, np.uint8) == 10)) + (not text.endswith(b"\n"))
    begin, exchange_ts, receive_ts = (np.empty(count, np.int64) for _ in range(3))
    return _Lines(begin, np.empty(count, np.bool_), exchange_ts, receive_ts)


def _instruments(text: bytes, lines: _Lines, instruments: Instruments) -> Int64s:
    places = np.flatnonzero(lines.changed)
    met: list[int] = []
    for at in lines.begin[places].tolist():
        middle = text.index(b",", at)
        met.append(instruments.number(text[at:middle], text[middle + 1 : text.index(b",", middle + 1)]))
    return np.array(met)[np.cumsum(lines.changed) - 1]


@_CACHE.entry_kernel
def _rows(
    text: Bytes, trades: bool, sides: _Words, flags: _Words, lines: _Lines, side: Int8s, flag: Bools,
    price: Float64s, size: Float64s, trade_id: Int64s, start: Int64s, stop: Int64s,
) -> bool:  # fmt: skip
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
def _books(
    text: Bytes, amount: Bools, place: Int64s, lines: _Lines, side: Int8s, price: Float64s, size: Float64s,
    of_line: Int64s, prices: Float64s, sizes: Float64s,
) -> int:  # fmt: skip
    """``prices``, ``sizes``: room for those of a line; below 0 where there is none."""
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
def _head(text: Bytes, at: int, name: int, length: int, lines: _Lines, row: int) -> tuple[int, int]:
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
def _word(text: Bytes, at: int, words: _Words) -> tuple[int, int]:
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
