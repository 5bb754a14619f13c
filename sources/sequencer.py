"""Sequence checking of books: which messages continue a book, and where continuity is lost.

A sequencer is a small state machine of one instrument. It knows neither sockets nor books, only the numbers in the
messages; what it emits is a snapshot followed by an unbroken chain of deltas.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

import numpy as np

from sources.messages import BookMessage
from sources.tape.batch import Int64s

# ns; a snapshot that no delta has reached by then lies ahead of the stream: its number is wrong, or the stream lags.
AHEAD_NS = 5_000_000_000
BUFFER_LIMIT = 4096  # deltas; at one every 100 ms, about 7 minutes of waiting for a snapshot


class Outcome(Enum):
    """What becomes of a delta."""

    EMIT = "emit"  # it continues the book
    HOLD = "hold"  # kept until a snapshot comes
    DROP = "drop"  # no part of the book: older than the snapshot, or before any
    GAP = "gap"  # continuity is lost; the book is unknown until the next snapshot


class Sequencer(Protocol):
    """One instrument's sequence rule; the counters only grow."""

    gaps: int  # breaks of the chain, also those among held deltas
    dropped: int  # deltas that will never be emitted
    overflowed: int  # of these, those that the full buffer lost
    snapshots_ignored: int  # came while the book was known
    snapshots_unusable: int  # too old to join the deltas held

    @property
    def synced(self) -> bool:
        """Whether the book is known."""
        ...

    @property
    def held(self) -> int:
        """Deltas that wait for a snapshot."""
        ...

    def delta(self, message: BookMessage) -> Outcome:
        """Judge the next delta."""
        ...

    def skips(self, message: BookMessage) -> bool:
        """Whether messages are missing between the known book and a snapshot; counts that as a gap."""
        ...

    def snapshot(self, message: BookMessage) -> Sequence[BookMessage]:
        """Judge a snapshot: what to emit, in order, itself first; nothing when it is of no use."""
        ...

    def lost(self) -> None:
        """Continuity is lost for a reason outside the numbers: disconnect, stale feed, bad frame."""
        ...

    def splice(self, chain: Sequence[BookMessage]) -> Sequence[BookMessage] | None:
        """Go on with the unbroken chain of another connection: what of it to emit.

        None when the book is unknown, or when the chain does not reach over the last message emitted: it lies in the
        future, so that the old connection must go on first, or in the past.
        """
        ...


class Numbers(NamedTuple):
    """The numbers of consecutive deltas, shape ``(deltas,)`` each; as in `BookMessage`."""

    first: Int64s
    final: Int64s
    previous: Int64s
    exchange_ts: Int64s  # ns


class ChainRule(NamedTuple):
    """How deltas that are numbered apart from their snapshot join it and follow one another.

    ``follows`` is also asked about many deltas at once, so it must work element by element.
    """

    stale: Callable[[BookMessage, int], bool]  # (delta, snapshot's number): it is wholly in the snapshot
    joins: Callable[[BookMessage, int], bool]  # (delta, snapshot's number): it may be the first after it
    follows: Callable[[BookMessage | Numbers, Any], Any]  # (delta, number of the delta before)


