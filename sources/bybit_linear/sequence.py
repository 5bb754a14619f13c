"""The sequence rule of Bybit V5 linear books.

Exchange documentation, "Orderbook" (V5 WebSocket): a snapshot comes first and may come again at any time, and replaces
the book; ``u == 1`` means a service restart and replaces it too (the decoder calls that a snapshot); a delta continues
when its ``u`` is the ``u`` before plus 1.
"""

from collections.abc import Sequence

from sources.messages import BookMessage
from sources.sequencer import Outcome


class SnapshotSequencer:
    """Snapshots come in the stream itself, so nothing is held: a delta continues the book or does not count."""

    def __init__(self) -> None:
        self._final: int | None = None  # number of the last message emitted
        self._exchange_ts = 0  # and its time
        self.gaps = self.dropped = self.overflowed = self.snapshots_ignored = self.snapshots_unusable = 0

    @property
    def synced(self) -> bool:
        """Whether the book is known."""
        return self._final is not None

    @property
    def held(self) -> int:
        """None ever wait."""
        return 0

    def delta(self, message: BookMessage) -> Outcome:
        """Judge the next delta; one that breaks the chain is lost with it."""
        if self._final is not None and message.final == self._final + 1:
            self._final, self._exchange_ts = message.final, message.exchange_ts
            return Outcome.EMIT
        self.dropped += 1
        if self._final is None:
            return Outcome.DROP
        self.gaps += 1
        self._final = None
        return Outcome.GAP

    def snapshot(self, message: BookMessage) -> Sequence[BookMessage]:
        """Emit the snapshot: it always replaces the book."""
        self._final, self._exchange_ts = message.final, message.exchange_ts
        return (message,)

    def splice(self, chain: Sequence[BookMessage]) -> Sequence[BookMessage] | None:
        """Go on with another connection's snapshot and deltas, once the book has come as far as that snapshot.

        The chain must hold the very message that was the last: after a restart of the service numbers come again.
        """
        last = (self._final, self._exchange_ts)
        here = next((at for at, m in enumerate(chain) if (m.final, m.exchange_ts) == last), None)
        if here is None:
            return None
        rest = chain[here + 1 :]
        if rest:
            self._final, self._exchange_ts = rest[-1].final, rest[-1].exchange_ts
        return rest

    def lost(self) -> None:
        """Forget the book: deltas count again after the next snapshot."""
        self._final = None


def sequencer() -> SnapshotSequencer:
    """A sequencer of one topic's book."""
    return SnapshotSequencer()
