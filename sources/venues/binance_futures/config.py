"""Addresses and limits of Binance USD-M futures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BinanceFuturesConfig:
    """Addresses and limits of Binance USD-M futures.

    Exchange documentation: 2400 request weight a minute and IP address, 1024 streams and 10 incoming messages a second
    a connection, about 300 connects in 5 minutes.
    """

    public_ws: str = "wss://fstream.binance.com/public"
    market_ws: str = "wss://fstream.binance.com/market"
    rest: str = "https://fapi.binance.com"
    weight_per_minute: int = 2400
    snapshot_levels: int = 1000
