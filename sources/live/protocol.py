"""What the connections need to know of a venue's control messages."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol


class Operation(Enum):
    """What is asked of the exchange about streams."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


class Answer(NamedTuple):
    """A control message of the exchange."""

    request: int | None  # number of the request that it answers; None when it does not say, or answers none
    error: str | None = None  # why the exchange refused; None when it did not


class VenueProtocol(Protocol):
    """One venue's way to talk about streams."""

    venue: str
    data_prefix: bytes  # how market data begins; what begins otherwise may be a control message
    batch_streams: int  # streams in one request
    connection_characters: int  # length of the names of all streams of one connection
    message_interval: float  # seconds between two messages to the exchange
    ping_interval: float | None  # seconds between two pings of the venue's own making; None when it needs none

    def request(self, operation: Operation, streams: Sequence[str], number: int) -> str:
        """Text of a request."""
        ...

    def ping(self, number: int) -> str:
        """Text of a ping."""
        ...

    def answer(self, raw: bytes) -> Answer | None:
        """A control message; None when the frame is none."""
        ...

    def stream_kind(self, raw: bytes) -> str:
        """Name of the `sources.live.stream.StreamKind` that a frame of market data is counted as."""
        ...
