"""The venues that can be connected to: how each is, and its own configuration."""

from sources.live.config import LiveVenue
from sources.venues.binance_futures.adapter import BinanceFutures
from sources.venues.binance_futures.config import BinanceFuturesConfig
from sources.venues.bybit_linear.adapter import BybitLinear
from sources.venues.bybit_linear.config import BybitLinearConfig


def live_venues(
    binance_futures: BinanceFuturesConfig | None = None, bybit_linear: BybitLinearConfig | None = None
) -> dict[str, LiveVenue]:
    """All of them, by name; with the exchanges' own addresses unless told otherwise."""
    return {
        "binance_futures": LiveVenue(BinanceFutures, binance_futures or BinanceFuturesConfig()),
        "bybit_linear": LiveVenue(BybitLinear, bybit_linear or BybitLinearConfig()),
    }
