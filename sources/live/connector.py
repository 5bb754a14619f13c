"""One venue's live feed: messages from connections to the lanes of their instruments, and what to do about losses.

Venues differ in how a book is fetched anew and in how two connections' messages join; those are the abstract methods.
Everything runs on one event loop; what is recorded is recorded under the outbox's lock.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Sequence

from sources.clock import ClockBound
from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.live.connection_pool import ConnectionPool
from sources.live.context import Context
from sources.live.decoding import ConnectionDecoder, VenueFrames
from sources.live.instrument_state import InstrumentState, Stream
from sources.live.instruments import Listing
from sources.live.protocol import Operation, VenueProtocol
from sources.live.recorder import Recorder
from sources.live.rest import Rest
from sources.live.websocket import Websocket
from sources.messages import BadFrame, BookMessage, Decoder, Message, TradeMessage
from sources.sequencer import Sequencer
from sources.tape.builder import TapeBuilder

_TICK = 0.1


class Connector(Recorder):
    """The streams and lanes of one venue's instruments."""

    venue: str
    rest: Rest

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.lanes: dict[str, InstrumentState] = {}
        self.pools: list[ConnectionPool] = []
        self.listed = False  # the venue has told its instruments
        self._streams: dict[str, tuple[InstrumentState, Stream]] = {}
        self._decoders: dict[Websocket, ConnectionDecoder] = {}
        self._stopping = False

    @abstractmethod
    async def universe(self) -> list[Listing]:
        """The venue's perpetuals that trade now."""

    @abstractmethod
    def make_sequencer(self) -> Sequencer:
        """The sequence rule of one book."""

    @abstractmethod
    def make_decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection, whose exchange times are held against ``clock``."""

    @abstractmethod
    def stream_names(self, symbol: str) -> tuple[str, str]:
        """Names of an instrument's book and trade streams."""

    @abstractmethod
    def pool(self, stream: Stream) -> ConnectionPool:
        """The connections on which a stream is found."""

    @abstractmethod
    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """Whether a new connection's message continues the one before, or may be the first."""

    def movable(self, lane: InstrumentState) -> bool:
        """Whether a hand-over may join the book now."""
        return True

    def make_lane(self, instrument: Instrument, feed: FeedHandler, book: Stream, trade: Stream) -> InstrumentState:
        """State of a new instrument."""
        return InstrumentState(instrument, feed, book, trade, self._time())

    # --- what is followed

    def start(self) -> None:
        """Begin to watch; connections open as instruments are added."""
        self.context.spawn(self._watch())

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Follow instruments from now on."""
        new: list[Stream] = []
        for instrument, tail in self.context.tails(instruments):
            book_name, trade_name = self.stream_names(instrument.symbol)
            book = Stream("book", book_name, self.config.book_silence)
            trade = Stream("trade", trade_name, self.config.trade_silence)
            feed = FeedHandler(self.make_sequencer(), TapeBuilder(tail))
            lane = self.make_lane(instrument, feed, book, trade)
            self.lanes[instrument.symbol] = lane
            for stream in lane.streams:
                self._streams[stream.name] = (lane, stream)
                new.append(stream)
        for pool in self.pools:
            pool.add([stream.name for stream in new if self.pool(stream) is pool])

    def remove(self, instruments: Iterable[Instrument]) -> None:
        """Follow instruments no more; their books are unknown from now on."""
        for instrument in instruments:
            lane = self.lanes.pop(instrument.symbol)
            lane.cancel()
            with self.context.outbox.lock:
                self.lose(lane, self.context.clock(), "delisted")
            for stream in lane.streams:
                del self._streams[stream.name]
                self.pool(stream).remove(stream.name)

    def stop(self) -> None:
        """Nothing is a loss any more: the run ends."""
        self._stopping = True

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(pool.close() for pool in self.pools))

    # --- what the connections tell

    def attached(self, socket: Websocket, streams: Sequence[str]) -> None:
        """Streams will come from ``socket``."""
        if socket not in self._decoders:
            frames = VenueFrames(self.venue, self.make_decoder, self.protocol.stream_kind)
            self._decoders[socket] = ConnectionDecoder(frames, socket, self.telemetry)
        for name in streams:
            if name in self._streams:
                lane, stream = self._streams[name]
                if stream.source is None:
                    stream.source = socket
                    self._asked(lane, stream)
                elif stream.source is not socket:
                    stream.successor = socket
                    stream.held.clear()

    def subscribed(self, socket: Websocket, streams: Sequence[str]) -> None:
        """The exchange has acknowledged streams: from now on their silence counts."""
        for name in streams:
            if name in self._streams:
                lane, stream = self._streams[name]
                if stream.source is socket:
                    stream.silence.start(self._time())
                    self.resync(lane)

    def detached(self, socket: Websocket, reason: str) -> None:
        """A connection has ended: what came from it goes on from the one that was to take over, after a loss."""
        if socket in self._decoders:
            self._decoders.pop(socket).close()
        if self._stopping:
            return
        receive_ts = self.context.clock()
        with self.context.outbox.lock:
            for lane, stream in self._streams.values():
                if stream.successor is socket:
                    stream.successor = None
                    stream.held.clear()
                if stream.source is socket:
                    self.lose(lane, receive_ts, f"disconnected: {reason}")
                    stream.silence.stop()
                    self._promote(lane, stream)

    def settle(self, old: Websocket, new: Websocket, force: bool) -> int:
        """Move streams from one connection to the other; gives how many stay."""
        left = 0
        receive_ts = self.context.clock()
        with self.context.outbox.lock:
            for lane, stream in self._streams.values():
                if stream.source is not old or stream.successor is not new:
                    continue
                joined = self._trades_joined if stream.kind == "trade" else self._book_joined
                if stream.name in new.subscribed and joined(lane, stream):
                    self._promote(lane, stream)
                elif force:
                    self.lose(lane, receive_ts, "hand-over")
                    self._promote(lane, stream)
                else:
                    left += 1
        return left

    def received(self, socket: Websocket, frames: list[bytes]) -> None:
        """Decode and record what one read has brought."""
        try:
            receive_ts = self.context.clock()
            messages = self._decoders[socket].decode(frames, receive_ts)
            now = self._time()
            with self.context.outbox.lock:
                for message in messages:
                    if isinstance(message, BadFrame):
                        self._bad(socket, message)
                    elif (lane := self.lanes.get(message.symbol)) is not None:
                        self._route(socket, lane, message, now)
        except Exception as e:  # the event loop would only close the connection, and hide why
            self.context.fail(e)

    # --- one message; the caller holds the outbox's lock

    def _route(self, socket: Websocket, lane: InstrumentState, message: BookMessage | TradeMessage, now: float) -> None:
        stream = lane.stream(message)
        if stream.source is socket:
            stream.silence.heard(now)
            self.record(lane, message)
        elif stream.successor is socket:
            if isinstance(message, BookMessage):
                before = stream.held[-1] if stream.held else None
                assert before is None or isinstance(before, BookMessage)
                if not self.continues(before, message):
                    stream.held.clear()
                    if not self.continues(None, message):
                        return
            stream.held.append(message)

    def _bad(self, socket: Websocket, bad: BadFrame) -> None:
        """A bad frame costs the books that it may have changed."""
        self.telemetry.bad_frame(self.venue, bad.symbol, bad.reason, bad.excerpt)
        for lane in self.lanes.values() if bad.symbol is None else filter(None, [self.lanes.get(bad.symbol)]):
            if lane.trade.source is socket:
                lane.trades.excuse()
            if lane.book.source is socket and bad.may_be_book:
                self.lose(lane, bad.receive_ts, f"bad frame: {bad.reason}")
                self.resync(lane)

    def _trades_joined(self, lane: InstrumentState, stream: Stream) -> bool:
        """Whether the old connection, which may lag, has come as far as the successor's first print."""
        held = [m for m in stream.held if isinstance(m, TradeMessage)]
        if any(map(lane.trades.knows, held)) or (held and lane.trades.follows(held[0])):
            return True
        # A book that shares the connection and has been joined shows it too. Apart from it, nothing shows for a stream
        # that is quiet, and a print that is missing will show by its number.
        return lane.book.source is stream.successor or (not held and lane.book.source is not stream.source)

    def _book_joined(self, lane: InstrumentState, stream: Stream) -> bool:
        """Whether the successor's book goes on where the lane's stands, or the lane has none to lose."""
        if not lane.feed.sequencer.synced:
            return True
        if not self.movable(lane):
            return False
        chain = [m for m in stream.held if isinstance(m, BookMessage)]
        if not lane.feed.splice(chain):
            return False
        self.recorded(lane, sum(len(m.levels.price) for m in chain))
        stream.held.clear()
        return True

    def _promote(self, lane: InstrumentState, stream: Stream) -> None:
        held: list[Message] = stream.promote()
        if stream.kind == "book" and not lane.feed.sequencer.synced:
            lane.feed.sequencer.lost()  # what is held of the old connection is of no chain any more
        for message in held:
            assert not isinstance(message, BadFrame)
            # Both connections carry the same prints, so those that are known are nothing to tell of.
            if not (isinstance(message, TradeMessage) and lane.trades.knows(message)):
                self.record(lane, message)
        if stream.ready:
            stream.silence.start(self._time())
            self.resync(lane)

    # --- time

    async def _watch(self) -> None:
        """Look for silent streams, and for instruments that may begin anew after an overflow."""
        while True:
            await asyncio.sleep(_TICK)
            now = self._time()
            with self.context.outbox.lock:
                relaxed = self.context.outbox.relaxed
                for lane in self.lanes.values():
                    if lane.overflowed and relaxed:
                        lane.overflowed = False
                        lane.feed.sequencer.lost()
                    if not lane.feed.sequencer.synced:
                        self.resync(lane, waited=True)
                    for stream in lane.streams:
                        if stream.ready and stream.silence.overdue(now):
                            self._complain(lane, stream, now)

    def _complain(self, lane: InstrumentState, stream: Stream, now: float) -> None:
        self.telemetry.stale(lane.instrument, stream.kind, stream.silence.complain(now))
        if stream.kind == "book" or not lane.trades.numbered:  # prints with numbers tell themselves what is missing
            self.lose(lane, self.context.clock(), f"stale {stream.kind}s")
        self.resubscribe(lane, stream)

    def resubscribe(self, lane: InstrumentState, stream: Stream) -> None:
        """Ask for a stream anew."""
        if stream.source is not None:
            stream.source.request(Operation.UNSUBSCRIBE, [stream.name])
            stream.source.request(Operation.SUBSCRIBE, [stream.name])
            self._asked(lane, stream)

    def _asked(self, lane: InstrumentState, stream: Stream) -> None:
        if stream.kind == "book":
            lane.ask(self._time())

    @property
    @abstractmethod
    def protocol(self) -> VenueProtocol:
        """The venue's control messages."""
