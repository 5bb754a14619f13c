"""One stream of an instrument, and the kinds of streams that there are."""

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sources.live.config import LiveConfig
from sources.live.protocol import Operation
from sources.live.staleness import Staleness
from sources.live.websocket import Websocket
from sources.messages import Message

HELD_LIMIT = 4096  # messages of a new connection that wait for the hand-over


class StreamKind(NamedTuple):
    """What the live path must know of one kind of stream."""

    name: str  # that of its messages: `sources.messages.BookMessage.stream_kind`
    patience: Callable[[LiveConfig], float]  # seconds of silence after which it is stale
    beside: bool = False  # on connections of its own; whatever happens to it costs no book, and is told once


# In order of subscription: trades first, so that none are missing behind a book's first snapshot.
STREAM_KINDS = (
    StreamKind("trade", lambda config: config.trade_silence),
    StreamKind("book", lambda config: config.book_silence),
    StreamKind("ticker", lambda config: config.ticker_silence, beside=True),  # mark and index price, funding, …
    StreamKind("liquidation", lambda config: math.inf, beside=True),  # there may be none for days
)


class Stream:
    """One stream of an instrument: which connection it is read from, and which one is about to take over."""

    def __init__(self, kind: str, name: str, patience: float, beside: bool = False) -> None:
        """Args:
        kind, beside: of its `StreamKind`.
        name: what the venue calls it.
        patience: seconds of silence after which it is stale.
        """
        self.kind = kind
        self.name = name
        self.beside = beside
        self.source: Websocket | None = None
        self.successor: Websocket | None = None
        self.held: deque[Message] = deque(maxlen=HELD_LIMIT)  # of the successor
        self.staleness = Staleness(patience)

    @property
    def ready(self) -> bool:
        """Whether the exchange has acknowledged the stream on the connection that it is read from."""
        return self.source is not None and self.name in self.source.subscribed

    def resubscribe(self) -> None:
        """Ask the exchange for the stream anew."""
        if self.source is not None:
            self.source.request(Operation.UNSUBSCRIBE, [self.name])
            self.source.request(Operation.SUBSCRIBE, [self.name])

    def promote(self) -> list[Message]:
        """Read from the successor from now on; returns the messages that it has sent so far."""
        self.source, self.successor = self.successor, None
        held = list(self.held)
        self.held.clear()
        return held
