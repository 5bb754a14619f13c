"""One instrument's tape as CSV files of Tardis.dev: ``incremental_book_L2`` and ``trades``, a file a day each.

Source: Tardis documentation, "Downloadable CSV files" (columns, times in microseconds, the files' names).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from isal.igzip import IGzipFile
from pyarrow import csv

from sources.importers.tardis_csv import BOOK_COLUMNS, TRADE_COLUMNS
from sources.tape.arrow import arrow_words, to_arrow_array
from sources.tape.batch import RESET, SNAPSHOT, TRADE, Bools, Int64s, TapeBatch
from sources.tape.layout import NS_PER_DAY, date_text

BOOK, TRADES = "incremental_book_L2", "trades"
_LEVEL = 2  # of ISA-L
_ROWS = 1 << 14  # that are made text at a time
_NS_PER_US = 1000


def file_name(exchange: str, kind: str, date: str, symbol: str) -> str:
    """Of a day's file, as Tardis' own client names it.

    >>> file_name("binance-futures", TRADES, "2024-08-08", "BTCUSDT")
    'binance-futures_trades_2024-08-08_BTCUSDT.csv.gz'
    """
    return f"{exchange}_{kind}_{date}_{symbol}.csv.gz"


class TardisWriter:
    """Writes rows of a tape in their order; call `close` when there are no more.

    A row is in the file of the latest day that had begun for its kind when it was recorded, so that files that are read
    one after the other have the order of the tape.

    Attributes:
        rows: of CSV.
        resets: rows that the format has no place for: continuity was lost.
        joined: messages that share both times with the one before, which a reader takes for one.
        passed: trades of the same microsecond as the book message behind them, which a reader puts before them.
    """

    def __init__(self, place: Callable[[str], Path], exchange: str, symbol: str) -> None:
        """Args:
        place: gives the path for a file's name.
        exchange, symbol: as Tardis writes them.
        """
        self.rows = self.resets = self.joined = self.passed = 0
        names = place, exchange, symbol
        self._book = _Series(*names, BOOK, BOOK_COLUMNS)
        self._trades = _Series(*names, TRADES, TRADE_COLUMNS)
        self._newest = 0, 0, False  # the newest book row: times, and whether it is of a snapshot
        self._closed = True  # that row ends its message
        self._pending = 0, 0  # trades since then: the latest time, µs, and how many have it
        self._number = -1  # the largest of a trade
        self._again = 0  # trades without a larger one

    def write(self, batch: TapeBatch) -> None:
        """Append rows.

        Raises:
            OSError: a file cannot be written; so in `close`.
        """
        trade, reset = batch.kind == TRADE, batch.kind == RESET
        self.resets += int(reset.sum())
        self.rows += int((~reset).sum())
        self._pass(batch, trade, ~(trade | reset))
        if trade.any():
            trades = _taken(batch, trade)
            self._trades.write(trades, [self._ids(trades.sequence), *_ending(trades, ("buy", "sell"))])
        if not (trade | reset).all():
            book = _taken(batch, ~(trade | reset))
            self._join(book)
            snapshot = to_arrow_array(book.kind == SNAPSHOT, pa.bool_())
            self._book.write(book, [snapshot, *_ending(book, ("bid", "ask"))])

    def close(self) -> None:
        """Finish the files."""
        self._book.close()
        self._trades.close()

    def abort(self) -> None:
        """Stop; the newest files are not whole."""
        self._book.abort()
        self._trades.abort()

    def _join(self, book: TapeBatch) -> None:
        """Count messages whose first row does not differ from the row before."""
        exchange_ts, receive_ts = book.exchange_ts // _NS_PER_US, book.receive_ts // _NS_PER_US
        snapshot = book.kind == SNAPSHOT
        exchange_before, receive_before, snapshot_before = self._newest
        same = np.diff(exchange_ts, prepend=exchange_before) == 0
        same &= np.diff(receive_ts, prepend=receive_before) == 0
        same &= snapshot == np.concatenate([[snapshot_before], snapshot[:-1]])
        begins = np.concatenate([[self._closed], book.last[:-1]])
        self.joined += int((same & begins).sum())
        self._newest = int(exchange_ts[-1]), int(receive_ts[-1]), bool(snapshot[-1])
        self._closed = bool(book.last[-1])

    def _pass(self, batch: TapeBatch, trade: Bools, book: Bools) -> None:
        """Count trades whose time is that of the next book row."""
        received = batch.receive_ts // _NS_PER_US
        trade_time, book_time = received[trade], received[book]
        pending, count = self._pending
        if len(book_time):
            self.passed += count if book_time[0] == pending else 0
            pending = count = 0
        behind = np.cumsum(book)[trade]  # the place of the book row behind a trade
        followed = behind < len(book_time)
        self.passed += int((book_time[behind[followed]] == trade_time[followed]).sum())
        if len(rest := trade_time[~followed]):
            latest = max(pending, int(rest.max()))
            self._pending = latest, int((rest == latest).sum()) + (count if pending == latest else 0)
        else:
            self._pending = pending, count

    def _ids(self, number: Int64s) -> pa.Array:
        """Names of trades: their numbers where these rise, else with a count behind, for a name tells who is new."""
        before = np.maximum.accumulate(np.concatenate([[self._number], number]))
        self._number = int(before[-1])
        names = to_arrow_array(number, pa.int64()).cast(pa.string())
        again = np.flatnonzero(number <= before[:-1])
        if not len(again):
            return names
        texts = names.to_pylist()
        for place in again.tolist():
            self._again += 1
            texts[place] += f"-{self._again}"
        return pa.array(texts, pa.string())


def _taken(batch: TapeBatch, mask: Bools) -> TapeBatch:
    return batch if mask.all() else TapeBatch._make(column[mask] for column in batch)


def _ending(rows: TapeBatch, words: tuple[str, str]) -> list[pa.Array]:
    """The columns behind a row's fifth: side, price and size."""
    side = pa.DictionaryArray.from_arrays(to_arrow_array((rows.side < 0).view(np.int8), pa.int8()), arrow_words(words))
    return [side, to_arrow_array(rows.price, pa.float64()), to_arrow_array(rows.size, pa.float64())]