class DiffSequencer:
    """Deltas are numbered by the stream and the snapshot is fetched apart: hold, join, then follow the chain."""

    def __init__(self, rule: ChainRule, limit: int = BUFFER_LIMIT) -> None:
        """At most ``limit`` deltas are held; then the oldest goes, since a late snapshot joins the newest."""
        self._rule = rule
        self._buffer: deque[BookMessage] = deque()
        self._limit = limit
        self._snapshot: int | None = None  # number of a snapshot that no delta has joined yet
        self._snapshot_ts = 0  # ns, when it was received
        self._final: int | None = None  # number of the last delta emitted
        self.gaps = self.dropped = self.overflowed = self.snapshots_ignored = self.snapshots_unusable = 0

    @property
    def synced(self) -> bool:
        """Whether the book is known."""
        return self._final is not None or self._snapshot is not None

    @property
    def held(self) -> int:
        """Deltas that wait for a snapshot."""
        return len(self._buffer)

    def delta(self, message: BookMessage) -> Outcome:
        """Judge the next delta; one that breaks the chain is held as the first of a new one."""
        if self._final is not None:
            if self._continues(message, self._final):
                self._final = message.final
                return Outcome.EMIT
        elif self._snapshot is not None:
            if self._rule.stale(message, self._snapshot):
                if message.receive_ts - self._snapshot_ts <= AHEAD_NS:
                    self.dropped += 1
                    return Outcome.DROP
            elif self._rule.joins(message, self._snapshot):
                self._snapshot, self._final = None, message.final
                return Outcome.EMIT
        else:
            self._hold(message)
            return Outcome.HOLD
        self.gaps += 1
        self.lost()
        self._hold(message)
        return Outcome.GAP

    def run(self, deltas: Numbers) -> int:
        """How many of consecutive deltas, from the first on, continue the book; those count as emitted."""
        if self._final is None or len(deltas.final) == 0:
            return 0
        follows = self._rule.follows(deltas, np.append(self._final, deltas.final[:-1]))
        count = len(follows) if follows.all() else int(follows.argmin())
        if count:
            self._final = int(deltas.final[count - 1])
        return count

    def skips(self, message: BookMessage) -> bool:
        """Never: a snapshot of a known book is ignored."""
        return False

    def snapshot(self, message: BookMessage) -> Sequence[BookMessage]:
        """Judge a snapshot: itself and the held deltas that continue it; nothing when it is of no use."""
        if self.synced:
            self.snapshots_ignored += 1
            return ()
        number = message.final
        stale = 0
        for held in self._buffer:
            if not self._rule.stale(held, number):
                break
            stale += 1
        chain = list(self._buffer)[stale:]
        if chain and not self._rule.joins(chain[0], number):
            self.snapshots_unusable += 1
            return ()
        self.dropped += stale
        self._buffer.clear()
        if chain:
            self._final = chain[-1].final
        else:
            self._snapshot, self._snapshot_ts = number, message.receive_ts
        return [message, *chain]

    def lost(self) -> None:
        """Forget the book and what was held: nothing that comes later continues it."""
        self.dropped += len(self._buffer)
        self._buffer.clear()
        self._snapshot = self._final = None

    def splice(self, chain: Sequence[BookMessage]) -> Sequence[BookMessage] | None:
        """Go on with a chain that another connection has batched otherwise.

        Its first delta beyond the last one emitted may overlap that one: sizes are absolute, so what both carry is
        written twice and means the same.
        """
        final = self._final
        if final is None or not chain or chain[-1].final < final:
            return None
        rest = [m for m in chain if m.final > final]
        if rest and not self._rule.joins(rest[0], final):
            return None
        self._final = chain[-1].final
        return rest

    def _continues(self, message: BookMessage, final: int) -> bool:
        return bool(self._rule.follows(message, final))

    def _hold(self, message: BookMessage) -> None:
        if self._buffer and not self._continues(message, self._buffer[-1].final):
            self.gaps += 1
            self.lost()
        if len(self._buffer) >= self._limit:
            self._buffer.popleft()
            self.overflowed += 1
            self.dropped += 1
        self._buffer.append(message)


class StreamRule(NamedTuple):
    """How messages follow one another where the snapshot comes in the stream itself."""

    follows: Callable[[BookMessage, int], bool]  # (delta, number of the message before)
    skips: Callable[[BookMessage, int], bool]  # (snapshot, number of the message before): some are missing between


# Every message has the number after the one before, or begins anew with a lower one.
NUMBERED = StreamRule(
    follows=lambda delta, before: delta.final == before + 1, skips=lambda snapshot, before: snapshot.final > before + 1
)
# Snapshots whose numbers tell nothing of what lies between them.
UNNUMBERED = NUMBERED._replace(skips=lambda snapshot, before: False)


class SnapshotSequencer:
    """Snapshots come in the stream itself, so nothing is held: a delta follows the message before, or is lost."""

    def __init__(self, rule: StreamRule) -> None:
        self._rule = rule
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
        if self._final is not None and self._rule.follows(message, self._final):
            self._final, self._exchange_ts = message.final, message.exchange_ts
            return Outcome.EMIT
        self.dropped += 1
        if self._final is None:
            return Outcome.DROP
        self.gaps += 1
        self._final = None
        return Outcome.GAP

    def skips(self, message: BookMessage) -> bool:
        """Whether messages are missing between the known book and a snapshot; counts that as a gap."""
        hole = self._final is not None and self._rule.skips(message, self._final)
        self.gaps += hole
        return hole

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
