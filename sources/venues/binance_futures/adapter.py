"""Binance USD-M futures, live: diffs from ``/public``, trades from ``/market``, snapshots over REST.

Exchange documentation, "Websocket Market Streams": since the addresses were split, ``@depth`` is found on ``/public``
and ``@aggTrade`` on ``/market``; asked for elsewhere they are acknowledged and silent. "Order Book": a thousand levels
weigh 20 of 2400 a minute, so the start of a whole universe takes minutes, and snapshots must never be fetched twice.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import stamina

from sources.clock import ClockBound
from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.live.connection_pool import ConnectionPool
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.instrument_state import InstrumentState, Stream
from sources.live.instruments import Listing
from sources.live.rate_limiter import RateLimiter
from sources.live.rest import Rest, RestError
from sources.live.snapshot_refresh import KnownRange, Refresh
from sources.live.words import Unknown
from sources.messages import BadFrame, BookMessage, Decoder
from sources.sequencer import Outcome, Sequencer
from sources.venues.binance_futures import decoder, sequencer
from sources.venues.binance_futures.config import BinanceFuturesConfig
from sources.venues.binance_futures.instruments import instruments
from sources.venues.binance_futures.protocol import BinanceProtocol

_HELD = 600  # deltas that wait for a snapshot: one minute; a snapshot is never that late, and joins the newest
_CONNECTS = 150  # in 5 minutes, half of what the exchange is said to allow
_URGENT, _LATER = 0, 1  # priorities of requests: an unknown book, a known one whose range shrinks
_LOOK = 0.5  # seconds between two looks at where the market stands


def snapshot_weight(levels: int) -> int:
    """Weight of ``GET /fapi/v1/depth``: 2, 5, 10 or 20 for up to 50, 100, 500 or 1000 levels."""
    return next(weight for limit, weight in ((50, 2), (100, 5), (500, 10), (1000, 20)) if levels <= limit)


class StaleSnapshot(Exception):
    """A snapshot is older than the messages that wait for it."""


class BinanceInstrumentState(InstrumentState):
    """An instrument with what its snapshots need."""

    def __init__(self, instrument: Instrument, feed: FeedHandler, book: Stream, trade: Stream, now: float) -> None:
        super().__init__(instrument, feed, book, trade, now)
        self.refresh = Refresh(feed)
        self.range = KnownRange()
        self.task: asyncio.Task[None] | None = None  # the one that fetches a snapshot
        self.looked_at = now
        self.refreshed_at = now

    def ask(self, now: float) -> None:
        """A snapshot is asked for; that its answer is awaited is what `task` tells."""
        super().ask(now)
        self.answered = True

    def lost_by_itself(self) -> bool:
        """Whether the book has been lost and nobody was told."""
        return self.lost_at is None and not self.feed.sequencer.synced

    def cancel(self) -> None:
        """Fetch nothing any more."""
        if self.task is not None:
            self.task.cancel()


class BinanceFuturesConnector(Connector):
    """`Connector` of Binance USD-M futures."""

    venue = "binance_futures"
    protocol = BinanceProtocol()

    def __init__(self, context: Context, share: int = 1) -> None:
        """``share``: how many workers share the exchange's limits, which count by address."""
        super().__init__(context)
        self._unknown = Unknown(self.venue, context.telemetry)
        c = context.config
        own: BinanceFuturesConfig = c.venues[self.venue].config
        self._own = own
        time = asyncio.get_running_loop().time
        self._weight = snapshot_weight(own.snapshot_levels)
        weight = RateLimiter(max(own.weight_per_minute // share, self._weight), 60.0, time)
        self.rest = Rest(
            self.venue,
            own.rest,
            c.open_timeout,
            weight,
            context.telemetry,
            c.proxies.of(own.rest),
        )
        connects = RateLimiter(max(_CONNECTS // share, 1), 300.0, time)
        self._public = ConnectionPool(f"{own.public_ws}/stream", self.protocol, self, context, connects)
        self._market = ConnectionPool(f"{own.market_ws}/stream", self.protocol, self, context, connects)
        self.pools = [self._public, self._market]

    async def universe(self) -> list[Listing]:
        """Perpetuals that trade now."""
        return await instruments(self.rest, self._unknown)

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        await self.rest.close()

    def make_sequencer(self) -> Sequencer:
        """The sequence rule of one book."""
        return sequencer.sequencer(_HELD)

    def make_decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection."""
        return decoder.decoder(clock=clock)

    def make_lane(
        self, instrument: Instrument, feed: FeedHandler, book: Stream, trade: Stream
    ) -> BinanceInstrumentState:
        """State of a new instrument."""
        return BinanceInstrumentState(instrument, feed, book, trade, self._time())

    def stream_names(self, symbol: str) -> tuple[str, str]:
        """Names of an instrument's book and trade streams, in lower case."""
        return f"{symbol.lower()}@depth@100ms", f"{symbol.lower()}@aggTrade"

    def pool(self, stream: Stream) -> ConnectionPool:
        """``/public`` for books, ``/market`` for trades."""
        return self._public if stream.kind == "book" else self._market

    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """A diff follows the one whose number it names; any diff may be the first."""
        return before is None or message.previous == before.final

    def movable(self, lane: InstrumentState) -> bool:
        """Not while a snapshot is being placed in the old connection's chain."""
        assert isinstance(lane, BinanceInstrumentState)
        return not lane.refresh.active

    def apply(self, lane: InstrumentState, message: BookMessage) -> Outcome:
        """Record a diff, and see where the market stands from time to time."""
        assert isinstance(lane, BinanceInstrumentState)
        outcome = lane.refresh.delta(message)
        now = self._time()
        if outcome is Outcome.EMIT and now - lane.looked_at >= _LOOK:
            lane.looked_at = now
            due = now - lane.refreshed_at >= self.config.refresh_interval
            if due and lane.task is None and lane.range.left(message.levels):
                self._run(lane, self._refresh)
        return outcome

    def _asked(self, lane: InstrumentState, stream: Stream) -> None:
        """A stream of diffs is no request for a book."""

    def note_lost(self, lane: InstrumentState, reason: str) -> None:
        """What waits around a snapshot is of a chain that has ended."""
        assert isinstance(lane, BinanceInstrumentState)
        if lane.refresh.holding and lane.task is not None:
            lane.task.cancel()
            lane.task = None
        lane.refresh.cancel()
        super().note_lost(lane, reason)

    def resync(self, lane: InstrumentState, waited: bool = False) -> None:
        """Fetch a snapshot, once a diff is there for it to join and trades come as well."""
        assert isinstance(lane, BinanceInstrumentState)
        now = self._time()
        if lane.task is None and self._due(lane) and lane.may_ask(now, waited):
            lane.ask(now)
            self._run(lane, self._fetch_until_joined)

    def _due(self, lane: InstrumentState) -> bool:
        sequencer = lane.feed.sequencer
        return not sequencer.synced and sequencer.held > 0 and lane.trade.ready and not lane.overflowed

    def _run(
        self, lane: BinanceInstrumentState, job: Callable[[BinanceInstrumentState], Coroutine[Any, Any, None]]
    ) -> None:
        async def run() -> None:
            try:
                await job(lane)
            finally:
                if lane.task is asyncio.current_task():
                    lane.task = None

        lane.task = self.context.spawn(run())

    async def _fetch_until_joined(self, lane: BinanceInstrumentState) -> None:
        """Fetch snapshots until one joins the diffs that wait."""
        c = self.config
        async for attempt in stamina.retry_context(
            on=_wait, attempts=None, timeout=None,
            wait_initial=0.2, wait_max=c.backoff_max, wait_jitter=min(0.2, c.backoff_jitter),
        ):  # fmt: skip
            with attempt:
                if not self._due(lane):
                    return  # the next diff asks again
                await self.rest.reserve(self._weight, _URGENT)
                snapshot = await self._fetch(lane)
                with self.context.outbox.lock:
                    if not self._due(lane):
                        return
                    held = lane.feed.sequencer.held
                    if lane.feed.book(snapshot) is not Outcome.EMIT:
                        raise StaleSnapshot(f"older than the {held} messages that wait")
                    self.context.outbox.add(lane.instrument, lane.feed, len(snapshot.levels.price))
                    self._widen(lane, snapshot)
                    self.note_synced(lane)

    async def _refresh(self, lane: BinanceInstrumentState) -> None:
        """Fetch one snapshot of a known book and place it in its chain; given up when it does not come in time."""
        lane.refreshed_at = self._time()
        await self.rest.reserve(self._weight, _LATER)
        with self.context.outbox.lock:
            if not lane.feed.sequencer.synced:
                return
            lane.refresh.begin()
        begin = self._time()
        snapshot: BookMessage | None = None
        try:
            snapshot = await asyncio.wait_for(self._fetch(lane), self.config.refresh_hold)
        except (RestError, TimeoutError) as e:
            self.telemetry.refused(self.venue, str(lane.instrument), f"refresh: {e or 'too slow'}")
        with self.context.outbox.lock:
            placed = snapshot is not None and lane.refresh.place(snapshot)
            if not placed:
                lane.refresh.release()
            self.context.outbox.add(lane.instrument, lane.feed, 2 * self._own.snapshot_levels)
            if lane.lost_by_itself():
                self.telemetry.gap(lane.instrument, "book")
                self.note_lost(lane, "gap")
            elif placed and snapshot is not None:
                self._widen(lane, snapshot)
                self.telemetry.refreshed(lane.instrument, self._time() - begin)

    def _widen(self, lane: BinanceInstrumentState, snapshot: BookMessage) -> None:
        lane.range.widen(snapshot.levels, self._own.snapshot_levels)
        lane.refreshed_at = self._time()

    async def _fetch(self, lane: BinanceInstrumentState) -> BookMessage:
        """One snapshot.

        Raises:
            RestError: it did not come, or cannot be understood.
        """
        symbol = lane.instrument.symbol
        levels = self._own.snapshot_levels
        query = {"symbol": symbol, "limit": str(levels)}
        raw = await self.rest.get("/fapi/v1/depth", query)
        snapshot = decoder.decoder().snapshot(symbol, self.context.clock(), raw)
        if isinstance(snapshot, BadFrame):
            self.telemetry.bad_frame(self.venue, symbol, snapshot.reason, snapshot.excerpt)
            raise RestError(snapshot.reason)
        return snapshot


def _wait(error: Exception) -> bool | float:
    """For how long to wait before the next snapshot: the exchange's word, or the backoff's."""
    if isinstance(error, RestError):
        return error.wait or True
    return isinstance(error, StaleSnapshot)
