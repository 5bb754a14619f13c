"""Limits of OKX's public channels."""

from dataclasses import dataclass

from simulator.limits import Limits


@dataclass(frozen=True)
class OkxLimits(Limits):
    """The published limits.

    Exchange documentation (OKX API v5), "Connect": 3 connects a second, 480 requests an hour and connection, 30 s
    without a message; "Get instruments": 20 requests in 2 s; "WS / Order book channel": about 60 s until a book without
    a change says that it lives.
    """

    connects: int = 900  # in 5 minutes
    requests_per_hour: int = 480
    idle_s: float = 30.0
    rest_requests: int = 20  # in 2 s
    silence_s: float = 60.0
