"""A book that becomes known again by a snapshot over REST, which joins the deltas that wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

import stamina

from sources.live.instrument_state import InstrumentState
from sources.live.recorder import Recorder
from sources.live.rest import Rest, RestError
from sources.live.snapshot_refresh import KnownRange, Refresh
from sources.messages import BookMessage
from sources.sequencer import Outcome

_URGENT, _LATER = 0, 1  # priorities of requests: an unknown book, a known one whose range shrinks
_LOOK = 0.5  # seconds between two looks at where the market stands


class SnapshotRequest(NamedTuple):
    """How a venue gives a book over REST."""

    weight: int  # units of the venue's limit that a request costs
    levels: int  # of each side that a reply has at most
    fetch: Callable[[str], Awaitable[BookMessage]]  # of a symbol; raises `RestError`


class StaleSnapshot(Exception):
    """A snapshot is older than the messages that wait for it."""


class SnapshotResync:
    """`sources.live.resync.Resync` by REST, for streams of deltas that hold no snapshot.

    It also fetches a snapshot of a known book whose market is leaving the range of prices that the last one told of.
    """

    def __init__(self, state: InstrumentState, recorder: Recorder, rest: Rest, request: SnapshotRequest) -> None:
        self._state = state
        self._recorder = recorder
        self._rest = rest
        self._request = request
        self._context = recorder.context
        self._config = recorder.context.config
        self._time = asyncio.get_running_loop().time
        self._refresh = Refresh(state.handler)
        self._range = KnownRange()
        self._task: asyncio.Task[None] | None = None  # the one that fetches a snapshot
        self._looked_at = self._refreshed_at = self._time()

    @property
    def movable(self) -> bool:
        """Whether no snapshot is being placed in the old connection's chain."""
        return not self._refresh.active

    def apply(self, message: BookMessage) -> Outcome:
        """Judge and record a delta, and see where the market stands from time to time."""
        outcome = self._refresh.delta(message)
        now = self._time()
        if outcome is Outcome.EMIT and now - self._looked_at >= _LOOK:
            self._looked_at = now
            due = now - self._refreshed_at >= self._config.refresh_interval
            if due and self._task is None and self._range.left(message.levels):
                self._run(self._refresh_once)
        return outcome

    def request(self, waited: bool = False) -> None:
        """Fetch a snapshot, once a delta is there for it to join and trades come as well."""
        now = self._time()
        if self._task is None and self._due() and self._state.may_ask(now, waited):
            self._state.ask(now)
            self._state.answered = True  # that the answer is awaited is what the task tells
            self._run(self._fetch_until_joined)

    def asked(self) -> None:
        """A stream of deltas is no request for a book."""

    def subscribed(self) -> None:
        """A stream of deltas is no request for a book."""

    def lost(self) -> None:
        """What waits around a snapshot is of a chain that has ended."""
        if self._refresh.holding and self._task is not None:
            self._task.cancel()
            self._task = None
        self._refresh.cancel()

    def cancel(self) -> None:
        """Fetch nothing any more."""
        if self._task is not None:
            self._task.cancel()

    def _due(self) -> bool:
        s = self._state
        return not s.book_known and s.handler.sequencer.held > 0 and s.trade.ready and not s.overflowed

    def _run(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            try:
                await job()
            finally:
                if self._task is asyncio.current_task():
                    self._task = None

        self._task = self._context.spawn(run())

    async def _fetch_until_joined(self) -> None:
        """Fetch snapshots until one joins the deltas that wait."""
        c = self._config
        async for attempt in stamina.retry_context(
            on=_wait, attempts=None, timeout=None,
            wait_initial=0.2, wait_max=c.backoff_max, wait_jitter=min(0.2, c.backoff_jitter),
        ):  # fmt: skip
            with attempt:
                if not self._due():
                    return  # the next delta asks again
                await self._rest.reserve(self._request.weight, _URGENT)
                snapshot = await self._request.fetch(self._state.instrument.symbol)
                with self._context.row_buffer.lock:
                    if not self._due():
                        return
                    held = self._state.handler.sequencer.held
                    if self._state.handler.book(snapshot) is not Outcome.EMIT:
                        raise StaleSnapshot(f"older than the {held} messages that wait")
                    self._recorder.recorded(self._state, len(snapshot.levels.price))
                    self._widen(snapshot)
                    self._recorder.note_synced(self._state)

    async def _refresh_once(self) -> None:
        """Fetch one snapshot of a known book and place it in its chain; given up when it does not come in time."""
        self._refreshed_at = self._time()
        await self._rest.reserve(self._request.weight, _LATER)
        state, telemetry = self._state, self._context.telemetry
        with self._context.row_buffer.lock:
            if not state.book_known:
                return
            self._refresh.begin()
        begin = self._time()
        snapshot: BookMessage | None = None
        try:
            fetched = self._request.fetch(state.instrument.symbol)
            snapshot = await asyncio.wait_for(fetched, self._config.refresh_hold)
        except (RestError, TimeoutError) as e:
            telemetry.refused(state.instrument.venue, str(state.instrument), f"refresh: {e or 'too slow'}")
        with self._context.row_buffer.lock:
            placed = snapshot is not None and self._refresh.place(snapshot)
            if not placed:
                self._refresh.release()
            self._recorder.recorded(state, 2 * self._request.levels)
            if self._lost_untold():
                telemetry.gap(state.instrument, "book")
                self._recorder.note_lost(state, "gap")
            elif placed and snapshot is not None:
                self._widen(snapshot)
                telemetry.refreshed(state.instrument, self._time() - begin)

    def _lost_untold(self) -> bool:
        """Whether the book was lost among the deltas that waited."""
        return self._state.lost_at is None and not self._state.book_known

    def _widen(self, snapshot: BookMessage) -> None:
        self._range.widen(snapshot.levels, self._request.levels)
        self._refreshed_at = self._time()


def _wait(error: Exception) -> bool | float:
    """For how long to wait before the next snapshot: the exchange's word, or the backoff's."""
    if isinstance(error, RestError):
        return error.wait or True
    return isinstance(error, StaleSnapshot)
