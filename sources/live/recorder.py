"""From messages of an instrument to its tape: what is recorded, and what a loss of continuity costs."""

import asyncio

from sources.live.context import Context
from sources.live.instrument_state import InstrumentState
from sources.messages import BookMessage, DerivativeMessage, TradeMessage
from sources.sequencer import Outcome
from sources.tape.batch import SNAPSHOT


class Recorder:
    """Records the messages of instruments; the caller of its methods holds the row buffer's lock."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._telemetry = context.telemetry
        self._time = asyncio.get_running_loop().time

    def record(self, state: InstrumentState, message: BookMessage | TradeMessage | DerivativeMessage) -> None:
        """Record a message of the connection that its stream is read from."""
        if state.overflowed:
            return
        if isinstance(message, DerivativeMessage):
            if not self.context.row_buffer.full and state.handler.derivative(message):
                self.recorded(state, 1)
            return
        if self.context.row_buffer.full:
            state.overflowed = True
            self._telemetry.overflowed(state.instrument)
            self.lose(state, message.receive_ts, "buffer overflow")
            return
        if isinstance(message, TradeMessage):
            self._record_trade(state, message)
        else:
            self._record_book(state, message)

    def lose(self, state: InstrumentState, receive_ts: int, reason: str) -> None:
        """Continuity is lost, of book or trades; a ``reset`` is recorded if the book was known."""
        state.handler.lost(receive_ts)
        self.recorded(state, 1)
        self.note_lost(state, reason)

    def note_lost(self, state: InstrumentState, reason: str) -> None:
        """Tell of a loss, once until the book is known again."""
        state.resync.lost()
        if state.lose(self._time()):
            self._telemetry.lost(state.instrument, reason)

    def note_synced(self, state: InstrumentState) -> None:
        """Tell that the book is known."""
        if state.lost_at is not None:
            now = self._time()
            self._telemetry.synced(state.instrument, now - state.lost_at, not state.was_synced)
            state.know(now)

    def recorded(self, state: InstrumentState, rows: int) -> None:
        """About ``rows`` rows wait to be drained."""
        self.context.row_buffer.add(state.instrument, state.handler, rows)

    def _record_trade(self, state: InstrumentState, message: TradeMessage) -> None:
        verdict = state.trades.judge(message)
        if verdict.repeated:
            self._telemetry.repeated(state.instrument)
            return
        if verdict.loss:
            self._telemetry.gap(state.instrument, "trade")
            # The reset of an unknown book tells of them; one whose snapshot came before this print does not.
            if state.book_known:
                self.lose(state, message.receive_ts, verdict.loss)
        if message.off_book:
            self._telemetry.off_book(state.instrument, message.off_book)
            return
        state.handler.trade(message)
        self.recorded(state, 1)

    def _record_book(self, state: InstrumentState, message: BookMessage) -> None:
        was_known = state.book_known
        gaps = state.handler.sequencer.gaps
        outcome = state.resync.apply(message)
        self.recorded(state, len(message.levels.price))
        if outcome is Outcome.GAP and was_known:
            if message.kind != SNAPSHOT:
                self._telemetry.gap(state.instrument, "book")
            self.note_lost(state, "gap")
        elif outcome is Outcome.EMIT:
            if was_known and state.handler.sequencer.gaps > gaps:  # a snapshot behind a hole
                self._telemetry.gap(state.instrument, "book")
                self.note_lost(state, "gap")
            self.note_synced(state)
        if outcome is not Outcome.EMIT:
            state.resync.request()
