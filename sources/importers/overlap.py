"""Sequence rules of recordings, in which messages may come twice: repeated lines, overlapping files, a second stream.

Sizes in a book are absolute, so what has been told already changes nothing, and a message that tells more than what is
new may be applied as it is. Live, one connection is read at a time, and either is a gap.
"""

from collections.abc import Callable, Sequence

from sources.messages import BookMessage
from sources.sequencer import AHEAD_NS, NUMBERED, DiffSequencer, Numbers, Outcome, SnapshotSequencer
from sources.venues.binance_futures.sequencer import RULE as FUTURES
from sources.venues.binance_spot.sequencer import RULE as SPOT


class OverlappingDiffs(DiffSequencer):
    """Follows whichever chain of diffs is ahead: every message that leaves no hole behind the one before.

    A message up to a number that is reached already repeats what is known. If its time is newer by more than
    `AHEAD_NS`, the market is numbered anew, and that is a gap.
    """

    repeated = 0  # messages that told nothing new
    _last_ts = 0  # ns, exchange time of the last message emitted

    @property
    def waiting(self) -> Sequence[BookMessage]:
        """The deltas that wait for a snapshot, in a chain without a gap."""
        return self._buffer

    def reached(self, number: int) -> bool:
        """Whether one of them lies beyond a snapshot of that number, or joins it."""
        return any(not self._rule.stale(delta, number) for delta in self._buffer)

    def delta(self, message: BookMessage) -> Outcome:
        """Judge the next delta; one that tells nothing new is dropped."""
        held = self._buffer[-1] if self._buffer else None
        final = self._final if held is None else held.final
        if final is not None and message.final <= final and not super()._continues(message, final):
            last_ts = self._last_ts if held is None else held.exchange_ts
            if message.exchange_ts - last_ts <= AHEAD_NS:
                self.repeated += 1
                return Outcome.DROP
        outcome = super().delta(message)
        if outcome is Outcome.EMIT:
            self._last_ts = message.exchange_ts
        return outcome

    def run(self, deltas: Numbers) -> int:
        """As of any."""
        count = super().run(deltas)
        if count:
            self._last_ts = int(deltas.exchange_ts[count - 1])
        return count

    def snapshot(self, message: BookMessage) -> Sequence[BookMessage]:
        """As of any."""
        emitted = super().snapshot(message)
        if emitted:
            self._last_ts = emitted[-1].exchange_ts
        return emitted

    def _continues(self, message: BookMessage, final: int) -> bool:
        """Another chain's message may begin before the last one ends."""
        if super()._continues(message, final):
            return True
        before = message.previous if message.previous >= 0 else message.first - 1
        return before <= final < message.final


class RepeatedBooks(SnapshotSequencer):
    """Leaves out deltas that repeat what is known, and books from before it; the same book again replaces it."""

    repeated = 0

    def delta(self, message: BookMessage) -> Outcome:
        """Judge the next delta; one that tells nothing new is dropped."""
        if self._final is not None and message.final <= self._final and message.exchange_ts <= self._exchange_ts:
            self.repeated += 1
            return Outcome.DROP
        return super().delta(message)

    def snapshot(self, message: BookMessage) -> Sequence[BookMessage]:
        """Emit the snapshot, unless it is older than what is known; an older number alone does not tell that."""
        if self._final is not None and message.final < self._final and message.exchange_ts < self._exchange_ts:
            self.repeated += 1
            return ()
        return super().snapshot(message)


Recorded = OverlappingDiffs | RepeatedBooks

SEQUENCERS: dict[str, Callable[[], Recorded]] = {
    "binance_futures": lambda: OverlappingDiffs(FUTURES),
    "binance_spot": lambda: OverlappingDiffs(SPOT),
    "bybit_linear": lambda: RepeatedBooks(NUMBERED),
}
