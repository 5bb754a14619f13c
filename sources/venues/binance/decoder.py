"""Frames of Binance's streams: the envelope, books, prints. Futures and spot differ in two structs.

A combined-stream frame is ``{"stream":"btcusdt@depth@100ms","data":{…}}``. Frames are routed by the stream's name, not
by their ``e``: the partial books ``@depth5/10/20`` carry the same ``e`` as the diffs. Times are milliseconds.

``@markPrice`` and ``@forceOrder`` are of futures alone, whose decoder brings what reads them.

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

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from sources.clock import ClockBound
from sources.decimals import parse_levels
from sources.json_decoder import json_decoder
from sources.messages import (
    BadFrame,
    BookMessage,
    DerivativeMessage,
    Frame,
    Message,
    TradeMessage,
    bad_frame,
    nanoseconds,
    place_levels,
    tally,
)
from sources.tape.batch import DELTA, SNAPSHOT
from sources.tape.collected import NO_LEVELS
from sources.venues.binance.events import (
    BAD,
    USD_M,
    AggTrade,
    Book,
    Depth,
    Envelope,
    Trade,
    check_market,
    foreign_event,
)
from sources.venues.binance.routing import DERIVATIVE_KINDS, Route, Router

_BOOK_PRINTS = ("MARKET", "RPI", None)  # of `X`; spot and older frames have none
_SHUTDOWN = "serverShutdown"
_EMPTY = b"[]"


class Derivatives(Protocol):
    """Reads the streams of a market that has mark prices and liquidations."""

    def decode(
        self, kind: str, receive_ts: int, raw: bytes, bare: bool, check: Callable[[int, int], None]
    ) -> list[DerivativeMessage]:
        """The messages of a frame; raises ValueError."""
        ...


class BinanceDecoder:
    """Frames of one connection or capture; holds which streams it has seen, and counts those it ignores."""

    def __init__(
        self,
        depth: type[Depth],
        book: type[Book],
        partial_book: type[Book],
        capture_of: str | None = None,
        partial: str | None = None,
        clock: ClockBound | None = None,
        merge: bool = False,
        derivatives: Derivatives | None = None,
        derivative_events: Mapping[str, str] | None = None,
    ) -> None:
        """Args:
        depth: a depth event.
        book: a REST book.
        partial_book: what the data of a partial book looks like.
        capture_of: the frames are a capture of this symbol: a bare REST reply is its book, a frame may come without
            the name of its stream. Without it such frames are bad.
        partial: a stream of partial books, such as ``depth20@100ms``, each of which is taken for a snapshot.
        clock: what exchange times are held against; the outer bound if there is none.
        merge: messages of every stream of diffs and of prints of a symbol, each with what it is counted as if another
            one has told the same; otherwise of the first one seen.
        derivatives: reads mark prices and liquidations; None where the market has none.
        derivative_events: the streams that carry them by the name of the event, for frames without a stream's name.
        """
        self._clock = clock or ClockBound()
        self.ignored: Counter[str] = Counter()
        self.closing = False
        self.bare_books = 0  # REST replies met among the frames
        self._merge = merge
        self._derivatives = derivatives
        self._derivative_events = derivative_events or {}
        self._router = Router(capture_of, partial, merge, derivatives is not None, self._derivative_events)
        self._depth: msgspec.json.Decoder[Envelope[Depth]] = json_decoder(Envelope[depth])  # type: ignore[valid-type]
        self._bare_depth: msgspec.json.Decoder[Depth] = json_decoder(depth)
        self._book: msgspec.json.Decoder[Book] = json_decoder(book)
        self._partial_book: msgspec.json.Decoder[Envelope[Book]] = json_decoder(Envelope[partial_book])  # type: ignore[valid-type]
        self._generated_book: msgspec.json.Decoder[Envelope[Book]] = json_decoder(Envelope[book])  # type: ignore[valid-type]
        # Not strict, so that numbers may be strings; that is how prices come.
        self._prints: dict[str, msgspec.json.Decoder[Envelope[Trade]] | msgspec.json.Decoder[Envelope[AggTrade]]] = {
            "trade": msgspec.json.Decoder(Envelope[Trade], strict=False),
            "aggTrade": msgspec.json.Decoder(Envelope[AggTrade], strict=False),
        }
        self._bare_prints: dict[str, msgspec.json.Decoder[Trade] | msgspec.json.Decoder[AggTrade]] = {
            "trade": msgspec.json.Decoder(Trade, strict=False),
            "aggTrade": msgspec.json.Decoder(AggTrade, strict=False),
        }

    def ignores(self, stream: str) -> str | None:
        """What frames of ``stream`` are counted as if they are neither book diffs nor trades; otherwise None."""
        route = self._router.of_stream(stream)
        return None if route.kind else route.label

    def beside(self, stream: str) -> str:
        """What diffs of ``stream`` are counted as if another stream has told the same."""
        return self._router.of_stream(stream).label

    def decode(self, frames: Sequence[Frame]) -> list[Message]:
        """Messages of ``frames``, in order; bytes that cannot be understood become a `BadFrame`."""
        out: list[Message] = []
        places: list[tuple[int, int]] = []
        sides: list[msgspec.Raw] = []
        routes = self._router.known
        for index, frame in enumerate(frames):
            receive_ts, raw = frame
            route: Route | None = None
            try:
                route = routes.get(raw[: raw.find(b'"', 11)]) or self._router.of_frame(raw)
                if route.kind == "depth":
                    d = self._bare_depth.decode(raw) if route.bare else self._depth.decode(raw).data
                    d.check()
                    exchange_ts = nanoseconds(d.time)
                    self._clock.check(exchange_ts, receive_ts)
                    places.append((len(out), index))
                    sides += (d.bids, d.asks)
                    out.append(
                        BookMessage(
                            d.symbol,
                            DELTA,
                            exchange_ts,
                            receive_ts,
                            d.first,
                            d.final,
                            d.previous,
                            NO_LEVELS,
                            route.label,
                        )
                    )
                elif route.kind == "snapshot":
                    self.bare_books += 1
                    book = self._book.decode(raw)
                    if book.number < 0 and bytes(book.bids) == bytes(book.asks) == _EMPTY:
                        self._ignore("REST book of a market that has not begun")
                        continue
                    message, both = self._snapshot(route.symbol, receive_ts, book)
                    message.unnamed = True
                    places.append((len(out), index))
                    sides += both
                    out.append(message)
                elif route.kind in ("partial", "generated"):
                    form = self._partial_book if route.kind == "partial" else self._generated_book
                    book = form.decode(raw).data
                    message, both = self._snapshot(route.symbol, receive_ts, book)
                    places.append((len(out), index))
                    sides += both
                    out.append(message)
                elif route.kind in DERIVATIVE_KINDS:
                    assert self._derivatives is not None
                    out += self._derivatives.decode(route.kind, receive_ts, raw, route.bare, self._clock.check)
                elif route.kind:
                    out.append(self._trade(route, receive_ts, raw))
                else:
                    self._ignore(route.label)
            except BAD as e:
                event = foreign_event(raw) if route else None
                if event is not None and event not in self._derivative_events:
                    self._ignore(event)
                    continue
                symbol = route.symbol if route else None
                may_be_book = route is None or route.kind in ("depth", "snapshot", "partial", "generated")
                out.append(bad_frame(index, frame, symbol, may_be_book, str(e)))
        place_levels(out, places, parse_levels(sides), frames)
        return out

    def snapshot(self, symbol: str, receive_ts: int, raw: bytes) -> BookMessage | BadFrame:
        """A book fetched by REST; an exchange time that the reply does not have is the receive time (ns)."""
        try:
            snapshot, both = self._snapshot(symbol, receive_ts, self._book.decode(raw))
        except BAD as e:
            return bad_frame(0, (receive_ts, raw), symbol, True, str(e))
        messages: list[Message] = [snapshot]
        place_levels(messages, [(0, 0)], parse_levels([*both]), [(receive_ts, raw)])
        (message,) = messages
        assert isinstance(message, BookMessage | BadFrame)
        return message

    def _snapshot(self, symbol: str, receive_ts: int, book: Any) -> tuple[BookMessage, tuple[msgspec.Raw, msgspec.Raw]]:
        """A whole book, yet without levels, and its two sides; raises ValueError."""
        book.check()
        number = book.number
        if number < 0:
            raise ValueError(f"a book with the number {number}")
        exchange_ts = receive_ts if book.time is None else nanoseconds(book.time)
        self._clock.check(exchange_ts, receive_ts)
        message = BookMessage(symbol, SNAPSHOT, exchange_ts, receive_ts, number, number, -1, NO_LEVELS)
        return message, (book.bids, book.asks)

    def _trade(self, route: Route, receive_ts: int, raw: bytes) -> TradeMessage:
        d = self._bare_prints[route.kind].decode(raw) if route.bare else self._prints[route.kind].decode(raw).data
        if d.st != USD_M:
            check_market(d.st)
        exchange_ts = nanoseconds(d.time)
        side = -1 if d.m else 1
        if d.X not in _BOOK_PRINTS or d.size == 0.0:
            off_book = "print of size 0" if d.X in _BOOK_PRINTS else f"print X={d.X}"
            return TradeMessage(d.symbol, exchange_ts, receive_ts, d.id, side, d.price, d.size, off_book=off_book)
        if d.price == 0.0:
            raise ValueError("a print of price 0")
        self._clock.check(exchange_ts, receive_ts)
        message = TradeMessage(d.symbol, exchange_ts, receive_ts, d.id, side, d.price, d.size)
        if self._merge:
            message.stream = route.kind
            message.first, message.final = _numbers(d)
        return message

    def _ignore(self, label: str) -> None:
        tally(self.ignored, label)
        if label == _SHUTDOWN:
            self.closing = True


def _numbers(print_: Trade | AggTrade) -> tuple[int, int]:
    """The first and last trade that a print tells of; -1 where that is not known."""
    if isinstance(print_, Trade):
        return print_.id, print_.id
    first, final = print_.first, print_.last
    known = type(first) is type(final) is int and 0 <= first <= final < 10**18
    return (first, final) if known else (-1, -1)
