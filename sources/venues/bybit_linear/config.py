"""Addresses of Bybit V5 linear."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BybitLinearConfig:
    """Addresses of Bybit V5 linear; ``depth`` is the number of levels of the book topic: 1, 50, 200 or 1000."""

    ws: str = "wss://stream.bybit.com/v5/public/linear"
    rest: str = "https://api.bybit.com"
    depth: int = 200
