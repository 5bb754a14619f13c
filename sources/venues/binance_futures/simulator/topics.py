"""Streams of Binance USD-M futures.

Exchange documentation, "WebSocket Market Streams", which split the hosts' paths in 2026: ``/public`` carries the
books, ``@bookTicker`` and (undocumented) ``@trade``; ``/market`` carries ``@aggTrade``, ``@markPrice`` and the rest. A
stream on the wrong path, or of an unknown symbol, is acknowledged and never sends anything.
"""

import re
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from simulator.book import Change, TextBook, parts
from simulator.derivatives import DerivativeMarket, Liquidation
from simulator.liquidations import LiquidationTopic
from simulator.market import Print
from simulator.topic import Outlet, Topic
from simulator.trades import TradeTopic
from synthetic.derivatives import next_funding_ms

BINANCE = "binance_futures"

PUBLIC, MARKET = "public", "market"
_DIFF = re.compile(r"depth(?:@(0|100|500)ms)?")
_PARTIAL = re.compile(r"depth(5|10|20)(?:@(100|500)ms)?")
_MARK = re.compile(r"markPrice(@1s)?")
_DEFAULT_INTERVAL_MS = 250
_NOT_OF_THE_BOOK = ((97, b"NA"), (241, b"INSURANCE_FUND"), (389, b"ADL"))  # after so many prints, one of that kind


def make(symbol: str, stream: str, path: str, phase: int, outlet: Outlet) -> Topic | None:
    """The topic of a stream's name, or None where that name is silent on ``path``.

    ``phase``: connections differ in how they batch updates; only the numbers of one connection make a chain.
    """
    name, _, kind = stream.partition("@")
    if name != symbol.lower():
        return None
    if path == MARKET:
        if mark := _MARK.fullmatch(kind):
            return MarkPrices(symbol, stream, outlet, 1000 if mark[1] else 3000)
        if kind == "forceOrder":
            return ForceOrders(BINANCE, symbol, stream, outlet)
        return AggTrades(BINANCE, symbol, stream, outlet) if kind == "aggTrade" else None
    if diff := _DIFF.fullmatch(kind):
        return Diffs(symbol, stream, outlet, _interval(diff[1]), phase)
    if partial := _PARTIAL.fullmatch(kind):
        return Partial(symbol, stream, outlet, _interval(partial[2]), phase, int(partial[1]))
    if kind == "trade":
        return Trades(BINANCE, symbol, stream, outlet)
    return Quotes(BINANCE, symbol, stream, outlet) if kind == "bookTicker" else None


def _interval(text: str | None) -> int:
    return _DEFAULT_INTERVAL_MS if text is None else int(text)


class Diffs(Topic):
    """``@depth``, ``@depth@0ms``, ``@depth@100ms``, ``@depth@500ms``: all changes of an interval in one event."""

    def __init__(self, symbol: str, stream: str, outlet: Outlet, interval_ms: int, phase: int) -> None:
        super().__init__(BINANCE, symbol, stream, outlet)
        self._interval = interval_ms
        self._offset = phase * interval_ms // 2
        self._next = 0
        self._first = 0  # of the updates that wait; 0: none wait
        self._previous = 0
        self._bids: dict[Any, bytes] = {}
        self._asks: dict[Any, bytes] = {}

    @override
    def begin(self, book: TextBook[Any]) -> None:
        self._first = 0
        self._previous = book.update_id
        self._bids.clear()
        self._asks.clear()

    @override
    def on_change(self, change: Change[Any], book: TextBook[Any]) -> None:
        n = change.bids
        self._bids.update(zip(change.keys[:n], change.texts[:n], strict=True))
        self._asks.update(zip(change.keys[n:], change.texts[n:], strict=True))
        self._first = self._first or change.first_id
        if change.time_ms < self._next:
            return
        if self._interval:
            self._next = change.time_ms - (change.time_ms - self._offset) % self._interval + self._interval
        self._send(change, *self._levels(book))
        self._previous = change.update_id
        self._first = 0
        self._bids.clear()
        self._asks.clear()

    def _levels(self, book: TextBook[Any]) -> tuple[bytes, bytes]:
        return b",".join(self._bids.values()), b",".join(self._asks.values())

    def _send(self, change: Change[Any], bids: bytes, asks: bytes) -> None:
        symbol = self.symbol.encode()
        payload = (
            b'{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","ps":"%b","U":%d,"u":%d,"pu":%d,"b":[%b],"a":[%b],"st":1}'
        ) % (
            *(self.outlet.now_ms, change.time_ms, symbol, symbol),
            *(self._first, change.update_id, self._previous, bids, asks),
        )
        self.publish(payload, "delta", change.update_id, change.update_id, change.time_ms)


class Partial(Diffs):
    """``@depth5`` … ``@depth20@100ms``: the best levels, whole, in events that look just like the diffs."""

    def __init__(self, symbol: str, stream: str, outlet: Outlet, interval_ms: int, phase: int, levels: int) -> None:
        super().__init__(symbol, stream, outlet, interval_ms, phase)
        self._depth = levels

    def _levels(self, book: TextBook[Any]) -> tuple[bytes, bytes]:
        bids, asks = book.top(self._depth)
        return b",".join(bids), b",".join(asks)


