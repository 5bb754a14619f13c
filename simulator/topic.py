"""What a client can subscribe to: one stream of one instrument, and how its messages reach the subscribers."""

from collections.abc import Callable
from typing import Any

from simulator.book import Change, TextBook
from simulator.connection import Connection
from simulator.damage import damaged
from simulator.derivatives import DerivativeMarket
from simulator.faults import FRAME_KINDS, Faults
from simulator.log import MessageLog
from simulator.market import Print
from simulator.wire import frame


class Outlet:
    """What all topics of a simulator share: the time, the faults, the log."""

    def __init__(self, clock: Callable[[], int], faults: Faults, log: MessageLog) -> None:
        """``clock``: nanoseconds since the epoch."""
        self._clock = clock
        self.faults = faults
        self.log = log
        self.now_ns = clock()

    def look(self) -> None:
        """Read the clock; between two looks no time passes."""
        self.now_ns = max(self.now_ns, self._clock())

    @property
    def now_ms(self) -> int:
        """The time of the last look."""
        return self.now_ns // 1_000_000


class Topic:
    """A stream. What a subclass makes of the market it hands to `publish`."""

    def __init__(self, venue: str, symbol: str, stream: str, outlet: Outlet) -> None:
        self.venue = venue
        self.symbol = symbol
        self.stream = stream
        self.outlet = outlet
        self.subscribers: list[Connection] = []
        self._envelope = b'{"stream":"%b","data":' % stream.encode()

    def join(self, connection: Connection, book: TextBook[Any]) -> None:
        """Add a subscriber; a topic that begins with a snapshot sends it."""
        if not self.subscribers:
            self.begin(book)
        self.subscribers.append(connection)
        connection.topics[self.stream] = self

    def leave(self, connection: Connection) -> None:
        """Remove a subscriber."""
        self.subscribers.remove(connection)
        connection.topics.pop(self.stream, None)

    def begin(self, book: TextBook[Any]) -> None:
        """Nobody listened so far: start from the book as it is."""

    def on_change(self, change: Change[Any], book: TextBook[Any]) -> None:
        """The book changed; ``book`` is the state after it."""

    def on_prints(self, prints: list[Print]) -> None:
        """Trades of the same millisecond."""

    def on_derivatives(self, market: DerivativeMarket) -> None:
        """Time passed for what stands beside the book."""

    def on_time(self) -> None:
        """Time passed."""

    def restart(self, as_delta: bool) -> bool:
        """The service restarts; returns whether that is a thing of this stream.

        Args:
            as_delta: the first message after it does not say that it is a snapshot.
        """
        return False

    def resend(self) -> bool:
        """Send a snapshot out of turn; returns whether that is a thing of this stream."""
        return False

    def publish(
        self,
        payload: bytes,
        kind: str,
        sequence: int,
        update_id: int,
        exchange_ms: int,
        only: Connection | None = None,
    ) -> None:
        """Send a message to all subscribers, or to one; the numbers are those of `log.Sent`."""
        outlet = self.outlet
        now_ns = outlet.now_ns
        plain = wrapped = b""
        for c in self.subscribers if only is None else (only,):
            fate = "sent"
            if outlet.faults.frames and (
                fault := outlet.faults.take(FRAME_KINDS, self.venue, self.symbol, self.stream, now_ns)
            ):
                fate = fault.kind
                c.out += damaged(fault, self._envelope + payload + b"}" if c.enveloped else payload)
            elif c.enveloped:
                wrapped = wrapped or frame(self._envelope + payload + b"}")
                c.out.append(wrapped)
            else:
                plain = plain or frame(payload)
                c.out.append(plain)
            c.sent += 1
            outlet.log.total += 1
            outlet.log.add(
                (
                    *(now_ns, c.number, self.venue, self.symbol, self.stream),
                    *(kind, sequence, update_id, exchange_ms, fate),
                )
            )
