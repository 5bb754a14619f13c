"""What was sent, message by message."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple


class Sent(NamedTuple):
    """One message to one connection."""

    time_ns: int  # of the injected clock
    connection: int
    venue: str
    symbol: str
    stream: str
    kind: str  # "snapshot", "delta", "trade", "quote", "ticker", "liquidation"
    sequence: int  # as the message tells it: the number of the book or of the print
    update_id: int  # of the last change of the true book that it tells
    exchange_ms: int  # matching time
    fate: str  # "sent", or the fault that was done to it


class MessageLog:
    """The newest messages."""

    def __init__(self, size: int) -> None:
        # Plain tuples: one is made for every message that is sent.
        self._entries: deque[tuple[int, int, str, str, str, str, int, int, int, str]] = deque(maxlen=size)
        self.add = self._entries.append
        self.total = 0

    def newest(self) -> Sent:
        """The last message.

        Raises:
            IndexError: there is none.
        """
        return Sent._make(self._entries[-1])

    def __iter__(self) -> Iterator[Sent]:
        return (Sent._make(entry) for entry in list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
