"""One instrument's way from its streams to its tape, whatever the connections do meanwhile."""

import math
from collections import deque

from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.live.staleness import Staleness
from sources.live.websocket import Websocket
from sources.messages import BookMessage, Message, TradeMessage
from sources.trade_deduplicator import TradeDeduplicator

HELD_LIMIT = 4096  # messages of a new connection that wait for the hand-over
_FREE_ATTEMPTS = 2
_ANSWER_PATIENCE = 1.0  # seconds that a snapshot may take
_MAX_PATIENCE = 300.0
_STEADY = 10.0  # seconds after which a known book has proved itself


class Stream:
    """One stream of an instrument: which connection it is read from, and which one is about to take over."""

    def __init__(self, kind: str, name: str, patience: float) -> None:
        self.kind = kind  # "book" or "trade"
        self.name = name
        self.source: Websocket | None = None
        self.successor: Websocket | None = None
        self.held: deque[Message] = deque(maxlen=HELD_LIMIT)  # of the successor
        self.silence = Staleness(patience)

    @property
    def ready(self) -> bool:
        """Whether the exchange has acknowledged the stream on the connection that it is read from."""
        return self.source is not None and self.name in self.source.subscribed

    def promote(self) -> list[Message]:
        """Read from the successor from now on; gives what it has said so far."""
        self.source, self.successor = self.successor, None
        held = list(self.held)
        self.held.clear()
        return held


class InstrumentState:
    """State of one instrument; `connector.Connector` moves it."""

    def __init__(self, instrument: Instrument, feed: FeedHandler, book: Stream, trade: Stream, now: float) -> None:
        self.instrument = instrument
        self.feed = feed
        self.book = book
        self.trade = trade
        self.trades = TradeDeduplicator()
        self.lost_at: float | None = now  # when the book became unknown; None while it is known
        self.synced_at = now  # when it became known; `lost_at` and `note_lost` tell whether it is
        self.was_synced = False
        self.asked_at = now  # when the book was asked for anew
        self.attempts = 0  # how often, since it was last known for a while
        self.answered = True  # the book has been known since it was asked for
        self.overflowed = False

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

    def cancel(self) -> None:
        """Stop what the venue does for this instrument alone; by default nothing."""

    @property
    def streams(self) -> tuple[Stream, Stream]:
        """Trades first: a subscription in this order has them before the book's first snapshot."""
        return self.trade, self.book

    def stream(self, message: BookMessage | TradeMessage) -> Stream:
        """The stream that a message belongs to."""
        return self.trade if isinstance(message, TradeMessage) else self.book
