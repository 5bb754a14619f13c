"""The trade streams of all venues: the newest messages are remembered, to be sent again after a reconnect."""

from collections import deque
from typing import Any

from typing_extensions import override

from simulator.book import TextBook
from simulator.connection import Connection
from simulator.market import Print
from simulator.topic import Outlet, Topic

_REMEMBERED = 100


class TradeTopic(Topic):
    """A stream of prints."""

    def __init__(self, venue: str, symbol: str, stream: str, outlet: Outlet) -> None:
        super().__init__(venue, symbol, stream, outlet)
        self._sent: deque[tuple[bytes, int, int, int]] = deque(maxlen=_REMEMBERED)

    @override
    def join(self, connection: Connection, book: TextBook[Any]) -> None:
        super().join(connection, book)
        outlet = self.outlet
        if outlet.faults.take(("repeat_trades",), self.venue, self.symbol, self.stream, outlet.now_ns):
            for payload, sequence, update_id, exchange_ms in self._sent:
                self.publish(payload, "trade", sequence, update_id, exchange_ms, only=connection)

    def send(self, payload: bytes, sequence: int, last: Print) -> None:
        """Send prints, the last of which is ``last``."""
        self._sent.append((payload, sequence, last.update_id, last.time_ms))
        self.publish(payload, "trade", sequence, last.update_id, last.time_ms)
