"""Channels of OKX swaps.

Exchange documentation, "WS / Order book channel" (OKX API v5): ``books`` has 400 levels, a snapshot first, then what
changed every 100 ms; a message names by ``prevSeqId`` the ``seqId`` before it; after 60 s without a change one comes
with empty sides and both numbers the last ``seqId``; after a maintenance ``seqId`` is lower than ``prevSeqId`` once.
"WS / Trades channel": the prints of one order at one price are one, with the last id and their ``count``. Sizes are in
contracts. The documentation does not say whether a level that leaves the best 400 is told as removed: here it is.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

from typing_extensions import override

from simulator.book import TextBook, parts
from simulator.connection import Connection
from simulator.depth_books import DepthBooks
from simulator.market import Print
from simulator.topic import Outlet, Topic
from simulator.trades import TradeTopic

OKX = "okx_swap"

LEVELS = 400
_INTERVAL_MS = 100
_FRAME = (
    b'{"arg":{"channel":"books","instId":"%b"},"action":"%b","data":[{"asks":[%b],"bids":[%b],"ts":"%d",'
    b'"checksum":0,"seqId":%d,"prevSeqId":%d}]}'
)
_PRINT = (
    b'{"instId":"%b","tradeId":"%d","px":"%b","sz":"%b","side":"%b","ts":"%d","count":"%d","source":"0","seqId":%d}'
)
_FIRST = -1  # `prevSeqId` of a snapshot
_AFTER_MAINTENANCE = 3

# As the exchange lists them; another symbol's is no power of ten, which the exchange may have, too.
MULTIPLIERS = {"BTC": Decimal("0.01"), "ETH": Decimal("0.1")}


def multiplier(symbol: str) -> Decimal:
    """How much of the base currency a contract is."""
    return MULTIPLIERS.get(symbol.partition("-")[0], Decimal("0.5"))


def make(symbol: str, stream: str, outlet: Outlet, silence_ms: int) -> Topic | None:
    """The channel of that name, written ``channel:instId``; ``silence_ms``: of a book, before it says that it lives."""
    if stream == f"books:{symbol}":
        return Books(symbol, stream, outlet, silence_ms)
    return Prints(symbol, stream, outlet) if stream == f"trades:{symbol}" else None


class Books(DepthBooks):
    """``books``: the best 400 levels."""

    def __init__(self, symbol: str, stream: str, outlet: Outlet, silence_ms: int) -> None:
        super().__init__(OKX, symbol, stream, outlet, LEVELS, _INTERVAL_MS)
        self._silence_ms = silence_ms
        self._told = 0  # number of the last message
        self._told_ms = 0
        self._behind = 0  # by how much numbers are smaller than those of the true book

    @override
    def begin(self, book: TextBook[Any]) -> None:
        super().begin(book)
        self._told = book.update_id - self._behind

    @override
    def tell(self) -> None:
        bids, asks = self.changes()
        if bids or asks:
            self._send(b"update", bids, asks, self.book.update_id - self._behind, self._told)

    @override
    def snapshot(self, only: Connection | None = None) -> None:
        self._send(b"snapshot", *self.book.top(self.depth), self._told, _FIRST, only)

    @override
    def resend(self) -> bool:
        self.tell()
        self.snapshot()
        return True

    def restart(self, as_delta: bool) -> bool:
        """A maintenance: the next change has a low number, and those after it go on from there."""
        self.tell()
        self._behind = self.book.update_id + 1 - _AFTER_MAINTENANCE  # the true book's next number is higher
        return True

    @override
    def on_time(self) -> None:
        if self.outlet.now_ms - self._told_ms >= self._silence_ms:
            self._send(b"update", [], [], self._told, self._told)

    def _send(
        self, kind: bytes, bids: list[bytes], asks: list[bytes], seq: int, before: int, only: Connection | None = None
    ) -> None:
        self._told, self._told_ms = seq, self.outlet.now_ms
        unit = multiplier(self.symbol)
        levels = (b",".join(_level(text, unit) for text in side) for side in (asks, bids))
        payload = _FRAME % (self.symbol.encode(), kind, *levels, self.book.time_ms, seq, before)
        name = "snapshot" if before == _FIRST else "delta"
        self.publish(payload, name, seq, self.book.update_id, self.book.time_ms, only)


class Prints(TradeTopic):
    """``trades``: the prints of one order at one price are one."""

    def __init__(self, symbol: str, stream: str, outlet: Outlet) -> None:
        super().__init__(OKX, symbol, stream, outlet)

    @override
    def on_prints(self, prints: list[Print]) -> None:
        for last, count, size in _joined(prints):
            side = b"buy" if last.side > 0 else b"sell"
            told = (last.price, contracts(size, multiplier(self.symbol)), side, last.time_ms, count, last.update_id)
            text = _PRINT % (self.symbol.encode(), last.trade_id, *told)
            payload = b'{"arg":{"channel":"trades","instId":"%b"},"data":[%b]}' % (self.symbol.encode(), text)
            self.send(payload, last.trade_id, last)


def _joined(prints: list[Print]) -> Iterator[tuple[Print, int, bytes]]:
    """Neighbours of one price and side: the last of them, how many they are, and their size together."""
    for _, group in groupby(prints, key=lambda p: (p.price, p.side)):
        same = list(group)
        yield same[-1], len(same), str(sum(Decimal(p.size.decode()) for p in same)).encode()


def _level(text: bytes, unit: Decimal) -> bytes:
    price, size = parts(text)
    return b'["%b","%b","0","1"]' % (price, contracts(size, unit))


def contracts(size: bytes, unit: Decimal) -> bytes:
    """A size in base currency as a number of contracts, exactly."""
    number = Decimal(size.decode()) / unit
    return f"{number.normalize():f}".encode() if number else b"0"
