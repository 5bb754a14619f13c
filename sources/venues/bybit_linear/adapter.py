"""Bybit V5 linear, live: books and trades on one connection, a book fetched anew by subscribing to it again.

Exchange documentation, "Orderbook" (V5 WebSocket): the snapshot comes in the topic itself when it is subscribed to, and
may come again at any time. A REST book has numbers of its own and seeds none.
"""

import asyncio
from collections.abc import Sequence

from sources.clock import ClockBound
from sources.live.connection_pool import ConnectionPool
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.instrument_state import InstrumentState, Stream
from sources.live.instruments import Listing
from sources.live.rate_limiter import RateLimiter
from sources.live.rest import Rest
from sources.live.websocket import Websocket
from sources.live.words import Unknown
from sources.messages import BookMessage, Decoder
from sources.sequencer import Sequencer
from sources.tape.batch import SNAPSHOT
from sources.venues.bybit_linear import decoder, sequencer
from sources.venues.bybit_linear.config import BybitLinearConfig
from sources.venues.bybit_linear.instruments import instruments
from sources.venues.bybit_linear.protocol import BybitProtocol

_CONNECTS = 250  # in 5 minutes, half of what the exchange allows
_REQUESTS = 300  # in 5 seconds, half of what the exchange allows; then it answers 403 for ten minutes


class BybitLinearConnector(Connector):
    """`Connector` of Bybit V5 linear."""

    venue = "bybit_linear"
    protocol = BybitProtocol()

    def __init__(self, context: Context, share: int = 1) -> None:
        """``share``: how many workers share the exchange's limits, which count by address."""
        super().__init__(context)
        self._unknown = Unknown(self.venue, context.telemetry)
        c = context.config
        own: BybitLinearConfig = c.venues[self.venue].config
        self._own = own
        time = asyncio.get_running_loop().time
        requests = RateLimiter(max(_REQUESTS // share, 1), 5.0, time)
        self.rest = Rest(
            self.venue,
            own.rest,
            c.open_timeout,
            requests,
            context.telemetry,
            c.proxies.of(own.rest),
        )
        connects = RateLimiter(max(_CONNECTS // share, 1), 300.0, time)
        self._pool = ConnectionPool(own.ws, self.protocol, self, context, connects)
        self.pools = [self._pool]

    async def universe(self) -> list[Listing]:
        """Perpetuals that trade now."""
        return await instruments(self.rest, self._unknown)

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        await self.rest.close()

    def make_sequencer(self) -> Sequencer:
        """The sequence rule of one book."""
        # At depth 1 every message is a whole snapshot, and no number need follow another.
        return sequencer.sequencer(numbered=self._own.depth > 1)

    def make_decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection."""
        return decoder.decoder(clock)

    def stream_names(self, symbol: str) -> tuple[str, str]:
        """Names of an instrument's book and trade topics."""
        return f"orderbook.{self._own.depth}.{symbol}", f"publicTrade.{symbol}"

    def pool(self, stream: Stream) -> ConnectionPool:
        """Everything is found at one address."""
        return self._pool

    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """A snapshot begins a chain; a delta counts on by one, a snapshot that is sent again does not count back."""
        if message.kind == SNAPSHOT:
            return before is None or message.final >= before.final
        return before is not None and message.final == before.final + 1

    def subscribed(self, socket: Websocket, streams: Sequence[str]) -> None:
        """The snapshot is due from now on."""
        for name in streams:
            if name in self._streams and self._streams[name][1].kind == "book":
                self._streams[name][0].asked_at = self._time()
        super().subscribed(socket, streams)

    def resync(self, lane: InstrumentState, waited: bool = False) -> None:
        """Subscribe to the book again, unless that has just been done; after the trades, so that none are missing
        behind the snapshot."""
        if lane.feed.sequencer.synced or lane.overflowed or not (lane.trade.ready and lane.book.ready):
            return
        if lane.may_ask(self._time(), waited):
            self.resubscribe(lane, lane.book)
