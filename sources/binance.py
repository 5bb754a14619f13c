"""Frames of Binance's streams: the envelope, routing by stream name, prints. Futures and spot differ in two structs.

A combined-stream frame is ``{"stream":"btcusdt@depth@100ms","data":{…}}``. Frames are routed by the stream's name, not
by their ``e``: the partial books ``@depth5/10/20`` carry the same ``e`` as the diffs. Times are milliseconds.

Which prints are not from the book. ``@trade`` of futures says it by ``X``: MARKET and RPI (against a retail price
improvement order) are from the book; INSURANCE_FUND, ADL (the liquidation engine settles two positions at a price of
its own) and NA (price and size 0) are not, and neither is a word that is not known. ``@aggTrade`` holds market trades
only, by its documentation: insurance fund and ADL trades are not aggregated; its ``q`` includes RPI trades, ``nq`` does
not. Spot has neither; its block trades come in a stream of their own, ``@blockTrade``, which is not read.

``serverShutdown`` (Spot documentation, "Connection events"): the server is about to close the connection, some ten
minutes ahead, and a new one should be opened. It comes as ``{"stream":"!serverShutdown","data":{"e":…}}``, as
``{"e":"serverShutdown"}`` or as ``{"event":{"e":…}}``. Such an event, like any other that is not known, is no part of a
book or of the prints: it is counted by its name.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from sources.binance_events import DATA_EVENTS, foreign_event, probed
from sources.builder import NO_LEVELS
from sources.clock import ClockBound
from sources.decimals import parse_levels
from sources.events import DELTA, SNAPSHOT
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

_PREFIX = b'{"stream":"'
_DIFF = re.compile(r"depth(@\d+ms)?")
_BOOK_PRINTS = ("MARKET", "RPI", None)  # of `X`; spot and older frames have none
_SHUTDOWN = "serverShutdown"
_BAD = (ValueError, RecursionError)  # of msgspec: malformed, another shape, not UTF-8; nested too deeply

T = TypeVar("T")


class Depth(Protocol):
    """What a venue's depth event must offer, under these names."""

    @property
    def time(self) -> int: ...  # ms
    @property
    def symbol(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def final(self) -> int: ...
    @property
    def previous(self) -> int: ...
    @property
    def bids(self) -> msgspec.Raw: ...
    @property
    def asks(self) -> msgspec.Raw: ...


class Book(Protocol):
    """What a venue's REST book must offer."""

    @property
    def time(self) -> int | None: ...  # ms; None where the reply has none
    @property
    def number(self) -> int: ...
    @property
    def bids(self) -> msgspec.Raw: ...
    @property
    def asks(self) -> msgspec.Raw: ...


class _Trade(msgspec.Struct, gc=False, rename={"time": "T", "symbol": "s", "id": "t", "price": "p", "size": "q"}):
    time: Millis
    symbol: str
    id: Id
    price: PrintPrice
    size: Size
    m: bool  # the buyer is the maker, so the seller was the aggressor
    X: str | None = None


class _AggTrade(msgspec.Struct, gc=False, rename={"time": "T", "symbol": "s", "id": "a", "price": "p", "size": "q"}):
    time: Millis
    symbol: str
    id: Id
    price: PrintPrice
    size: Size
    m: bool
    X: str | None = None


class _Envelope(msgspec.Struct, Generic[T], gc=False):
    data: T


class _Route(NamedTuple):
    kind: str  # "depth", "trade", "aggTrade"; "" = ignored
    symbol: str
    label: str  # what an ignored frame is counted as


class BinanceDecoder:
    """Frames of one connection or capture; holds which streams it has seen, and counts those it ignores."""

    def __init__(
        self,
        depth: type[Depth],
        book: type[Book],
        snapshot_symbol: str | None = None,
        clock: ClockBound | None = None,
    ) -> None:
        """Args:
        depth: the venue's depth event.
        book: its REST book.
        snapshot_symbol: whose book a bare REST reply among the frames is; without it, such a one is bad.
        clock: what exchange times are held against; the outer bound if there is none.
        """
        self._clock = clock or ClockBound()
        self.ignored: Counter[str] = Counter()
        self.closing = False
        self.bare_books = 0  # REST replies met among the frames
        self._snapshot_symbol = snapshot_symbol
        self._depth: msgspec.json.Decoder[_Envelope[Depth]] = msgspec.json.Decoder(_Envelope[depth])  # type: ignore[valid-type]
        self._book: msgspec.json.Decoder[Book] = msgspec.json.Decoder(book)
        # Not strict, so that numbers may be strings; that is how prices come.
        self._prints: dict[
            str, msgspec.json.Decoder[_Envelope[_Trade]] | msgspec.json.Decoder[_Envelope[_AggTrade]]
        ] = {
            "trade": msgspec.json.Decoder(_Envelope[_Trade], strict=False),
            "aggTrade": msgspec.json.Decoder(_Envelope[_AggTrade], strict=False),
        }
        self._routes: dict[bytes, _Route] = {}  # by a frame's beginning, up to the end of the stream's name
        self._print_stream: dict[str, str] = {}

    def ignores(self, stream: str) -> str | None:
        """What frames of ``stream`` are counted as if they are neither book diffs nor trades; otherwise None."""
        route = self._route(stream)
        return None if route.kind else route.label

    def decode(self, frames: Sequence[Frame]) -> list[Message]:
        """Messages of ``frames``, in order; bytes that cannot be understood become a `BadFrame`."""
        out: list[Message] = []
        places: list[tuple[int, int]] = []
        sides: list[msgspec.Raw] = []
        routes = self._routes
        for index, frame in enumerate(frames):
            receive_ts, raw = frame
            route: _Route | None = None
            try:
                route = routes.get(raw[: raw.find(b'"', 11)]) or self._find_route(raw)
                if route.kind == "depth":
                    d = self._depth.decode(raw).data
                    exchange_ts = d.time * NS_PER_MS
                    self._clock.check(exchange_ts, receive_ts)
                    places.append((len(out), index))
                    sides += (d.bids, d.asks)
                    out.append(
                        BookMessage(d.symbol, DELTA, exchange_ts, receive_ts, d.first, d.final, d.previous, NO_LEVELS)
                    )
                elif route.kind == "snapshot":
                    self.bare_books += 1
                    out.append(self._snapshot(route.symbol, receive_ts, raw, sides))
                    places.append((len(out) - 1, index))
                elif route.kind:
                    out.append(self._trade(route, receive_ts, raw))
                else:
                    self._ignore(route.label)
            except _BAD as e:
                event = foreign_event(raw) if route else None
                if event is not None:
                    self._ignore(event)
                    continue
                symbol = route.symbol if route else None
                may_be_book = route is None or route.kind in ("depth", "snapshot")
                out.append(bad_frame(index, frame, symbol, may_be_book, str(e)))
        place_levels(out, places, parse_levels(sides), frames)
        return out

    def snapshot(self, symbol: str, receive_ts: int, raw: bytes) -> BookMessage | BadFrame:
        """A book fetched by REST; an exchange time that the reply does not have is the receive time (ns)."""
        sides: list[msgspec.Raw] = []
        try:
            messages: list[Message] = [self._snapshot(symbol, receive_ts, raw, sides)]
        except _BAD as e:
            return bad_frame(0, (receive_ts, raw), symbol, True, str(e))
        place_levels(messages, [(0, 0)], parse_levels(sides), [(receive_ts, raw)])
        (message,) = messages
        assert not isinstance(message, TradeMessage)
        return message

    def _snapshot(self, symbol: str, receive_ts: int, raw: bytes, sides: list[msgspec.Raw]) -> BookMessage:
        book = self._book.decode(raw)
        exchange_ts = receive_ts if book.time is None else book.time * NS_PER_MS
        self._clock.check(exchange_ts, receive_ts)
        sides += (book.bids, book.asks)
        return BookMessage(symbol, SNAPSHOT, exchange_ts, receive_ts, book.number, book.number, -1, NO_LEVELS)

    def _trade(self, route: _Route, receive_ts: int, raw: bytes) -> TradeMessage:
        d = self._prints[route.kind].decode(raw).data
        off_book = "" if d.X in _BOOK_PRINTS else f"print X={d.X}"
        if not off_book and d.size == 0.0:
            off_book = "print of size 0"
        exchange_ts = d.time * NS_PER_MS
        if not off_book:
            if d.price == 0.0:
                raise ValueError("a print of price 0")
            self._clock.check(exchange_ts, receive_ts)
        side = -1 if d.m else 1
        return TradeMessage(d.symbol, exchange_ts, receive_ts, d.id, side, d.price, d.size, off_book=off_book)

    def _ignore(self, label: str) -> None:
        tally(self.ignored, label)
        if label == _SHUTDOWN:
            self.closing = True

    def _find_route(self, raw: bytes) -> _Route:
        """Route of a frame whose stream is new, or whose keys come in another order; raises ValueError."""
        name, quote, _ = raw[len(_PREFIX) :].partition(b'"')
        if raw.startswith(_PREFIX) and quote and b"\\" not in name:
            # Known by its name even if the rest is damaged: only a damaged book costs the book.
            route = self._routes[_PREFIX + name] = self._route(name.decode())
            return route
        probe = probed(raw)
        if probe is None:
            return _Route("", "", "control")
        if isinstance(probe.stream, str):
            return self._route(probe.stream)
        if isinstance(probe.number, int):
            if self._snapshot_symbol is None:
                raise ValueError("a REST book among the frames, of an unknown symbol")
            return _Route("snapshot", self._snapshot_symbol, "")
        event = probe.name()
        if event in DATA_EVENTS:
            raise ValueError("a frame without the name of its stream")
        return _Route("", "", event or "control")

    def _route(self, stream: str) -> _Route:
        name, _, kind = stream.partition("@")
        if not kind:  # of no symbol: "!serverShutdown", "!contractInfo"
            return _Route("", "", name.removeprefix("!"))
        symbol = name.upper()
        if _DIFF.fullmatch(kind):
            return _Route("depth", symbol, "")
        if kind not in self._prints:
            return _Route("", symbol, kind)
        # Both streams carry the same trades: only the first one seen is recorded.
        if self._print_stream.setdefault(symbol, kind) != kind:
            return _Route("", symbol, f"{kind} beside {self._print_stream[symbol]}")
        return _Route(kind, symbol, "")
