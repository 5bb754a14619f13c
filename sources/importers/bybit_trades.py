"""Bybit's public archive of trades: CSV, gzip or plain, of USDT perpetuals.

Public trading data, ``https://public.bybit.com/trading/``: ``timestamp`` is seconds since the epoch with a fraction,
``side`` the aggressor's. The ids are no numbers, so the tape's are 0. The archive has no receive times.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.files import Progress
from sources.importers.public_csv import Opened, Row, decimal, read_rows, word
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.messages import TradeMessage
from sources.tape.batch import InstrumentBatch
from sources.venues.registry import venue

COLUMNS = ("timestamp", "symbol", "side", "size", "price")
_ID = "trdMatchID"  # not in every file

_SECONDS = re.compile(r"([0-9]{10})(?:\.([0-9]{1,9}))?", re.ASCII)
_SIDES = {"Buy": 1, "Sell": -1}
_NS_PER_S = 1_000_000_000


def read(
    paths: Sequence[Path], find_tail: FindTail, stats: ImportStats, progress: Progress, salvage: bool = False
) -> Iterator[InstrumentBatch]:
    """Rows of every instrument in the files, merged by time.

    Args:
        paths: files, in any order.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        salvage: take what stands before the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty, has another header or is of another market.
    """
    linear = venue("bybit_linear")
    run = ImportRun(linear, linear.decoder(), find_tail, stats, salvage=salvage)
    return read_rows(paths, _open, run, stats, progress)


def _open(path: Path, header: Row) -> Opened:
    if not set(COLUMNS) <= set(header):
        raise TickwaxError(f"{path}: columns {','.join(header)[:200]}: expected {','.join(COLUMNS)}")
    time, name, side, size, price = (header.index(column) for column in COLUMNS)

    unique = header.index(_ID) if _ID in header else None

    def read_row(row: Row | None) -> TradeMessage | None:
        if row is None:
            return None
        if len(row) != len(header):
            raise ValueError("another number of columns")
        symbol = row[name]
        at = _seconds(row[time])
        aggressor = word(row[side], "side", _SIDES)
        price_paid, amount = decimal(row[price], "price", allow_zero=False), decimal(row[size], "size")
        return TradeMessage(symbol, at, at, 0, aggressor, price_paid, amount, "" if unique is None else row[unique])

    return Opened(read_row, headed=True, book=False)


def _seconds(text: str) -> int:
    """Nanoseconds, exactly."""
    parts = _SECONDS.fullmatch(text)
    if parts is None:
        raise ValueError("timestamp is no time in seconds")
    return int(parts[1]) * _NS_PER_S + int((parts[2] or "").ljust(9, "0"))
