"""Binance's public data: trades, aggregate trades and T_DEPTH book updates; CSV, alone or in a zip.

Layouts: ``https://github.com/binance/binance-public-data``. Older files have no header; times are milliseconds, in spot
files from 2025 on microseconds. Files of one symbol do not name it. There are no receive times.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sources.errors import TickwaxError
from sources.importers.files import Progress
from sources.importers.public_csv import Opened, Row, decimal, natural, read_rows, word
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.importers.venues import named_instrument
from sources.instrument import Instrument
from sources.messages import BookMessage, TradeMessage
from sources.tape.batch import DELTA, SNAPSHOT, InstrumentBatch
from sources.tape.builder import Levels
from sources.venues.registry import venue

MARKETS = {"um": "binance_futures", "spot": "binance_spot"}
DEPTH_COLUMNS = (
    "symbol", "timestamp", "first_update_id", "last_update_id", "side", "update_type", "price", "qty", "pu",
)  # fmt: skip

_SIDES = {"b": 1, "a": -1}
_KINDS = {"set": DELTA, "snap": SNAPSHOT}
_MAKER = {"true": -1, "True": -1, "false": 1, "False": 1}  # the buyer is the maker: the seller was the aggressor
_NS = {13: 1_000_000, 16: 1_000}  # by digits of a time
_NAMED = re.compile(r"([A-Z0-9_]+)-(?:aggTrades|trades)-")


class _Prints(NamedTuple):
    """A layout of prints: the number of columns, and the places of the time and of who made the price."""

    what: str
    columns: int
    first: str  # name of the first column
    time: int
    maker: int
    stream: str  # the same prints live
    trades: tuple[int, int]  # places of the numbers of the first and last trade


_LAYOUTS = {
    "um": (
        _Prints("trades", 6, "id", 4, 5, "trade", (0, 0)),
        _Prints("aggTrades", 7, "agg_trade_id", 5, 6, "aggTrade", (3, 4)),
    ),
    "spot": (
        _Prints("trades", 7, "id", 4, 5, "trade", (0, 0)),
        _Prints("aggTrades", 8, "agg_trade_id", 5, 6, "aggTrade", (3, 4)),
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
        salvage: take what stands before the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty, or is of another market, symbol or layout.
    """
    instrument_of(symbol, market)
    of = venue(MARKETS[market])
    run = ImportRun(of, of.decoder(), find_tail, stats, symbol=symbol, salvage=salvage)
    run.handler(symbol)
    return read_rows(paths, partial(_open, symbol=symbol, market=market), run, stats, progress)


def instrument_of(symbol: str, market: str) -> Instrument:
    """The instrument of a symbol of a market.

    Raises:
        TickwaxError: there is no such market, or the symbol is of another.
    """
    if market not in MARKETS:
        raise TickwaxError(f"--market: {market!r} is not imported, only {' and '.join(MARKETS)} are")
    return named_instrument(f"{MARKETS[market]}:{symbol}")


def _open(path: Path, first: Row, symbol: str, market: str) -> Opened:
    named = _NAMED.match(path.name)
    if named and named[1] != symbol:
        raise TickwaxError(f"{path}: is of {named[1]}, not of {symbol}")
    if tuple(first) == DEPTH_COLUMNS:
        if market != "um":
            raise TickwaxError(f"{path}: T_DEPTH is of futures; say --market um")
        return Opened(_Depth(symbol), headed=True, book=True)
    fits: list[str] = []
    for of, layouts in _LAYOUTS.items():
        for layout in layouts:
            headed = first[0].lower() == layout.first
            if len(first) != layout.columns or not (headed or _is_row(layout, first, symbol)):
                continue
            if of == market:
                return Opened(partial(_print, layout, symbol), headed, book=False)
            fits.append(f"{layout.what} of {of}")
    hint = f"; it is as in {' and '.join(fits)}" if fits else ""
    raise TickwaxError(
        f"{path}: first row {','.join(first)[:120]}: expected trades or aggTrades of market {market}, or T_DEPTH{hint}"
    )


def _is_row(layout: _Prints, row: Row, symbol: str) -> bool:
    try:
        _print(layout, symbol, row)
    except ValueError:
        return False
    return True


def _print(layout: _Prints, symbol: str, row: Row | None) -> TradeMessage | None:
    if row is None:
        return None
    if len(row) != layout.columns:
        raise ValueError("another number of columns")
    at = _time(row[layout.time])
    first, final = (natural(row[place], "a trade's number") for place in layout.trades)
    return TradeMessage(
        symbol,
        at,
        at,
        natural(row[0], layout.first),
        word(row[layout.maker], "is_buyer_maker", _MAKER),
        decimal(row[1], "price", allow_zero=False),
        decimal(row[2], "quantity"),
        stream=layout.stream,
        first=first,
        final=final,
    )


class _Depth:
    """Rows of T_DEPTH: those of one update, one after the other, are a message."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._head: tuple[int, int, int, int, int] | None = None  # kind, time, numbers
        self._levels: list[tuple[int, float, float]] = []

    def __call__(self, row: Row | None) -> BookMessage | None:
        """The message before, when the row begins another."""
        if row is None:
            return self._take(None)
        try:
            head, level = self._parse(row)
        except ValueError:
            self._head, self._levels = None, []  # its other levels would not be the whole message
            raise
        made = self._take(head) if head != self._head else None
        self._levels.append(level)
        return made

    def _parse(self, row: Row) -> tuple[tuple[int, int, int, int, int], tuple[int, float, float]]:
        if len(row) != len(DEPTH_COLUMNS):
            raise ValueError("another number of columns")
        symbol, time, first, final, side, kind, price, size, previous = row
        if symbol != self._symbol:
            raise ValueError(f"symbol is not {self._symbol}")
        what = word(kind, "update_type", _KINDS)
        last = natural(final, "last_update_id")
        snapshot = what == SNAPSHOT
        numbers = (last, last, -1) if snapshot else (natural(first, "first_update_id"), last, natural(previous, "pu"))
        level = word(side, "side", _SIDES), decimal(price, "price", allow_zero=False), decimal(size, "qty")
        return (what, _time(time), *numbers), level

    def _take(self, head: tuple[int, int, int, int, int] | None) -> BookMessage | None:
        before, levels = self._head, self._levels
        self._head, self._levels = head, []
        if before is None:
            return None
        side, price, size = zip(*levels, strict=True)
        of = Levels(np.array(side, np.int8), np.array(price, np.float64), np.array(size, np.float64))
        kind, at, first, final, previous = before
        return BookMessage(self._symbol, kind, at, at, first, final, previous, of)


def _time(text: str) -> int:
    if len(text) not in _NS:
        raise ValueError("the time is none in milliseconds or microseconds")
    return natural(text, "the time") * _NS[len(text)]
