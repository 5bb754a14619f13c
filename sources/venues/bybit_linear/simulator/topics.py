"""Topics of Bybit V5 linear.

Exchange documentation, "Orderbook": ``orderbook.{1,50,200,1000}.SYM`` every 10, 20, 100 and 200 ms; a snapshot first,
which may come again at any time, then deltas with ``u`` one higher each; ``u == 1`` is a snapshot after a restart of
the service; depth 1 sends snapshots only, and the same one again after 3 s without change. "Trade":
``publicTrade.SYM``, up to 1024 prints a message. The order of keys differs between topics.
"""

import re
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from simulator.book import TextBook
from simulator.connection import Connection
from simulator.depth_books import DepthBooks
from simulator.derivatives import DerivativeMarket, Liquidation
from simulator.liquidations import LiquidationTopic
from simulator.market import Print
from simulator.topic import Outlet, Topic
from simulator.trades import TradeTopic
from synthetic.derivatives import HOURS, next_funding_ms

BYBIT = "bybit_linear"

_BOOK = re.compile(r"orderbook\.(1|50|200|1000)\.(.+)")
_INTERVALS_MS = {1: 10, 50: 20, 200: 100, 1000: 200}
_TICKER_MS = 100
_SAME_AGAIN_MS = 3000
_SKIPPED = 1000  # numbers that pass while nobody listens
_RESTARTED = 1
_KEYS = {  # the others have `ts` before `type`
    50: b'{"topic":"%b","type":"%b","ts":%d,"data":{"s":"%b","b":[%b],"a":[%b],"u":%d,"seq":%d},"cts":%d}',
    1000: b'{"topic":"%b","type":"%b","ts":%d,"data":{"s":"%b","b":[%b],"a":[%b],"u":%d,"seq":%d},"cts":%d}',
}
_TYPE_LAST = b'{"topic":"%b","ts":%d,"type":"%b","data":{"s":"%b","b":[%b],"a":[%b],"u":%d,"seq":%d},"cts":%d}'


def symbol_of(topic: str) -> str | None:
    """The symbol of a topic that exists, whether or not it trades."""
    if match := _BOOK.fullmatch(topic):
        return match[2]
    kind, _, symbol = topic.partition(".")
    return symbol if kind in ("publicTrade", "tickers", "allLiquidation") and symbol else None


