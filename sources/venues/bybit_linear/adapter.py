"""Bybit V5 linear, live: books and trades on one connection, a book fetched anew by subscribing to it again.

Exchange documentation, "Orderbook" (V5 WebSocket): the snapshot comes in the topic itself when it is subscribed to, and
may come again at any time. A REST book has numbers of its own and seeds none.
"""

from collections.abc import Mapping

from sources.clock import ClockBound
from sources.live.adapter import Limit, Poll
from sources.live.instrument_state import InstrumentState
from sources.live.instruments import Listing
from sources.live.recorder import Recorder
from sources.live.rest import Rest
from sources.live.resubscription import Resubscription
from sources.live.resync import Resync
from sources.live.words import Unknown
from sources.messages import BookMessage, Decoder
from sources.sequencer import Sequencer
from sources.tape.batch import SNAPSHOT
from sources.venues.bybit_linear import decoder, sequencer
from sources.venues.bybit_linear.config import BybitLinearConfig
from sources.venues.bybit_linear.instruments import instruments
from sources.venues.bybit_linear.protocol import BybitProtocol


class BybitLinear:
    """`sources.live.adapter.VenueAdapter` of Bybit V5 linear."""

    name = "bybit_linear"
    protocol = BybitProtocol()
    silence: Mapping[str, float] = {}
    poll: Poll | None = None  # tickers tell the open interest
    connects = Limit(250, 300.0)  # half of what the exchange allows
    requests = Limit(300, 5.0)  # half of what the exchange allows; then it answers 403 for ten minutes

    def __init__(self, config: BybitLinearConfig) -> None:
        self.rest = config.rest
        self.websockets = dict.fromkeys(("book", "trade", "ticker", "liquidation"), config.ws)
        self._depth = config.depth

    async def instruments(self, rest: Rest, unknown: Unknown) -> list[Listing]:
        """The perpetuals that trade now."""
        return await instruments(rest, unknown)

    def refusal(self, symbol: str) -> str:
        """The list does not tell."""
        return ""

    def streams(self, symbol: str) -> dict[str, str]:
        """Names of an instrument's topics, by kind."""
        return {
            "book": f"orderbook.{self._depth}.{symbol}",
            "trade": f"publicTrade.{symbol}",
            "ticker": f"tickers.{symbol}",
            "liquidation": f"allLiquidation.{symbol}",
        }

    def decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection."""
        return decoder.decoder(clock)

    def sequencer(self) -> Sequencer:
        """The sequence rule of one book."""
        # At depth 1 every message is a whole snapshot, and no number need follow another.
        return sequencer.sequencer(numbered=self._depth > 1)

    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """A snapshot begins a chain; a delta counts on by one, a snapshot that is sent again does not count back."""
        if message.kind == SNAPSHOT:
            return before is None or message.final >= before.final
        return before is not None and message.final == before.final + 1

    def resync(self, state: InstrumentState, recorder: Recorder, rest: Rest) -> Resync:
        """By subscribing again."""
        return Resubscription(state)
