"""Bybit's public archive of trades: CSV, gzip or plain, of USDT perpetuals.

Public trading data, ``https://public.bybit.com/trading/``: ``timestamp`` is seconds since the epoch with a fraction,
``side`` the aggressor's. The ids are no numbers, so the tape's are 0. The archive has no receive times.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sources.errors import TickwaxError
from sources.importers import csv_fields as csv
from sources.importers.csv_fields import Fields
from sources.importers.files import Progress
from sources.importers.merging import record_in_order
from sources.importers.names import Bits, name_bits
from sources.importers.public_csv import Check, Layout, Row, Table, ahead, tables
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.tape.batch import TRADE, Float64s, InstrumentBatch, Int8s, Int64s, TapeBatch
from sources.tape.bounds import is_time
from sources.venues.registry import venue

COLUMNS = ("timestamp", "symbol", "side", "size", "price")
_ID = "trdMatchID"  # not in every file
_TIME, _SYMBOL, _SIDE, _SIZE, _PRICE, _NAME = range(6)

_SIDES = {"Buy": 1, "Sell": -1}


class Prints(NamedTuple):
    """Rows of trades, shape ``(rows,)`` each."""

    # Rows at which the symbol is another, or that are to be taken by themselves, and those behind them; the first one.
    breaks: list[int]
    symbols: dict[int, str]  # by such a row, as far as they were asked for
    fields: Fields
    side: Int8s
    price: Float64s
    size: Float64s
    names: Bits | None  # if the rows have ids


class Part(NamedTuple):
    """Consecutive rows of a file."""

    run: ImportRun
    table: Table
    rows: TapeBatch  # the same as of a tape, without ordinals; what is no print means nothing

    @property
    def key(self) -> Int64s:
        """The latest time of the file up to each row."""
        return self.table.key

    def record(self, start: int, stop: int) -> None:
        """Record the rows ``start:stop``."""
        if self.table.damage is not None:
            self.run.end(self.table.damage)
            return
        breaks = self.table.columns.breaks
        # Not NumPy's search: it lets the GIL go, and waits for the thread that reads ahead.
        first = bisect_right(breaks, start)
        inside = breaks[first : bisect_left(breaks, stop)]
        for n, (a, b) in enumerate(pairwise([start, *inside, stop])):
            self._record(a, b, breaks[first - 1 + n])

    def _record(self, start: int, stop: int, begin: int) -> None:
        """Record rows of one symbol, which begins at the row ``begin``; or one row that is no print."""
        prints: Prints = self.table.columns
        stats = self.run.stats
        stats.frames += stop - start
        if start in self.table.bad:
            self.run.apply([self.table.bad[start]], lambda _: self.table.where(start))
            return
        if prints.size[start] == 0.0:
            stats.ignored["print of size 0"] += 1
            return
        symbol = prints.symbols.get(begin)
        if symbol is None:
            symbol = prints.symbols[begin] = prints.fields.of(_SYMBOL, start).decode("utf-8", "replace")
        self.run.add_prints(symbol, self.rows, start, stop, prints.names)


def read(
    paths: Sequence[Path], find_tail: FindTail, stats: ImportStats, progress: Progress, salvage: bool = False
) -> Iterator[InstrumentBatch]:
    """Rows of every instrument in the files, merged by time.

    Args:
        paths: files, in any order.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        salvage: take what stands before and behind the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty, has another header or is of another market.
    """
    linear = venue("bybit_linear")
    run = ImportRun(linear, linear.decoder(), find_tail, stats, salvage=salvage)
    yield from record_in_order(ahead([parts(path, run, progress) for path in paths]), run)


def parts(path: Path, run: ImportRun, progress: Progress) -> Generator[Part, None, None]:
    """The rows of a file of trades.

    Raises:
        TickwaxError: as of `read`.
    """
    for table in tables(path, _open, run, progress):
        yield Part(run, table, _tape_rows(table))


def _tape_rows(table: Table) -> TapeBatch:
    prints: Prints | None = table.columns
    count = len(table.line)
    zeros, real, code = np.zeros(count, np.int64), np.zeros(count), np.zeros(count, np.int8)
    return TapeBatch(
        ordinal=zeros,
        exchange_ts=table.exchange_ts,
        receive_ts=table.exchange_ts,
        sequence=zeros,
        kind=np.full(count, TRADE, np.int8),
        side=code if prints is None else prints.side,
        price=real if prints is None else prints.price,
        size=real if prints is None else prints.size,
        last=np.ones(count, np.bool_),
    )


def _open(path: Path, header: Row) -> Layout:
    if not set(COLUMNS) <= set(header):
        raise TickwaxError(f"{path}: columns {','.join(header)[:200]}: expected {','.join(COLUMNS)}")
    named = _ID in header
    wanted = tuple(header.index(column) for column in (*COLUMNS, *([_ID] if named else [])))
    return Layout(len(header), wanted, headed=True, book=False, read=partial(_read, named=named))


def _read(fields: Fields, named: bool) -> tuple[Prints, Int64s, list[Check]]:
    time = csv.seconds(fields, _TIME)
    side = csv.words(fields, _SIDE, _SIDES, 0)
    price, priced = csv.decimals(fields, _PRICE, allow_zero=False)
    size, sized = csv.decimals(fields, _SIZE, allow_zero=True)
    checks: list[Check] = [
        (time >= 0, "timestamp is no time in seconds"),
        (side != 0, f"side is none of {', '.join(_SIDES)}"),
        (priced, "price is no decimal above 0"),
        (sized, "size is no decimal of at least 0"),
    ]
    good = np.logical_and.reduce([passed for passed, _ in checks]) & is_time(time) & ~fields.torn
    alone = ~good | (size == 0.0)
    breaks = csv.changes(fields, _SYMBOL) | alone
    breaks[1:] |= alone[:-1]
    names = name_bits(fields.text, fields.start[_NAME], fields.stop[_NAME]) if named else None
    return Prints(np.flatnonzero(breaks).tolist(), {}, fields, side.astype(np.int8), price, size, names), time, checks