def make(symbol: str, stream: str, outlet: Outlet, start_ms: int, block_trades_every: int = 0) -> Topic | None:
    """The topic of that name; ``start_ms``, when the service started, is where ``u`` counts from."""
    if match := _BOOK.fullmatch(stream):
        return Books(symbol, stream, outlet, int(match[1]), start_ms // 100)
    if stream.startswith("tickers."):
        return Tickers(BYBIT, symbol, stream, outlet)
    if stream.startswith("allLiquidation."):
        return Liquidations(BYBIT, symbol, stream, outlet)
    if not stream.startswith("publicTrade."):
        return None
    prints = Prints(BYBIT, symbol, stream, outlet)
    prints.block_trades_every = block_trades_every
    return prints


class Books(DepthBooks):
    """``orderbook.N.SYM``: the best N levels."""

    def __init__(self, symbol: str, stream: str, outlet: Outlet, depth: int, first_u: int) -> None:
        super().__init__(BYBIT, symbol, stream, outlet, depth, _INTERVALS_MS[depth])
        self._u = first_u
        self._told_ms = 0
        self._told_at = (0, 0)  # number and time of the last change that was told
        self._best: tuple[list[bytes], list[bytes]] = ([], [])

    @override
    def begin(self, book: TextBook[Any]) -> None:
        self._u += _SKIPPED
        super().begin(book)

    @override
    def on_time(self) -> None:
        if self.depth == 1 and self.outlet.now_ms - self._told_ms >= _SAME_AGAIN_MS:
            bids, asks = self._best
            self._send(b"snapshot", b",".join(bids), b",".join(asks), None, self._told_at)

    @override
    def resend(self) -> bool:
        self._u += 1
        self.snapshot()
        return True

    def restart(self, as_delta: bool) -> bool:
        """The service restarts: the whole book with ``u`` = 1."""
        self._u = _RESTARTED
        self.snapshot(kind=b"delta" if as_delta else b"snapshot")
        return True

    @override
    def tell(self) -> None:
        if self.depth == 1:
            top = self.book.top(1)
            if top != self._best:
                self._u += 1
                self.snapshot()
            return
        bids, asks = self.changes()
        if bids or asks:
            self._u += 1
            self._send(b"delta", b",".join(bids), b",".join(asks), None)

    @override
    def snapshot(self, only: Connection | None = None, kind: bytes = b"snapshot") -> None:
        self.forget()
        self._best = self.book.top(self.depth)
        self._send(kind, b",".join(self._best[0]), b",".join(self._best[1]), only)

    def _send(
        self, kind: bytes, bids: bytes, asks: bytes, only: Connection | None, at: tuple[int, int] | None = None
    ) -> None:
        """``at``: number and time of the last change that is told; those of the book, if None."""
        now_ms = self.outlet.now_ms
        self._told_ms = now_ms
        self._told_at = update_id, time_ms = at or (self.book.update_id, self.book.time_ms)
        numbers = (self.symbol.encode(), bids, asks, self._u, update_id, time_ms)
        if form := _KEYS.get(self.depth):
            payload = form % (self.stream.encode(), kind, now_ms, *numbers)
        else:
            payload = _TYPE_LAST % (self.stream.encode(), now_ms, kind, *numbers)
        self.publish(payload, kind.decode(), self._u, update_id, time_ms, only)


class Prints(TradeTopic):
    """``publicTrade.SYM``: the prints of a millisecond in one message; ``S`` is the side of the taker.

    Attributes:
        block_trades_every: one of so many prints is a block trade, which the market knows nothing of; 0: none.
    """

    _last = b""
    _count = 0
    block_trades_every = 0

    @override
    def on_prints(self, prints: list[Print]) -> None:
        out = []
        for p in prints:
            out.append(self._text(p, b"false"))
            self._last = p.price
            self._count += 1
            if self.block_trades_every and self._count % self.block_trades_every == self.block_trades_every - 1:
                self._count += 1
                out.append(self._text(_block_trade(p), b"true"))
        payload = b'{"topic":"%b","type":"snapshot","ts":%d,"data":[%b]}' % (
            *(self.stream.encode(), self.outlet.now_ms, b",".join(out)),
        )
        self.send(payload, prints[-1].update_id, prints[-1])

    def _text(self, p: Print, block: bytes) -> bytes:
        return b'{"T":%d,"s":"%b","S":"%b","v":"%b","p":"%b","L":"%b","i":"%b","BT":%b,"RPI":false,"seq":%d}' % (
            *(p.time_ms, self.symbol.encode(), b"Buy" if p.side > 0 else b"Sell", p.size, p.price),
            *(self._direction(p), _uuid(p.trade_id), block, p.update_id),
        )

    def _direction(self, p: Print) -> bytes:
        if not self._last or p.price == self._last:
            return b"ZeroPlusTick" if p.side > 0 else b"ZeroMinusTick"
        return b"PlusTick" if float(p.price) > float(self._last) else b"MinusTick"


class Tickers(Topic):
    """``tickers.SYM``: a snapshot first, then every 100 ms the fields that changed."""

    _next_ms = 0
    _sequence = 0

    def __init__(self, venue: str, symbol: str, stream: str, outlet: Outlet) -> None:
        super().__init__(venue, symbol, stream, outlet)
        self._told: dict[bytes, bytes] = {}
        self._new: list[Connection] = []

    @override
    def join(self, connection: Connection, book: TextBook[Any]) -> None:
        super().join(connection, book)
        self._new.append(connection)

    @override
    def on_derivatives(self, market: DerivativeMarket) -> None:
        now_ms = self.outlet.now_ms
        if self._new or now_ms >= self._next_ms:
            fields = {
                b"markPrice": b"%.2f" % market.model.mark,
                b"indexPrice": b"%.2f" % market.model.index,
                b"fundingRate": b"%.8f" % market.model.funding_rate,
                b"nextFundingTime": b"%d" % next_funding_ms(now_ms),
                b"fundingIntervalHour": b"%d" % HOURS,
                b"openInterest": b"%.3f" % market.model.open_interest,
            }
            changed = {name: text for name, text in fields.items() if self._told.get(name) != text}
            new, self._new = [c for c in self._new if c in self.subscribers], []
            if changed:
                for connection in self.subscribers:
                    if connection not in new:
                        self._send(b"delta", changed, connection)
            for connection in new:
                self._send(b"snapshot", fields, connection)
            self._told = fields
            self._next_ms = now_ms - now_ms % _TICKER_MS + _TICKER_MS

    def _send(self, kind: bytes, fields: dict[bytes, bytes], only: Connection) -> None:
        self._sequence += 1
        texts = b"".join(b',"%b":"%b"' % field for field in fields.items())
        now_ms = self.outlet.now_ms
        payload = b'{"topic":"%b","type":"%b","data":{"symbol":"%b"%b},"cs":%d,"ts":%d}' % (
            *(self.stream.encode(), kind, self.symbol.encode(), texts, self._sequence, now_ms),
        )
        self.publish(payload, "ticker", self._sequence, 0, now_ms, only)


class Liquidations(LiquidationTopic):
    """``allLiquidation.SYM``: all of half a second in one message; ``S`` is the side of the position."""

    interval_ms = 500

    @override
    def message(self, new: Sequence[Liquidation], now_ms: int) -> tuple[bytes, Liquidation]:
        symbol = self.symbol.encode()
        rows = b",".join(
            b'{"T":%d,"s":"%b","S":"%b","v":"%b","p":"%b"}'
            % (one.time_ms, symbol, b"Buy" if one.side < 0 else b"Sell", one.size, one.price)
            for one in new
        )
        return b'{"topic":"%b","type":"snapshot","ts":%d,"data":[%b]}' % (self.stream.encode(), now_ms, rows), new[-1]


def _block_trade(p: Print) -> Print:
    """A large trade, agreed on elsewhere, against the taker's side of ``p`` and 3 % from its price; ids are even."""
    digits = len(p.price.partition(b".")[2])
    price = b"%.*f" % (digits, float(p.price) * (1.0 - 0.03 * p.side))
    return p._replace(trade_id=p.trade_id + 1, side=-p.side, price=price, size=b"100")


def _uuid(number: int) -> bytes:
    text = b"%032x" % (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128))  # odd, so no two numbers meet
    return b"-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
