"""Text of Tardis.dev's CSV files to columns in one pass, where nothing is unusual.

The kernels take a text whose every row has all columns, in the order in which Tardis writes them, and values with which
nothing is wrong. Any other text is left to `tardis_csv`, which alone decides what is wrong with which row. They are
here for their speed: 300 000 rows of ``incremental_book_L2`` take 27 ms of a processor so, and 83 ms column by column.
"""

from collections.abc import Sequence

import numpy as np

from sources.importers.names import name_bits
from sources.importers.tardis_block import COMMON, Block
from sources.importers.tardis_instruments import Instruments
from sources.importers.tardis_kernels import LONGEST_WORD, Lines, Words, read_books, read_rows
from sources.tape.batch import Int64s

_SIDES = ((b"bid,", 1), (b"ask,", -1)), ((b"buy,", 1), (b"sell,", -1), (b"unknown,", 0))


def _words(meaning: tuple[tuple[bytes, int], ...]) -> Words:
    text = np.array([list(word.ljust(LONGEST_WORD, b"\0")) for word, _ in meaning], np.uint8)
    return Words(text, np.array([len(word) for word, _ in meaning]), np.array([means for _, means in meaning]))


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
    if not read_rows(characters, trades, words, _FLAGS, lines, side, flag, price, size, trade_id, start, stop):
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
    rows = read_books(characters, amount, place, lines, side, price, size, of_line, prices, sizes)
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


def _room(text: bytes) -> Lines:
    count = int(np.count_nonzero(np.frombuffer(text, np.uint8) == 10)) + (not text.endswith(b"\n"))
    begin, exchange_ts, receive_ts = (np.empty(count, np.int64) for _ in range(3))
    return Lines(begin, np.empty(count, np.bool_), exchange_ts, receive_ts)


def _instruments(text: bytes, lines: Lines, instruments: Instruments) -> Int64s:
    places = np.flatnonzero(lines.changed)
    met: list[int] = []
    for at in lines.begin[places].tolist():
        middle = text.index(b",", at)
        met.append(instruments.number(text[at:middle], text[middle + 1 : text.index(b",", middle + 1)]))
    return np.array(met)[np.cumsum(lines.changed) - 1]
