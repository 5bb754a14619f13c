"""From messages of an instrument to its tape: what is recorded, and what a loss of continuity costs."""

import asyncio
from abc import ABC, abstractmethod

from sources.live.context import Context
from sources.live.instrument_state import InstrumentState
from sources.messages import BookMessage, TradeMessage
from sources.sequencer import Outcome
from sources.tape.batch import SNAPSHOT


class Recorder(ABC):
    """Records the messages of lanes; the caller of its methods holds the outbox's lock."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.telemetry = context.telemetry
        self.config = context.config
        self._time = asyncio.get_running_loop().time

    @abstractmethod
    def resync(self, lane: InstrumentState, waited: bool = False) -> None:
        """See to it that an unknown book becomes known; called whenever that may have become possible."""

    def apply(self, lane: InstrumentState, message: BookMessage) -> Outcome:
        """Record a book message."""
        return lane.feed.book(message)

    def record(self, lane: InstrumentState, message: BookMessage | TradeMessage) -> None:
        """Record a message of the connection that its stream is read from."""
        if lane.overflowed:
            return
        if self.context.outbox.full:
            lane.overflowed = True
            self.telemetry.overflowed(lane.instrument)
            self.lose(lane, message.receive_ts, "buffer overflow")
            return
        if isinstance(message, TradeMessage):
            verdict = lane.trades.judge(message)
            if verdict.repeated:
                self.telemetry.repeated(lane.instrument)
                return
            if verdict.loss:
                self.telemetry.gap(lane.instrument, "trade")
                # The reset of an unknown book tells of them; one whose snapshot came before this print does not.
                if lane.feed.sequencer.synced:
                    self.lose(lane, message.receive_ts, verdict.loss)
            if message.off_book:
                self.telemetry.off_book(lane.instrument, message.off_book)
                return
            lane.feed.trade(message)
            self.recorded(lane, 1)
            return
        was_known = lane.feed.sequencer.synced
        gaps = lane.feed.sequencer.gaps
        outcome = self.apply(lane, message)
        self.recorded(lane, len(message.levels.price))
        if outcome is Outcome.GAP and was_known:
            if message.kind != SNAPSHOT:
                self.telemetry.gap(lane.instrument, "book")
            self.note_lost(lane, "gap")
        elif outcome is Outcome.EMIT:
            if was_known and lane.feed.sequencer.gaps > gaps:  # a snapshot behind a hole
                self.telemetry.gap(lane.instrument, "book")
                self.note_lost(lane, "gap")
            self.note_synced(lane)
        if outcome is not Outcome.EMIT:
            self.resync(lane)

    def lose(self, lane: InstrumentState, receive_ts: int, reason: str) -> None:
        """Continuity is lost, of book or trades; a ``reset`` is recorded if the book was known."""
        lane.feed.lost(receive_ts)
        self.recorded(lane, 1)
        self.note_lost(lane, reason)

    def note_lost(self, lane: InstrumentState, reason: str) -> None:
        """Tell of a loss, once until the book is known again."""
        if lane.lose(self._time()):
            self.telemetry.lost(lane.instrument, reason)

    def note_synced(self, lane: InstrumentState) -> None:
        """Tell that the book is known."""
        if lane.lost_at is not None:
            now = self._time()
            self.telemetry.synced(lane.instrument, now - lane.lost_at, not lane.was_synced)
            lane.know(now)

    def recorded(self, lane: InstrumentState, rows: int) -> None:
        """About ``rows`` rows wait to be drained."""
        self.context.outbox.add(lane.instrument, lane.feed, rows)
