"""Frames of Bybit V5 linear.

Exchange documentation, "Orderbook" and "Trade" (V5 WebSocket): ``ts`` send time and ``cts`` matching time in ms, ``u``
the update number, ``u == 1`` a snapshot after a service restart whatever ``type`` says, size 0 removes a level; a
trade frame carries a list of prints, ``S`` the side of the taker, ``seq`` rising with holes. The order of keys differs
between topics.

Which prints are not from the book: those with ``BT`` true, block trades, which two parties agreed on elsewhere. ``RPI``
true is a print against a retail price improvement order, which rests in the book though no topic shows it: it is kept.
The documentation names no other mark of a print of linear contracts; ``mP``, ``iP``, ``mIv`` and ``iv`` are of options.
Liquidations and auto-deleveraging are not marked in this topic.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from sources.clock import ClockBound
from sources.decimals import parse_levels
from sources.json_decoder import json_decoder
from sources.messages import (
    NS_PER_MS,
    BadFrame,
    BookMessage,
    Frame,
    Id,
    Message,
    Millis,
    PrintPrice,
    Size,
    TradeMessage,
    bad_frame,
    place_levels,
    tally,
)
from sources.tape.batch import DELTA, SNAPSHOT
from sources.tape.collected import NO_LEVELS
from sources.venues.bybit_linear.derivatives import Derivatives

_PREFIX = b'{"topic":"'
_BOOK = re.compile(r"orderbook\.\d+")
_OTHERS = ("publicTrade", "tickers", "allLiquidation")
_BAD = (ValueError, RecursionError)
_RESTART = 1
_SIDES = {"Buy": 1, "Sell": -1}
_OPERATIONS = ("ping", "pong", "subscribe", "unsubscribe", "auth")  # answers to these may come


_NO_SIDE = msgspec.Raw(b"[]")
_NULL = b"null"


class _BookData(msgspec.Struct, gc=False, rename={"symbol": "s", "bids": "b", "asks": "a", "number": "u"}):
    symbol: str
    number: Id
    bids: msgspec.Raw = _NO_SIDE  # some archives leave out a side that has not changed, or say null
    asks: msgspec.Raw = _NO_SIDE


class _BookFrame(msgspec.Struct, gc=False):
    type: Literal["snapshot", "delta"]
    ts: Millis
    data: _BookData
    cts: Millis | None = None  # older archives have none


class _Trade(msgspec.Struct, gc=False):
    T: Millis
    s: str
    S: str
    v: Size
    p: PrintPrice
    i: str = ""  # unique, while one order's prints share a ``seq``
    seq: Id = 0  # older frames have none
    BT: bool | None = None  # a block trade; older frames have none


def _side(levels: msgspec.Raw) -> msgspec.Raw:
    return _NO_SIDE if bytes(levels) == _NULL else levels


class _TradeFrame(msgspec.Struct, gc=False):
    data: list[_Trade]


class _Probe(msgspec.Struct):
    topic: Any = None
    op: Any = None
    stream: Any = None  # Binance's frames have one, or an event's name
    e: Any = None


class _Route(NamedTuple):
    kind: str  # "orderbook" or one of `_OTHERS`; "" = ignored
    symbol: str
    label: str  # what an ignored frame is counted as


class BybitDecoder:
    """Frames of one connection or archive; counts those it ignores."""

    def __init__(self, book_topics: Mapping[str, str] | None = None, clock: ClockBound | None = None) -> None:
        """Args:
        book_topics: by symbol, which topic its book is read from; by default the first one met.
        clock: what exchange times are held against; the outer bound if there is none.
        """
        self._clock = clock or ClockBound()
        self.ignored: Counter[str] = Counter()
        self.closing = False  # Bybit announces no end of a connection
        self._book = json_decoder(_BookFrame)
        self._trades = json_decoder(_TradeFrame, strict=False)  # numbers come as strings
        self._derivatives = Derivatives()
        self._probe = json_decoder(_Probe)
        self._routes: dict[bytes, _Route] = {}  # by a frame's beginning, up to the end of the topic
        self._book_topic = dict(book_topics or {})

    def decode(self, frames: Sequence[Frame]) -> list[Message]:
        """Messages of ``frames``, in order; bytes that cannot be understood become a `BadFrame`."""
        out: list[Message] = []
        places: list[tuple[int, int]] = []
        sides: list[msgspec.Raw] = []
        for index, frame in enumerate(frames):
            receive_ts, raw = frame
            route: _Route | None = None
            try:
                route = self._routes.get(raw[: raw.find(b'"', 10)]) or self._find_route(raw)
                if route.kind == "orderbook":
                    message, both = self._book_message(receive_ts, raw)
                    places.append((len(out), index))
                    sides += both
                    out.append(message)
                elif route.kind == "publicTrade":
                    out += self._prints(index, frame)
                elif route.kind == "tickers":
                    out += self._derivatives.ticker(receive_ts, raw, self._clock.check)
                elif route.kind == "allLiquidation":
                    out += self._derivatives.liquidations(receive_ts, raw, self._clock.check)
                else:
                    tally(self.ignored, route.label)
            except _BAD as e:
                symbol = route.symbol if route else None
                may_be_book = route is None or route.kind == "orderbook"
                out.append(bad_frame(index, frame, symbol, may_be_book, str(e)))
        place_levels(out, places, parse_levels(sides), frames)
        return out

    def snapshot(self, symbol: str, receive_ts: int, raw: bytes) -> BookMessage | BadFrame:
        """Never good: the numbers of a REST book match no topic but the 1000-level one, so it seeds no book."""
        return bad_frame(0, (receive_ts, raw), symbol, True, "a Bybit book comes from its topic, not from REST")

    def _book_message(self, receive_ts: int, raw: bytes) -> tuple[BookMessage, tuple[msgspec.Raw, msgspec.Raw]]:
        frame = self._book.decode(raw)
        data = frame.data
        exchange_ts = (frame.ts if frame.cts is None else frame.cts) * NS_PER_MS
        self._clock.check(exchange_ts, receive_ts)
        kind = SNAPSHOT if frame.type == "snapshot" or data.number == _RESTART else DELTA
        number = data.number
        message = BookMessage(data.symbol, kind, exchange_ts, receive_ts, number, number, -1, NO_LEVELS)
        return message, (_side(data.bids), _side(data.asks))

    def _prints(self, place: int, frame: Frame) -> list[Message]:
        """The prints of a frame; one that cannot be believed costs no other."""
        out: list[Message] = []
        receive_ts, raw = frame
        for d in self._trades.decode(raw).data:
            off_book = "block trades" if d.BT else "print of size 0" if d.v == 0.0 else ""
            exchange_ts = d.T * NS_PER_MS
            side = _SIDES.get(d.S, 0)
            if not off_book:
                try:
                    if not side:
                        raise ValueError(f"a print of side {d.S!r}")
                    if d.p == 0.0:
                        raise ValueError("a print of price 0")
                    self._clock.check(exchange_ts, receive_ts)
                except ValueError as e:
                    out.append(bad_frame(place, frame, d.s, False, str(e)))
                    continue
            out.append(TradeMessage(d.s, exchange_ts, receive_ts, d.seq, side, d.p, d.v, d.i, off_book))
        return out

    def _find_route(self, raw: bytes) -> _Route:
        """Route of a frame whose topic is new, or whose keys come in another order; raises ValueError."""
        name, quote, _ = raw[len(_PREFIX) :].partition(b'"')
        if raw.startswith(_PREFIX) and quote and b"\\" not in name:
            # Known by its name even if the rest is damaged: only a damaged book costs the book.
            route = self._routes[_PREFIX + name] = self._route(name.decode())
            return route
        try:
            probe = self._probe.decode(raw)
        except msgspec.ValidationError:
            msgspec.json.decode(raw)  # of the whole text, for only what is whole can be no frame of a book
            probe = _Probe()
        if isinstance(probe.topic, str):
            return self._route(probe.topic)
        if isinstance(probe.stream, str) or isinstance(probe.e, str):
            return _Route("", "", "streams of another venue")
        foreign = isinstance(probe.op, str) and probe.op not in _OPERATIONS
        return _Route("", "", f"op {probe.op}" if foreign else "control")

    def _route(self, topic: str) -> _Route:
        kind, _, symbol = topic.rpartition(".")
        if not kind:
            return _Route("", "", topic)
        if kind in _OTHERS:
            return _Route(kind, symbol, "")
        if not _BOOK.fullmatch(kind):
            return _Route("", symbol, kind)
        # Topics of different depth are numbered apart: only the first one seen is recorded.
        if self._book_topic.setdefault(symbol, kind) != kind:
            return _Route("", symbol, f"{kind} beside {self._book_topic[symbol]}")
        return _Route("orderbook", symbol, "")


_SPOT_ORDER = re.compile(rb'\{"topic":"orderbook\.\d+\.[^"]*","ts":\d+,"type":')


def looks_like_spot(frame: bytes) -> bool:
    """Whether a book frame, as the exchange wrote it, is of its spot market, which has the same topics.

    Spot frames have ``ts`` before ``type``, linear ones behind it (recorded archives of both).

    >>> looks_like_spot(b'{"topic":"orderbook.200.BTCUSDT","ts":1,"type":"snapshot","data":{}}')
    True
    >>> looks_like_spot(b'{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":1,"data":{}}')
    False
    """
    return _SPOT_ORDER.match(frame) is not None


def decoder(clock: ClockBound | None = None) -> BybitDecoder:
    """A decoder of one connection."""
    return BybitDecoder(clock=clock)
