"""State of one instrument on its way from streams to tape, whatever the connections do meanwhile."""

import math
from collections.abc import Mapping

from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.live.resync import Resync
from sources.live.stream import Stream
from sources.trade_deduplicator import TradeDeduplicator

_FREE_ATTEMPTS = 2
_ANSWER_PATIENCE = 1.0  # seconds that a snapshot may take
_MAX_PATIENCE = 300.0
_STEADY = 10.0  # seconds after which a known book has proved itself


class InstrumentState:
    """State of one instrument; a `connector.Connector` changes it."""

    resync: Resync  # how its book becomes known again; set by the connector, since a policy needs the state

    def __init__(self, instrument: Instrument, handler: FeedHandler, streams: Mapping[str, Stream], now: float) -> None:
        """Args:
        handler: checks and records its messages.
        streams: by kind, in order of subscription.
        now: seconds on the loop's clock.
        """
        self.instrument = instrument
        self.handler = handler
        self.streams = streams
        self.trades = TradeDeduplicator()
        self.lost_at: float | None = now  # when the book became unknown; None while it is known
        self.synced_at = now  # when it became known; `lost_at` and `note_lost` tell whether it is
        self.was_synced = False
        self.asked_at = now  # when the book was asked for anew
        self.attempts = 0  # how often, since it was last known for a while
        self.answered = True  # the book has been known since it was asked for
        self.overflowed = False

    @property
    def book(self) -> Stream:
        """The stream of its book."""
        return self.streams["book"]

    @property
    def trade(self) -> Stream:
        """The stream of its trades."""
        return self.streams["trade"]

    @property
    def book_known(self) -> bool:
        """Whether the sequence rule holds the book for known."""
        return self.handler.sequencer.synced

    def ask(self, now: float) -> None:
        """The book is asked for."""
        self.asked_at = now
        self.attempts += 1
        self.answered = False

    def may_ask(self, now: float, waited: bool) -> bool:
        """Whether the book may be asked for again; ``waited``: the caller looks at all books of a venue from time to
        time, so that what is wrong with all of a connection costs one message, not one a book.

        The first requests come at once, the next ones at doubling intervals, and while one is under way none comes
        before its answer is late. Only a book that stays known restores the patience: what makes it unknown again and
        again, such as frames that cannot be read, would otherwise cause requests without end.
        """
        patience = 2.0 ** (self.attempts - _FREE_ATTEMPTS) if self.attempts > _FREE_ATTEMPTS else 0.0
        if not self.answered:
            patience = max(patience, _ANSWER_PATIENCE)
        return patience == 0.0 or (waited and now >= math.ceil(self.asked_at + min(patience, _MAX_PATIENCE)))

    def know(self, now: float) -> None:
        """The book is known."""
        self.lost_at = None
        self.synced_at = now
        self.was_synced = self.answered = True

    def lose(self, now: float) -> bool:
        """The book is unknown; tells whether that is news."""
        if self.lost_at is not None:
            return False
        if now - self.synced_at >= _STEADY:
            self.attempts = 0
        self.lost_at = now
        return True
