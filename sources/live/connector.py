"""One venue's live connections: messages to their instruments, and what to do about losses.

What differs between venues is told by a `VenueAdapter`. Everything runs on one event loop; what is recorded is recorded
under the row buffer's lock.
"""

import asyncio
from collections.abc import Iterable, Sequence

from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.live.adapter import Limit, VenueAdapter
from sources.live.connection_pool import ConnectionPool
from sources.live.context import Context
from sources.live.decoding import ConnectionDecoder, VenueFrames
from sources.live.hand_over import HandOver
from sources.live.instrument_state import InstrumentState
from sources.live.instruments import Listing
from sources.live.poller import Poller
from sources.live.rate_limiter import RateLimiter
from sources.live.recorder import Recorder
from sources.live.rest import Rest
from sources.live.stream import STREAM_KINDS, Stream
from sources.live.websocket import Websocket
from sources.live.words import Unknown
from sources.messages import BadFrame, BookMessage, DerivativeMessage, TradeMessage
from sources.tape.builder import TapeBuilder, TapeTail

_TICK = 0.1


class Connector:
    """The connections, streams and instruments of one venue."""

    def __init__(self, adapter: VenueAdapter, context: Context, share: int = 1) -> None:
        """``share``: how many workers share the exchange's limits, which count by address."""
        self.venue = adapter.name
        self.context = context
        self.states: dict[str, InstrumentState] = {}  # by symbol
        self.listed = False  # the venue has told its instruments
        self.refusal = adapter.refusal
        self._adapter = adapter
        self._telemetry = context.telemetry
        self._time = asyncio.get_running_loop().time
        self._recorder = Recorder(context)
        self._hand_over = HandOver(self._recorder, self._time)
        self._unknown = Unknown(self.venue, context.telemetry)
        c = context.config

        def limiter(limit: Limit) -> RateLimiter:
            return RateLimiter(max(limit.units // share, limit.least), limit.seconds, self._time)

        proxy = c.proxies.of(adapter.rest)
        self.rest = Rest(self.venue, adapter.rest, c.open_timeout, limiter(adapter.requests), self._telemetry, proxy)
        connects = limiter(adapter.connects)
        self._pools = {
            (url, beside): ConnectionPool(url, adapter.protocol, self, context, connects, beside)
            for url, beside in dict.fromkeys(
                (adapter.websockets[k.name], k.beside) for k in STREAM_KINDS if k.name in adapter.websockets
            )
        }
        self._poller: Poller | None = None
        if adapter.poll is not None and c.derivatives:
            pace = c.poll_share * adapter.requests.units / adapter.requests.seconds / share
            self._poller = Poller(adapter.poll, pace / adapter.poll.weight, self._recorder, self.rest, self.states)
        self._streams: dict[str, tuple[InstrumentState, Stream]] = {}  # by the venue's name
        self._decoders: dict[Websocket, ConnectionDecoder] = {}
        self._stopping = False

    @property
    def pools(self) -> Iterable[ConnectionPool]:
        """The connections of each address."""
        return self._pools.values()

    async def instruments(self) -> list[Listing]:
        """The venue's perpetuals that trade now.

        Raises:
            RestError: the venue does not answer, or not as it should.
        """
        return await self._adapter.instruments(self.rest, self._unknown)

    # --- what is followed

    def start(self) -> None:
        """Begin to watch; connections open as instruments are added."""
        self.context.spawn(self._watch())
        if self._poller is not None:
            self.context.spawn(self._poller.run())

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Follow instruments from now on."""
        new: list[Stream] = []
        for instrument, tail in self.context.tails(instruments):
            state = self._state(instrument, tail)
            self.states[instrument.symbol] = state
            for stream in state.streams.values():
                self._streams[stream.name] = (state, stream)
                new.append(stream)
        for pool in self.pools:
            pool.add([stream.name for stream in new if self._pool(stream) is pool])

    def remove(self, instruments: Iterable[Instrument]) -> None:
        """Follow instruments no more; their books are unknown from now on."""
        for instrument in instruments:
            state = self.states.pop(instrument.symbol)
            state.resync.cancel()
            with self.context.row_buffer.lock:
                self._recorder.lose(state, self.context.clock(), "delisted")
            for stream in state.streams.values():
                del self._streams[stream.name]
                self._pool(stream).remove(stream.name)

    def stop(self) -> None:
        """Nothing is a loss any more: the run ends."""
        self._stopping = True

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(pool.close() for pool in self.pools))
        await self.rest.close()

    def _state(self, instrument: Instrument, tail: TapeTail) -> InstrumentState:
        names = self._adapter.streams(instrument.symbol)
        config, silence = self.context.config, self._adapter.silence
        kinds = [k for k in STREAM_KINDS if k.name in names and (config.derivatives or not k.beside)]
        streams = {
            k.name: Stream(k.name, names[k.name], max(k.patience(config), silence.get(k.name, 0.0)), k.beside)
            for k in kinds
        }
        handler = FeedHandler(self._adapter.sequencer(), TapeBuilder(tail))
        state = InstrumentState(instrument, handler, streams, self._time())
        state.resync = self._adapter.resync(state, self._recorder, self.rest)
        return state

    def _pool(self, stream: Stream) -> ConnectionPool:
        return self._pools[self._adapter.websockets[stream.kind], stream.beside]

    # --- what the connections tell: `sources.live.connection.Handler`

    def attached(self, socket: Websocket, streams: Sequence[str]) -> None:
        """Streams will come from ``socket``."""
        if socket not in self._decoders:
            frames = VenueFrames(self.venue, self._adapter.decoder, self._adapter.protocol.stream_kind)
            self._decoders[socket] = ConnectionDecoder(frames, socket, self._telemetry)
        for state, stream in self._known(streams):
            if stream.source is None:
                stream.source = socket
                if stream.kind == "book":
                    state.resync.asked()
            elif stream.source is not socket:
                stream.successor = socket
                stream.held.clear()

    def subscribed(self, socket: Websocket, streams: Sequence[str]) -> None:
        """The exchange has acknowledged streams: from now on their silence counts."""
        known = self._known(streams)
        for state, stream in known:
            if stream.kind == "book":
                state.resync.subscribed()
        for state, stream in known:
            if stream.source is socket:
                stream.staleness.start(self._time())
                if not stream.beside:
                    state.resync.request()

    def detached(self, socket: Websocket, reason: str) -> None:
        """A connection has ended: what came from it goes on from the one that was to take over, after a loss."""
        if socket in self._decoders:
            self._decoders.pop(socket).close()
        if self._stopping:
            return
        receive_ts = self.context.clock()
        with self.context.row_buffer.lock:
            for state, stream in self._streams.values():
                if stream.successor is socket:
                    stream.successor = None
                    stream.held.clear()
                if stream.source is socket:
                    if not stream.beside:
                        self._recorder.lose(state, receive_ts, f"disconnected: {reason}")
                    stream.staleness.stop()
                    self._hand_over.promote(state, stream)

    def settle(self, old: Websocket, new: Websocket, force: bool) -> int:
        """Move streams from one connection to the other; returns how many stay."""
        left = 0
        receive_ts = self.context.clock()
        with self.context.row_buffer.lock:
            for state, stream in self._streams.values():
                if stream.source is not old or stream.successor is not new:
                    continue
                if stream.name in new.subscribed and self._hand_over.joined(state, stream):
                    self._hand_over.promote(state, stream)
                elif force:
                    if not stream.beside:
                        self._recorder.lose(state, receive_ts, "hand-over")
                    self._hand_over.promote(state, stream)
                else:
                    left += 1
        return left

    def received(self, socket: Websocket, frames: list[bytes]) -> None:
        """Decode and record what one read has brought."""
        try:
            receive_ts = self.context.clock()
            messages = self._decoders[socket].decode(frames, receive_ts)
            now = self._time()
            with self.context.row_buffer.lock:
                for message in messages:
                    if isinstance(message, BadFrame):
                        self._bad(socket, message)
                    elif (state := self.states.get(message.symbol)) is not None:
                        self._route(socket, state, message, now)
        except Exception as e:  # the event loop would only close the connection, and hide why
            self.context.fail(e)

    def _known(self, streams: Sequence[str]) -> list[tuple[InstrumentState, Stream]]:
        return [self._streams[name] for name in streams if name in self._streams]

    # --- one message; the caller holds the row buffer's lock

    def _route(
        self,
        socket: Websocket,
        state: InstrumentState,
        message: BookMessage | TradeMessage | DerivativeMessage,
        now: float,
    ) -> None:
        stream = state.streams[message.stream_kind]
        if stream.source is socket:
            stream.staleness.heard(now)
            self._recorder.record(state, message)
        elif stream.successor is socket:
            if isinstance(message, BookMessage):
                before = stream.held[-1] if stream.held else None
                assert before is None or isinstance(before, BookMessage)
                if not self._adapter.continues(before, message):
                    stream.held.clear()
                    if not self._adapter.continues(None, message):
                        return
            stream.held.append(message)

    def _bad(self, socket: Websocket, bad: BadFrame) -> None:
        """A bad frame costs the books that it may have changed."""
        self._telemetry.bad_frame(self.venue, bad.symbol, bad.reason, bad.excerpt)
        for state in self.states.values() if bad.symbol is None else filter(None, [self.states.get(bad.symbol)]):
            if state.trade.source is socket:
                state.trades.excuse()
            if state.book.source is socket and bad.may_be_book:
                self._recorder.lose(state, bad.receive_ts, f"bad frame: {bad.reason}")
                state.resync.request()

    # --- time

    async def _watch(self) -> None:
        """Look for silent streams, and for instruments that may begin anew after an overflow."""
        while True:
            await asyncio.sleep(_TICK)
            now = self._time()
            with self.context.row_buffer.lock:
                relaxed = self.context.row_buffer.relaxed
                for state in self.states.values():
                    if state.overflowed and relaxed:
                        state.overflowed = False
                        state.handler.sequencer.lost()
                    if not state.book_known:
                        state.resync.request(waited=True)
                    for stream in state.streams.values():
                        if stream.ready and stream.staleness.overdue(now):
                            self._resubscribe(state, stream, now)

    def _resubscribe(self, state: InstrumentState, stream: Stream, now: float) -> None:
        """Tell of a stale stream, and ask for it anew unless it stands beside the book."""
        self._telemetry.stale(state.instrument, stream.kind, stream.staleness.complain(now))
        if stream.beside:
            stream.staleness.stop()  # until it speaks
            return
        if stream.kind == "book" or not state.trades.numbered:  # prints with numbers tell themselves what is missing
            self._recorder.lose(state, self.context.clock(), f"stale {stream.kind}s")
        stream.resubscribe()
        if stream.kind == "book":
            state.resync.asked()
