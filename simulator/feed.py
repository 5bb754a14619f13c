"""One instrument at its exchange: the true book, the topics that clients listen to, and what moves them."""

from typing import NamedTuple, Protocol

from typing_extensions import override

from simulator.book import Change, TextBook, best, parts
from simulator.connection import Connection
from simulator.derivatives import DerivativeMarket
from simulator.faults import Fault
from simulator.market import LiveMarket, Print
from simulator.style import Style
from simulator.topic import Outlet, Topic
from simulator.truth import Truth
from sources.instrument import Instrument
from synthetic.parameters import MarketParameters, parameters_of

_IDLE_NS = 1_000_000_000  # how far a market that nobody listens to may fall behind
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")


class Streams(Protocol):
    """The streams of a venue."""

    def topic(self, symbol: str, stream: str, path: str, phase: int, outlet: Outlet, started_ms: int) -> Topic | None:
        """As `simulator.venue.SimulatedVenue.topic`."""

    def phases(self, stream: str) -> int:
        """As `simulator.venue.SimulatedVenue.phases`."""
        ...


class Feed:
    """What both kinds of instrument have: topics by stream, made when first asked for.

    Attributes:
        trading: False from the delisting on: nothing is sent any more.
        halted: whether nothing happens for now: no orders, no trades; what was missed comes afterwards.
    """

    def __init__(
        self, instrument: Instrument, parameters: MarketParameters, outlet: Outlet, truth: Truth, streams: Streams
    ) -> None:
        self.instrument = instrument
        self.parameters = parameters
        self.truth = truth
        self.trading = True
        self.halted = False
        self.topics: dict[tuple[str, str, int], Topic] = {}
        self.derivatives = DerivativeMarket(instrument, parameters)
        self._streams = streams
        self._outlet = outlet
        self._started_ms = outlet.now_ms

    def subscribe(self, connection: Connection, stream: str, path: str) -> bool:
        """Let ``connection`` have ``stream``; False if there is no such stream on that path."""
        if not self.trading:
            return False
        phase = connection.number % self._streams.phases(stream)
        key = (stream, path, phase)
        topic = self.topics.get(key) or self._streams.topic(
            self.instrument.symbol, stream, path, phase, self._outlet, self._started_ms
        )
        if topic is None:
            return False
        self.topics[key] = topic
        self.advance(True)
        topic.join(connection, self.shown())
        return True

    def active(self) -> list[Topic]:
        """The topics that someone listens to."""
        return [topic for topic in self.topics.values() if topic.subscribers]

    def advance(self, wanted: bool = False) -> None:
        """Let happen what has happened by now; without a listener, only if it is ``wanted`` or long ago."""
        raise NotImplementedError

    def book(self) -> TextBook[int] | TextBook[float]:
        """The book of this moment; it changes later."""
        self.advance(True)
        return self.shown()

    def book_before(self, age_s: float, levels: int) -> tuple[int, int, list[bytes], list[bytes]] | None:
        """The best levels of ``age_s`` ago, or as old as is remembered; None of a recorded book that has not begun.

        Returns:
            Number of the last update, its time in ms, and the levels of bids and asks as texts.
        """
        book = self.book()
        if not (book.bids and book.asks):
            return None
        then_ms = book.time_ms - int(age_s * 1000)
        update_id = self.truth.id_at(then_ms)
        true = self.truth.book(update_id).cut(levels)
        price_digits, size_digits = (len(text.partition(b".")[2]) for text in parts(book.top(1)[0][0]))
        sides = [
            [f'["{price:.{price_digits}f}","{size:.{size_digits}f}"]'.encode() for price, size in side]
            for side in (sorted(true.bids.items(), reverse=True), sorted(true.asks.items()))
        ]
        return update_id, then_ms, sides[0], sides[1]

    def strike(self, fault: Fault) -> int:
        """Inject a fault of the market or the service; returns how many topics or books it met."""
        struck = 0
        for topic in self.active() if fault.kind in ("restart", "resnapshot") else ():
            if fault.matches(topic.venue, topic.symbol, topic.stream):
                struck += topic.restart(fault.as_delta) if fault.kind == "restart" else topic.resend()
        return struck

    def shown(self) -> TextBook[int] | TextBook[float]:
        """The book as it has been told."""
        raise NotImplementedError


