"""How far a Binance book is known, and how a new snapshot widens that without a break.

Exchange documentation, "How to manage a local order book correctly": a snapshot holds the best levels of each side, and
a level beyond them that does not change is unknown. So when the market has moved a good part of the way to the edge of
the last snapshot, another one is fetched and written into the tape at its own place in the chain: after every delta up
to its number, before every delta beyond.
"""

from collections import deque

import numpy as np

from sources.feed_handler import FeedHandler
from sources.messages import BookMessage
from sources.sequencer import AHEAD_NS, Outcome
from sources.tape.batch import SNAPSHOT
from sources.tape.collected import Levels

_ROOM = 0.5  # of the way from the touch to the edge; what is left covers the best 20 levels in any market but a crash


class KnownRange:
    """Prices between which the market may move before the book must be fetched again."""

    def __init__(self) -> None:
        self._low = -np.inf
        self._high = np.inf

    def widen(self, levels: Levels, limit: int) -> None:
        """Take the range of a snapshot; a side with fewer levels than ``limit`` is known to its end."""
        bids, asks = levels.price[levels.side > 0], levels.price[levels.side < 0]
        self._low, self._high = -np.inf, np.inf
        if len(bids) and len(asks):
            best_bid, best_ask = float(bids.max()), float(asks.min())
            if len(bids) >= limit:
                self._low = best_bid - _ROOM * (best_bid - float(bids.min()))
            if len(asks) >= limit:
                self._high = best_ask + _ROOM * (float(asks.max()) - best_ask)

    def left(self, levels: Levels) -> bool:
        """Whether changed levels show that the market has left: no ask is below the best ask, no bid above the best
        bid."""
        there = levels.size > 0.0
        asks = levels.price[there & (levels.side < 0)]
        bids = levels.price[there & (levels.side > 0)]
        return bool((asks < self._low).any() or (bids > self._high).any())


class Refresh:
    """Places a new snapshot of a known book into its chain.

    From `begin` on deltas wait, for the snapshot's number lies among those that arrive while it is fetched; `place`
    lets them go around it, `cancel` without it.
    """

    def __init__(self, handler: FeedHandler) -> None:
        self._handler = handler
        self._held: deque[BookMessage] | None = None
        self._snapshot: BookMessage | None = None  # beyond the newest delta so far

    @property
    def holding(self) -> bool:
        """Whether deltas wait for a snapshot that is being fetched."""
        return self._held is not None

    @property
    def active(self) -> bool:
        """Whether deltas or a snapshot wait."""
        return self._held is not None or self._snapshot is not None

    def begin(self) -> None:
        """Hold deltas from now on."""
        self._held = deque()
        self._snapshot = None

    def delta(self, message: BookMessage) -> Outcome:
        """Judge the next delta; one that is held has not been checked."""
        if self._held is not None:
            self._held.append(message)
            return Outcome.HOLD
        if self._snapshot is not None:
            if message.final > self._snapshot.final:
                self._write()
            elif message.receive_ts - self._snapshot.receive_ts > AHEAD_NS:
                self._snapshot = None  # the stream does not come to its number
        return self._handler.book(message)

    def place(self, snapshot: BookMessage) -> bool:
        """Let the deltas go around the snapshot; False when the book is already beyond it, so that they still wait."""
        if snapshot.final < self._handler.builder.tail.book_sequence or len(snapshot.levels.price) == 0:
            return False
        assert snapshot.kind == SNAPSHOT
        self._snapshot = snapshot
        self.release()
        return True

    def release(self) -> None:
        """Let the deltas go, and with them the news of a gap among them."""
        held, self._held = self._held or (), None
        for message in held:
            self.delta(message)

    def cancel(self) -> None:
        """The book is lost, or fetched anew: forget what waits."""
        self._held = self._snapshot = None

    def _write(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None and self._handler.sequencer.synced:
            self._handler.replace(snapshot)
