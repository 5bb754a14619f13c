"""Limits of Binance USD-M futures."""

from dataclasses import dataclass

from simulator.limits import Limits


@dataclass(frozen=True)
class BinanceLimits(Limits):
    """The published limits.

    Exchange documentation, "WebSocket Market Streams": 1024 streams a connection, 10 incoming messages a second, a ping
    every 3 minutes to be answered within 10, 24 hours of life; "General Info": 2400 request weight a minute and
    address.
    """

    streams: int = 1024
    messages_per_second: int = 10
    ping_interval_s: float = 180.0
    pong_timeout_s: float = 600.0
    weight_per_minute: int = 2400
    refusals_before_ban: int = 10  # 429 replies within one minute; the next request is answered 418
    ban_s: int = 120