class Pace(NamedTuple):
    """What all synthetic markets share."""

    seed: int
    events_per_second: float  # of each instrument


class SyntheticFeed(Feed):
    """An instrument of a synthetic market, in real time."""

    def __init__(
        self,
        instrument: Instrument,
        pace: Pace,
        outlet: Outlet,
        truth: Truth,
        streams: Streams,
        style: Style,
    ) -> None:
        listed = parameters_of(instrument)
        parameters = MarketParameters(
            first_price_ticks=listed.first_price_ticks,
            price_digits=listed.price_digits,
            size_digits=listed.size_digits,
            levels=listed.levels,
            diff_interval_ms=style.interval_ms,
            events_per_second=pace.events_per_second,
        )
        super().__init__(instrument, parameters, outlet, truth, streams)
        self._style = style
        self._market = LiveMarket(instrument, pace.seed, outlet.now_ms, parameters, style, truth)
        self._book = TextBook[int]()
        self._advanced_ns = 0
        self._cross_ms = 0  # how long the next cross is to stand; 0: there is none to come
        self._crossing: tuple[int, bytes, int] | None = None  # level that crosses: its price, text, and last ms

    @override
    def strike(self, fault: Fault) -> int:
        if fault.kind != "cross":
            return super().strike(fault)
        self._cross_ms = int(fault.delay * 1000)
        return 1

    @override
    def advance(self, wanted: bool = False) -> None:
        outlet = self._outlet
        active = self.active()
        if not self.trading or not (wanted or active or outlet.now_ns - self._advanced_ns > _IDLE_NS):
            return
        self._advanced_ns = outlet.now_ns
        prints: list[Print] = []
        for event in () if self.halted else self._market.take(outlet.now_ms):
            if prints and (isinstance(event, Change) or event.time_ms != prints[0].time_ms):
                self._trade(active, prints)
                prints = []
            if isinstance(event, Change):
                self._change(active, event)
            else:
                prints.append(event)
        if prints:
            self._trade(active, prints)
        for topic in active:
            topic.on_time()
            topic.on_derivatives(self.derivatives)

    def shown(self) -> TextBook[int]:
        """The book as it has been told."""
        return self._book

    def _trade(self, active: list[Topic], prints: list[Print]) -> None:
        self.derivatives.take(prints)
        for topic in active:
            topic.on_prints(prints)

    def _change(self, active: list[Topic], change: Change[int]) -> None:
        if self._cross_ms or self._crossing:
            change = self._crossed(change)
        self._book.apply(change)
        for topic in active:
            topic.on_change(change, self._book)

    def _crossed(self, change: Change[int]) -> Change[int]:
        """The same change with a bid at the second best ask, or with that bid gone again."""
        if self._crossing is not None:
            key, text, until = self._crossing
            if key in change.keys[: change.bids]:  # the market has come there by itself
                self._crossing = None
                return change
            if change.time_ms < until:
                return change
            self._crossing = None
            price, size = parts(text)
            zero = b"0" if self._style.bare_zero else size.translate(_DIGITS_TO_ZERO)
            return self._amended(change, key, b'["%b","%b"]' % (price, zero), 0)
        keys = best(self._book.asks, 2, False)
        if len(keys) < 2 or keys[1] in change.keys:
            return change
        text = self._book.asks[keys[1]]
        self._crossing = (keys[1], text, change.time_ms + self._cross_ms)
        self._cross_ms = 0
        return self._amended(change, keys[1], text, 1)

    def _amended(self, change: Change[int], key: int, text: bytes, present: int) -> Change[int]:
        price, size = parts(text)
        self.truth.amend(change.update_id, True, float(price), float(size))
        return change._replace(
            bids=change.bids + 1,
            keys=[key, *change.keys],
            texts=[text, *change.texts],
            present=[present, *change.present],
        )
