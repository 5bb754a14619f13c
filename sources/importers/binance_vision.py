"""Binance's public data: trades, aggregate trades and T_DEPTH book updates; CSV, alone or in a zip.

Prints: ``https://github.com/binance/binance-public-data``. Older files have no header; times are milliseconds, in spot
files from 2025 on microseconds. T_DEPTH: Binance's help page "Binance Futures Order Book Historical Data". Files of
prints do not name their symbol. There are no receive times.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sources.errors import TickwaxError
from sources.importers import csv_fields as csv
from sources.importers import table_frames as framing
from sources.importers.bulk import message, record
from sources.importers.csv_fields import Fields, split_fields
from sources.importers.files import DamagedFile, Progress
from sources.importers.frames import AGGREGATE, PRINT
from sources.importers.merging import rounds
from sources.importers.public_csv import Check, Layout, Row, ahead, tables
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.importers.table_frames import DepthColumns, PrintColumns, TableFrames
from sources.importers.venues import named_instrument
from sources.instrument import Instrument
from sources.messages import NS_PER_MS, NS_PER_US, BookMessage
from sources.sequencer import DiffSequencer
from sources.tape.batch import DELTA, SNAPSHOT, InstrumentBatch, Int64s
from sources.tape.bounds import is_time
from sources.venues.registry import venue

MARKETS = {"um": "binance_futures", "spot": "binance_spot"}
DEPTH_COLUMNS = (
    "symbol", "timestamp", "first_update_id", "last_update_id", "side", "update_type", "price", "qty", "pu",
)  # fmt: skip

_SIDES = {"b": 1, "a": -1}
_KINDS = {"set": DELTA, "snap": SNAPSHOT}
_MAKER = {"true": -1, "True": -1, "false": 1, "False": 1}  # the buyer is the maker: the seller was the aggressor
_MILLIS, _MICROS = 13, 16  # digits of a time
_NAMED = re.compile(r"([A-Z0-9_]+)-(?:aggTrades|trades)-")
_ID, _PRICE, _SIZE, _TIME, _BUYER, _FIRST, _FINAL = range(7)  # columns of prints, as they are asked for


class _Prints(NamedTuple):
    """A layout of prints: the number of columns, and the places of the time and of who made the price."""

    name: str
    columns: int
    first: str  # name of the first column
    time: int
    maker: int
    what: int  # the same prints live
    trades: tuple[int, int]  # places of the numbers of the first and last trade


_LAYOUTS = {
    "um": (
        _Prints("trades", 6, "id", 4, 5, PRINT, (0, 0)),
        _Prints("aggTrades", 7, "agg_trade_id", 5, 6, AGGREGATE, (3, 4)),
    ),
    "spot": (
        _Prints("trades", 7, "id", 4, 5, PRINT, (0, 0)),
        _Prints("aggTrades", 8, "agg_trade_id", 5, 6, AGGREGATE, (3, 4)),
    ),
}


def read(
    paths: Sequence[Path],
    find_tail: FindTail,
    stats: ImportStats,
    progress: Progress,
    symbol: str,
    market: str = "um",
    salvage: bool = False,
) -> Iterator[InstrumentBatch]:
    """Rows of one instrument, the files merged by time.

    Args:
        paths: files, in any order.
        find_tail: what the rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        symbol: of the files.
        market: of the files, one of `MARKETS`.
        salvage: take what stands before and behind the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty, or is of another market, symbol or layout.
    """
    instrument_of(symbol, market)
    of = venue(MARKETS[market])
    run = ImportRun(of, of.decoder(), find_tail, stats, symbol=symbol, salvage=salvage)
    run.handler(symbol)
    files = ahead([_frames(path, partial(_open, symbol=symbol, market=market), run, progress) for path in paths])
    try:
        for segments in rounds(files):
            _record(framing.merge(segments), run, symbol)
            yield from run.take()
    except DamagedFile:
        yield from run.take()
        raise
    run.finish()


def instrument_of(symbol: str, market: str) -> Instrument:
    """The instrument of a symbol of a market.

    Raises:
        TickwaxError: there is no such market, or the symbol is of another.
    """
    if market not in MARKETS:
        raise TickwaxError(f"--market: {market!r} is not imported, only {' and '.join(MARKETS)} are")
    return named_instrument(f"{MARKETS[market]}:{symbol}")


def _frames(path: Path, opener: partial[Layout], run: ImportRun, progress: Progress) -> Generator[TableFrames]:
    rows = tables(path, opener, run, progress)
    first = next(rows, None)
    if first is None:  # a header alone
        return
    both = chain((first,), rows)
    if isinstance(first.columns, DepthColumns):
        yield from framing.depth_frames(both)
        return
    for table in both:
        yield framing.end_frame(table) if table.damage is not None else framing.print_frames(table)


def _record(part: TableFrames, run: ImportRun, symbol: str) -> None:
    handler = run.handler(symbol)
    assert handler is not None
    assert isinstance(handler.sequencer, DiffSequencer)
    frames = part.frames

    def apply(start: int, stop: int) -> None:
        run.apply([message(frames, n, symbol, "") for n in range(start, stop)], lambda n: part.where(start + n))

    def decode(start: int, stop: int) -> None:
        for frame in range(start, stop):
            _odd(part, frame, run, symbol)

    run.stats.frames += int(frames.good.sum())
    run.count(symbol, *record(handler, handler.sequencer, frames, decode, apply))


def _odd(part: TableFrames, frame: int, run: ImportRun, symbol: str) -> None:
    """Record a frame that continues nothing."""
    state, table = part.state[frame], part.tables[int(part.table[frame])]
    if state == framing.DAMAGED:
        assert table.damage is not None
        run.end(table.damage)
    elif state == framing.BAD:
        start = int(part.at[frame])
        rows = int(part.frames.row[frame + 1] - part.frames.row[frame])
        for row in range(start, start + rows):
            if row in table.bad:
                run.stats.frames += 1
                run.apply([table.bad[row]], lambda _, row=row: table.where(row))  # type: ignore[misc]
    elif state != framing.SPOILED:
        run.stats.frames += 1
        if state == framing.EMPTY:
            run.stats.ignored["print of size 0"] += 1
        else:
            book = message(part.frames._replace(delta=np.ones_like(part.frames.delta)), frame, symbol, "")
            assert isinstance(book, BookMessage)
            book.kind = SNAPSHOT
            run.apply([book], lambda _: part.where(frame))


def _open(path: Path, first: Row, symbol: str, market: str) -> Layout:
    named = _NAMED.match(path.name)
    if named and named[1] != symbol:
        raise TickwaxError(f"{path}: is of {named[1]}, not of {symbol}")
    headed = tuple(first) == DEPTH_COLUMNS
    depth = Layout(
        len(DEPTH_COLUMNS), tuple(range(9)), headed, book=True, read=partial(_depth, symbol=symbol),
        one=(0, _of_another(symbol)),
    )  # fmt: skip
    if headed or _fits(depth, first):
        if market != "um":
            raise TickwaxError(f"{path}: T_DEPTH is of futures; say --market um")
        return depth
    fits: list[str] = []
    for of, layouts in _LAYOUTS.items():
        for layout in layouts:
            wanted = (0, 1, 2, layout.time, layout.maker, *layout.trades)
            headed = first[0].lower() == layout.first
            file = Layout(layout.columns, wanted, headed, book=False, read=partial(_print, layout))
            if len(first) != layout.columns or not (headed or _fits(file, first)):
                continue
            if of == market:
                return file
            fits.append(f"{layout.name} of {of}")
    hint = f"; it is as in {' and '.join(fits)}" if fits else ""
    raise TickwaxError(
        f"{path}: first row {','.join(first)[:120]}: expected trades or aggTrades of market {market}, or T_DEPTH{hint}"
    )


def _fits(layout: Layout, row: Row) -> bool:
    """Whether a row is one of a layout."""
    if len(row) != layout.columns:
        return False
    fields = split_fields(",".join(row).encode(), layout.columns, layout.wanted)
    _, time, checks = layout.read(fields)
    return fields.rows == 1 and all(passed.all() for passed, _ in checks) and bool(is_time(time).all())


def _print(layout: _Prints, fields: Fields) -> tuple[PrintColumns, Int64s, list[Check]]:
    time, timed = _times(fields, _TIME)
    trade_id, first, final = (csv.naturals(fields, column) for column in (_ID, _FIRST, _FINAL))
    side = csv.words(fields, _BUYER, _MAKER, 0)
    price, priced = csv.decimals(fields, _PRICE, allow_zero=False)
    size, sized = csv.decimals(fields, _SIZE, allow_zero=True)
    columns = PrintColumns(layout.what, trade_id, first, final, side.astype(np.int8), price, size)
    return columns, time, [
        timed,
        ((first >= 0) & (final >= 0), "a trade's number is no integer of at least 0"),
        (trade_id >= 0, f"{layout.first} is no integer of at least 0"),
        (side != 0, f"is_buyer_maker is none of {', '.join(_MAKER)}"),
        (priced, "price is no decimal above 0"),
        (sized, "quantity is no decimal of at least 0"),
    ]  # fmt: skip


def _depth(fields: Fields, symbol: str) -> tuple[DepthColumns, Int64s, list[Check]]:
    name, at, first, last, side, kind, price, size, before = range(9)
    time, timed = _times(fields, at)
    kinds = csv.words(fields, kind, _KINDS, -1)
    delta = kinds != SNAPSHOT
    final = csv.naturals(fields, last)
    opening, previous = (np.where(delta, csv.naturals(fields, column), final) for column in (first, before))
    sides = csv.words(fields, side, _SIDES, 0)
    prices, priced = csv.decimals(fields, price, allow_zero=False)
    sizes, sized = csv.decimals(fields, size, allow_zero=True)
    checks = [
        (csv.words(fields, name, {symbol: 1}, 0) == 1, _of_another(symbol)),
        (kinds >= 0, f"update_type is none of {', '.join(_KINDS)}"),
        (final >= 0, "last_update_id is no integer of at least 0"),
        (opening >= 0, "first_update_id is no integer of at least 0"),
        (previous >= 0, "pu is no integer of at least 0"),
        (sides != 0, f"side is none of {', '.join(_SIDES)}"),
        (priced, "price is no decimal above 0"),
        (sized, "qty is no decimal of at least 0"),
        timed,
    ]
    previous = np.where(delta, previous, -1)
    return DepthColumns(kinds, opening, final, previous, sides.astype(np.int8), prices, sizes), time, checks


def _of_another(symbol: str) -> str:
    return f"symbol is not {symbol}"


def _times(fields: Fields, column: int) -> tuple[Int64s, Check]:
    """Times in ns; what is too large for 64 bits comes out negative."""
    digits = fields.stop[column] - fields.start[column]
    number = csv.naturals(fields, column)
    good = (number >= 0) & ((digits == _MILLIS) | (digits == _MICROS))
    time = number * np.where(digits == _MILLIS, NS_PER_MS, NS_PER_US)
    return time, (good, "the time is none in milliseconds or microseconds")
