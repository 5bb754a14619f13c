"""Binance USD-M futures, live: diffs from ``/public``, trades from ``/market``, snapshots over REST.

Exchange documentation, "Websocket Market Streams": since the addresses were split, ``@depth`` is found on ``/public``
and ``@aggTrade`` on ``/market``; asked for elsewhere they are acknowledged and silent. "Order Book": a thousand levels
weigh 20 of 2400 a minute, so the start of a whole universe takes minutes, and snapshots must never be fetched twice.
"""

from collections.abc import Mapping

from sources.clock import ClockBound
from sources.live.adapter import Limit, Poll
from sources.live.context import Context
from sources.live.instrument_state import InstrumentState
from sources.live.instruments import Listing
from sources.live.recorder import Recorder
from sources.live.rest import Rest, RestError
from sources.live.resync import Resync
from sources.live.snapshot_resync import SnapshotRequest, SnapshotResync
from sources.live.words import Unknown
from sources.messages import BadFrame, BookMessage, Decoder, DerivativeMessage
from sources.sequencer import Sequencer
from sources.venues.binance_futures import decoder, sequencer
from sources.venues.binance_futures.config import BinanceFuturesConfig
from sources.venues.binance_futures.derivatives import FundingHours, open_interest
from sources.venues.binance_futures.instruments import instruments
from sources.venues.binance_futures.protocol import BinanceProtocol

_HELD = 600  # deltas that wait for a snapshot: one minute; a snapshot is never that late, and joins the newest


def snapshot_weight(levels: int) -> int:
    """Weight of ``GET /fapi/v1/depth``: 2, 5, 10 or 20 for up to 50, 100, 500 or 1000 levels."""
    return next(weight for limit, weight in ((50, 2), (100, 5), (500, 10), (1000, 20)) if levels <= limit)


class BinanceFutures:
    """`sources.live.adapter.VenueAdapter` of Binance USD-M futures."""

    name = "binance_futures"
    protocol = BinanceProtocol()
    silence: Mapping[str, float] = {}
    connects = Limit(150, 300.0)  # half of what the exchange is said to allow

    def __init__(self, config: BinanceFuturesConfig) -> None:
        self.rest = config.rest
        public, market = f"{config.public_ws}/stream", f"{config.market_ws}/stream"
        self.websockets = {"book": public, "trade": market, "ticker": market, "liquidation": market}
        self._hours = FundingHours()
        self.poll = Poll(1, self._fetch_hours, fetch_open_interest)
        self._levels = config.snapshot_levels
        self._weight = snapshot_weight(config.snapshot_levels)
        self.requests = Limit(config.weight_per_minute, 60.0, least=self._weight)  # in units of weight

    async def instruments(self, rest: Rest, unknown: Unknown) -> list[Listing]:
        """The perpetuals that trade now."""
        return await instruments(rest, unknown)

    def refusal(self, symbol: str) -> str:
        """The list does not tell."""
        return ""

    def streams(self, symbol: str) -> dict[str, str]:
        """Names of an instrument's streams, by kind; in lower case."""
        name = symbol.lower()
        return {
            "book": f"{name}@depth@100ms",
            "trade": f"{name}@aggTrade",
            "ticker": f"{name}@markPrice@1s",
            "liquidation": f"{name}@forceOrder",
        }

    def decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection."""
        return decoder.decoder(clock=clock, hours=self._hours)

    def sequencer(self) -> Sequencer:
        """The sequence rule of one book."""
        return sequencer.sequencer(_HELD)

    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """A diff follows the one whose number it names; any diff may be the first."""
        return before is None or message.previous == before.final

    async def _fetch_hours(self, rest: Rest) -> None:
        """``GET /fapi/v1/fundingInfo``: which symbols have another interval than eight hours."""
        raw = await rest.get("/fapi/v1/fundingInfo", {})
        try:
            self._hours.take(raw)
        except ValueError as e:
            raise RestError(f"{rest.url}: fundingInfo cannot be read: {e}") from e

    def resync(self, state: InstrumentState, recorder: Recorder, rest: Rest) -> Resync:
        """By a snapshot over REST."""

        async def fetch(symbol: str) -> BookMessage:
            return await fetch_snapshot(symbol, self._levels, rest, recorder.context)

        return SnapshotResync(state, recorder, rest, SnapshotRequest(self._weight, self._levels, fetch))


async def fetch_open_interest(symbol: str, rest: Rest, context: Context) -> DerivativeMessage:
    """One value of ``GET /fapi/v1/openInterest``, of weight 1.

    Raises:
        RestError: it did not come, or cannot be understood.
    """
    raw = await rest.get("/fapi/v1/openInterest", {"symbol": symbol})
    try:
        return open_interest(symbol, context.clock(), raw)
    except ValueError as e:
        raise RestError(f"{rest.url}: openInterest cannot be read: {e}") from e


async def fetch_snapshot(symbol: str, levels: int, rest: Rest, context: Context) -> BookMessage:
    """One snapshot of ``GET /fapi/v1/depth``.

    Raises:
        RestError: it did not come, or cannot be understood.
    """
    raw = await rest.get("/fapi/v1/depth", {"symbol": symbol, "limit": str(levels)})
    snapshot = decoder.decoder().snapshot(symbol, context.clock(), raw)
    if isinstance(snapshot, BadFrame):
        context.telemetry.bad_frame(BinanceFutures.name, symbol, snapshot.reason, snapshot.excerpt)
        raise RestError(snapshot.reason)
    return snapshot
