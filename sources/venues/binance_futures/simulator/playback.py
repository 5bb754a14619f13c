"""Playing a capture back: the recorded messages, byte for byte, at their own distances in time or faster.

Whatever depth cadence a client asks for, it gets the events that were recorded, under the name it asked for. Of the
recorded `@trade` prints, those of the book are also told as `@aggTrade`, which the capture does not have.
"""

import re

import msgspec
import numpy as np
from typing_extensions import override

from simulator.book import Change, TextBook
from simulator.feed import Feed
from simulator.market import Print
from simulator.topic import Outlet, Topic
from simulator.truth import Truth
from sources.instrument import Instrument
from sources.venues.binance_futures.simulator.capture import Book, Capture, Depth, Recorded
from sources.venues.binance_futures.simulator.topics import BINANCE, MARKET, AggTrades
from synthetic.parameters import parameters_of

_DIFF = re.compile(r"depth(@\d+ms)?")
_UNREAD = 1 << 20  # bytes; at full speed, what one client may be behind
_BATCH = 500  # recorded messages between two looks at the clients
_OF_THE_BOOK = ("MARKET", "RPI")


class _Print(msgspec.Struct, rename={"time": "T", "id": "t", "price": "p", "size": "q", "maker": "m", "what": "X"}):
    time: int
    id: int
    price: str
    size: str
    maker: bool
    what: str = "MARKET"


class _Quote(msgspec.Struct, rename={"time": "T", "id": "u"}):
    time: int
    id: int


class _Recorded(Topic):
    """A recorded stream: its messages are published as they are."""


class _Aggregates(AggTrades):
    step = 1  # recorded prints are numbered one by one


class PlaybackFeed(Feed):
    """An instrument that is played back once, from when somebody first listens to its book.

    Attributes:
        finished: whether the last message has been sent.
    """

    def __init__(self, capture: Capture, speed: float, outlet: Outlet, truth: Truth) -> None:
        """``speed``: 1 as recorded, 0 as fast as the clients read."""
        instrument = Instrument(BINANCE, capture.symbol)
        super().__init__(instrument, parameters_of(instrument), outlet, truth, self)
        self._capture = capture
        self._speed = speed
        self._place = 0  # of the next line
        self._began_ns: int | None = None
        self._book = TextBook[float]()
        self._joined = False  # whether the recorded snapshot has been passed
        self._depth = msgspec.json.Decoder(Depth)
        self._print = msgspec.json.Decoder(_Print)
        self._quote = msgspec.json.Decoder(_Quote)

    @property
    def finished(self) -> bool:
        """Whether the last recorded message has been sent."""
        return self._place == len(self._capture.lines)

    @override
    def advance(self, wanted: bool = False) -> None:
        if self._began_ns is None:
            if not any(_DIFF.fullmatch(t.stream.partition("@")[2]) for t in self.active()):
                return
            self._began_ns = self._outlet.now_ns
        if self._speed == 0:
            for _ in range(_BATCH):
                if self.finished or any(c.unread > _UNREAD for t in self.active() for c in t.subscribers):
                    return
                self._play()
            return
        lines = self._capture.lines
        until = lines[0].receive_ns + int((self._outlet.now_ns - self._began_ns) * self._speed)
        while not self.finished and lines[self._place].receive_ns <= until:
            self._play()

    @property
    def recorded_reply(self) -> bytes | None:
        """The recorded REST book, until playback has passed it."""
        return None if self._joined else self._capture.snapshot_payload

    def shown(self) -> TextBook[float]:
        """The book that the recorded one and the events since make."""
        return self._book

    def phases(self, stream: str) -> int:
        """Every connection has the recorded messages."""
        return 1

    def topic(self, symbol: str, stream: str, path: str, phase: int, outlet: Outlet, started_ms: int) -> Topic | None:
        """The recorded stream of that name."""
        kind = stream.partition("@")[2]
        if not stream.startswith(f"{symbol.lower()}@"):
            return None
        if path == MARKET:
            return _Aggregates(BINANCE, symbol, stream, outlet) if kind == "aggTrade" else None
        if _DIFF.fullmatch(kind) or kind in ("trade", "bookTicker"):
            return _Recorded(BINANCE, symbol, stream, outlet)
        return None

    def _play(self) -> None:
        line = self._capture.lines[self._place]
        self._place += 1
        if not line.kind:
            self._begin_book(self._capture.snapshot)
        elif line.kind == "trade":
            self._trade(line)
        elif line.kind == "bookTicker":
            for topic in self._named("bookTicker"):
                quote = self._quote.decode(line.payload)
                topic.publish(line.payload, "quote", quote.id, quote.id, quote.time)
        elif _DIFF.fullmatch(line.kind):
            event = self._depth.decode(line.payload)
            if self._joined:
                self._apply(event.time, event.first, event.final, event.bids, event.asks)
            for topic in self.active():
                if _DIFF.fullmatch(topic.stream.partition("@")[2]):
                    topic.publish(line.payload, "delta", event.final, event.final, event.time)

    def _begin_book(self, book: Book) -> None:
        """The recorded snapshot, and those events before it that it does not contain."""
        self._joined = True
        self._apply(book.time, book.number, book.number, book.bids, book.asks)
        for line in self._capture.lines[: self._place]:
            if line.kind and _DIFF.fullmatch(line.kind):
                event = self._depth.decode(line.payload)
                if event.final > book.number:
                    self._apply(event.time, event.first, event.final, event.bids, event.asks)

    def _apply(
        self, time_ms: int, first: int, final: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]
    ) -> None:
        rows = bids + asks
        prices, sizes = [float(price) for price, _ in rows], [float(size) for _, size in rows]
        texts = [b'["%b","%b"]' % (price.encode(), size.encode()) for price, size in rows]
        present = [int(size > 0) for size in sizes]
        self._book.apply(Change(time_ms, first, final, len(bids), prices, texts, present))
        self.truth.add(final, time_ms, len(bids), np.array(prices), np.array(sizes))

    def _trade(self, line: Recorded) -> None:
        p = self._print.decode(line.payload)
        for topic in self._named("trade"):
            topic.publish(line.payload, "trade", p.id, self._book.update_id, p.time)
        if p.what not in _OF_THE_BOOK:
            return
        for topic in self._named("aggTrade"):
            side = -1 if p.maker else 1
            topic.on_prints([Print(p.time, p.id, self._book.update_id, side, p.price.encode(), p.size.encode())])

    def _named(self, kind: str) -> list[Topic]:
        return [topic for topic in self.active() if topic.stream.endswith(f"@{kind}")]