class _Series:
    """Files of one kind, of which the newest day's is open."""

    def __init__(
        self, place: Callable[[str], Path], exchange: str, symbol: str, kind: str, columns: tuple[str, ...]
    ) -> None:
        self._place = place
        self._exchange, self._symbol, self._kind = exchange, symbol, kind
        self._columns = columns
        self._words = arrow_words([exchange]), arrow_words([symbol])
        self._received = 0  # ns, the latest
        self._day = -1
        self._files: list[BinaryIO] = []
        self._writer: Any = None

    def write(self, rows: TapeBatch, own: list[pa.Array]) -> None:
        """``own``: the columns from the fifth on."""
        zeros = to_arrow_array(np.zeros(rows.rows, np.int8), pa.int8())
        names = [pa.DictionaryArray.from_arrays(zeros, words) for words in self._words]
        times = [to_arrow_array(ts // _NS_PER_US, pa.int64()) for ts in (rows.exchange_ts, rows.receive_ts)]
        record = pa.RecordBatch.from_arrays([*names, *times, *own], list(self._columns))
        latest = np.maximum.accumulate(np.maximum(rows.receive_ts, self._received))
        self._received = int(latest[-1])
        days = latest // NS_PER_DAY
        cuts = (np.flatnonzero(np.diff(days)) + 1).tolist()
        for start, stop in zip([0, *cuts], [*cuts, rows.rows], strict=True):
            part = record.slice(start, stop - start)
            if days[start] != self._day:
                self.close()
                self._open(int(days[start]), part.schema)
            self._writer.write_batch(part)

    def _open(self, day: int, schema: pa.Schema) -> None:
        self._day = day
        path = self._place(file_name(self._exchange, self._kind, date_text(day * NS_PER_DAY), self._symbol))
        raw = path.open("wb")
        packed = IGzipFile("", "wb", _LEVEL, raw, mtime=0)
        self._files = [packed, raw]
        packed.write(",".join(self._columns).encode() + b"\n")
        options = csv.WriteOptions(include_header=False, batch_size=_ROWS, quoting_style="none")
        self._writer = csv.CSVWriter(packed, schema, write_options=options)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self.abort()

    def abort(self) -> None:
        self._writer = None
        while self._files:
            self._files.pop(0).close()