class Quotes(Topic):
    """``@bookTicker``: the best prices whenever they, or their sizes, changed."""

    _last: tuple[bytes, ...] = ()

    @override
    def on_change(self, change: Change[Any], book: TextBook[Any]) -> None:
        bids, asks = book.top(1)
        if not (bids and asks) or (best := (*parts(bids[0]), *parts(asks[0]))) == self._last:
            return
        self._last = best
        symbol = self.symbol.encode()
        payload = (
            b'{"e":"bookTicker","u":%d,"s":"%b","ps":"%b","b":"%b","B":"%b","a":"%b","A":"%b","T":%d,"E":%d,"st":1}'
        ) % (change.update_id, symbol, symbol, *best, change.time_ms, self.outlet.now_ms)
        self.publish(payload, "quote", change.update_id, change.update_id, change.time_ms)


class MarkPrices(Topic):
    """``@markPrice``, ``@markPrice@1s``: mark and index price, funding rate and the next funding time."""

    def __init__(self, symbol: str, stream: str, outlet: Outlet, interval_ms: int) -> None:
        super().__init__(BINANCE, symbol, stream, outlet)
        self._interval = interval_ms
        self._next = 0

    @override
    def on_derivatives(self, market: DerivativeMarket) -> None:
        now_ms = self.outlet.now_ms
        if now_ms < self._next:
            return
        self._next = now_ms - now_ms % self._interval + self._interval
        model = market.model
        payload = (
            b'{"e":"markPriceUpdate","E":%d,"s":"%b","p":"%.8f","ap":"%.8f","P":"%.8f","i":"%.8f","r":"%.8f","T":%d,'
            b'"st":1}'
        ) % (
            *(
                now_ms,
                self.symbol.encode(),
                model.mark,
                model.mark,
                model.index,
                model.index,
            ),
            *(model.funding_rate, next_funding_ms(now_ms)),
        )
        self.publish(payload, "ticker", 0, 0, now_ms)


class ForceOrders(LiquidationTopic):
    """``@forceOrder``: at most one liquidation a second, the largest of it."""

    interval_ms = 1000

    @override
    def message(self, new: Sequence[Liquidation], now_ms: int) -> tuple[bytes, Liquidation]:
        one = max(new, key=lambda liquidation: float(liquidation.size))
        side = b"SELL" if one.side < 0 else b"BUY"
        order = (
            b'{"s":"%b","S":"%b","o":"LIMIT","f":"IOC","q":"%b","p":"%b","ap":"%b","X":"FILLED","l":"%b","z":"%b"'
            % (*(self.symbol.encode(), side, one.size, one.price, one.price, one.size, one.size),)
        )
        payload = b'{"e":"forceOrder","E":%d,"o":%b,"T":%d,"ps":"%b","st":1}}' % (
            *(now_ms, order, one.time_ms, self.symbol.encode()),
        )
        return payload, one


class AggTrades(TradeTopic):
    """``@aggTrade``: what one order traded at one price. ``m`` true: the buyer is the maker, the seller took.

    Attributes:
        step: by how much the numbers of consecutive prints differ; the aggregates are numbered without holes.
    """

    step = 2

    @override
    def on_prints(self, prints: list[Print]) -> None:
        symbol = self.symbol.encode()
        for p in prints:
            payload = (
                b'{"e":"aggTrade","E":%d,"a":%d,"s":"%b","p":"%b","q":"%b","nq":"%b","f":%d,"l":%d,"T":%d,"m":%b,"st":1}'
            ) % (
                *(self.outlet.now_ms, p.trade_id // self.step, symbol, p.price, p.size, p.size),
                *(p.trade_id, p.trade_id, p.time_ms, b"false" if p.side > 0 else b"true"),
            )
            self.send(payload, p.trade_id // self.step, p)


class Trades(TradeTopic):
    """``@trade``: every print; ``X`` tells those that are not of the book: NA (all zeros), ADL, INSURANCE_FUND."""

    _count = 0

    @override
    def on_prints(self, prints: list[Print]) -> None:
        for p in prints:
            self._print(p, b"MARKET")
            self._count += 1
            for every, what in _NOT_OF_THE_BOOK:
                if self._count % every == 0:
                    strange = p._replace(price=b"0", size=b"0") if what == b"NA" else p
                    self._print(strange._replace(trade_id=p.trade_id + 1), what)
                    break

    def _print(self, p: Print, what: bytes) -> None:
        payload = b'{"e":"trade","E":%d,"T":%d,"s":"%b","t":%d,"p":"%b","q":"%b","X":"%b","m":%b,"st":1}' % (
            *(self.outlet.now_ms, p.time_ms, self.symbol.encode(), p.trade_id, p.price, p.size),
            *(what, b"false" if p.side > 0 else b"true"),
        )
        self.send(payload, p.trade_id, p)
