"""One instrument's messages, in order of arrival, through the sequence check onto its tape."""

from collections.abc import Sequence

from sources.derivative_deduplicator import DerivativeDeduplicator
from sources.messages import BookMessage, DerivativeMessage, TradeMessage
from sources.sequencer import Outcome, Sequencer
from sources.tape.batch import SNAPSHOT
from sources.tape.builder import TapeBuilder


class FeedHandler:
    """Joins a sequencer and a tape builder: what the one emits the other records, a gap becomes a ``reset``."""

    def __init__(self, sequencer: Sequencer, builder: TapeBuilder) -> None:
        self.sequencer = sequencer
        self.builder = builder
        self._derivatives = DerivativeDeduplicator()
        self.trades = 0
        self.derivatives = 0  # recorded
        self.snapshots = 0  # recorded

    def trade(self, message: TradeMessage) -> None:
        """Record a print; it needs no book."""
        self.trades += 1
        self.builder.trade(
            message.exchange_ts, message.receive_ts, message.trade_id, message.side, message.price, message.size
        )

    def derivative(self, message: DerivativeMessage) -> bool:
        """Record what needs no book and touches none; False when it tells nothing new."""
        m = message
        if self._derivatives.knows(m):
            return False
        self.derivatives += 1
        self.builder.derivative(m.kind, m.exchange_ts, m.receive_ts, m.sequence, m.side, m.price, m.size)
        return True

    def book(self, message: BookMessage) -> Outcome:
        """Check a book message and record what it lets through."""
        if message.kind == SNAPSHOT:
            return self._snapshot(message)
        outcome = self.sequencer.delta(message)
        if outcome is Outcome.EMIT:
            self.builder.delta(message.exchange_ts, message.receive_ts, message.final, message.levels)
        elif outcome is Outcome.GAP:
            self.builder.reset(message.receive_ts)
        return outcome

    def lost(self, receive_ts: int) -> None:
        """Continuity was lost at ``receive_ts`` (ns) for a reason outside the numbers."""
        self.sequencer.lost()
        self.builder.reset(receive_ts)

    def replace(self, message: BookMessage) -> None:
        """Record a snapshot of the known book beside its chain: it makes levels known that no delta has told of.

        The caller has checked that every delta up to its number is recorded, and none beyond.
        """
        self.snapshots += 1
        self.builder.snapshot(message.exchange_ts, message.receive_ts, message.final, message.levels)

    def splice(self, chain: Sequence[BookMessage]) -> bool:
        """Go on with another connection's chain; False when it cannot be joined to the book yet."""
        if any(m.kind == SNAPSHOT and len(m.levels.price) == 0 for m in chain):
            return False
        emitted = self.sequencer.splice(chain)
        for message in emitted or ():
            if message.kind == SNAPSHOT:
                self.replace(message)
            else:
                self.builder.delta(message.exchange_ts, message.receive_ts, message.final, message.levels)
        return emitted is not None

    def _snapshot(self, message: BookMessage) -> Outcome:
        if len(message.levels.price) == 0:  # an empty snapshot is a reset (docs/tape.md, 2.3)
            self.lost(message.receive_ts)
            return Outcome.GAP
        if self.sequencer.skips(message):
            self.builder.reset(message.receive_ts)
        emitted = self.sequencer.snapshot(message)
        if not emitted:
            return Outcome.DROP
        self.snapshots += 1
        self.builder.snapshot(message.exchange_ts, message.receive_ts, message.final, message.levels)
        for delta in emitted[1:]:
            self.builder.delta(delta.exchange_ts, delta.receive_ts, delta.final, delta.levels)
        return Outcome.EMIT
