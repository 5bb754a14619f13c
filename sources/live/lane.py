"""One instrument's way from its streams to its tape, whatever the connections do meanwhile."""

from collections import deque

from sources.feed import Feed
from sources.instrument import Instrument
from sources.live.silence import Silence
from sources.live.socket import Socket
from sources.messages import BookMessage, Message, TradeMessage

HELD_LIMIT = 4096  # messages of a new connection that wait for the hand-over
_NAMES_KEPT = 2048  # trades remembered by name; a reconnect repeats a few dozen


class Stream:
    """One stream of an instrument: which connection it is read from, and which one is about to take over."""

    def __init__(self, kind: str, name: str, patience: float) -> None:
        self.kind = kind  # "book" or "trade"
        self.name = name
        self.source: Socket | None = None
        self.successor: Socket | None = None
        self.held: deque[Message] = deque(maxlen=HELD_LIMIT)  # of the successor
        self.silence = Silence(patience)

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


class Trades:
    """Finds prints that come again after a reconnect, and prints that are missing.

    A venue that numbers its prints without holes is followed by number, one that names them by the newest names.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._excused = False
        self._names: dict[str, None] = {}  # in order of arrival

    @property
    def numbered(self) -> bool:
        """Whether a print that is missing will show by the number of the next."""
        return self._last is not None

    def missing(self, message: TradeMessage) -> int:
        """Prints missing before this one; -1 when it is known already."""
        if self.knows(message):
            return -1
        if message.name:
            self._names[message.name] = None
            if len(self._names) > _NAMES_KEPT:
                del self._names[next(iter(self._names))]
            return 0
        missing = 0 if self._last is None else message.trade_id - self._last - 1
        self._last = message.trade_id
        excused, self._excused = self._excused, False
        return 0 if missing == 1 and excused else missing

    def knows(self, message: TradeMessage) -> bool:
        """Whether the print has been met already."""
        if message.name:
            return message.name in self._names
        return self._last is not None and message.trade_id <= self._last

    def follows(self, message: TradeMessage) -> bool:
        """Whether the print's number is the next one."""
        return not message.name and message.trade_id - 1 == self._last

    def excuse(self) -> None:
        """A frame that could not be read may have been the next print: that it is missing is known."""
        self._excused = True


class Lane:
    """State of one instrument; `connector.Connector` moves it."""

    def __init__(self, instrument: Instrument, feed: Feed, book: Stream, trade: Stream, now: float) -> None:
        self.instrument = instrument
        self.feed = feed
        self.book = book
        self.trade = trade
        self.trades = Trades()
        self.lost_at: float | None = now  # when the book became unknown; None while it is known
        self.was_synced = False
        self.asked_at = now  # when the book was asked for anew
        self.attempts = 0
        self.overflowed = False

    def cancel(self) -> None:
        """Stop what the venue does for this instrument alone; by default nothing."""

    @property
    def streams(self) -> tuple[Stream, Stream]:
        """Trades first: a subscription in this order has them before the book's first snapshot."""
        return self.trade, self.book

    def stream(self, message: BookMessage | TradeMessage) -> Stream:
        """The stream that a message belongs to."""
        return self.trade if isinstance(message, TradeMessage) else self.book
