"""Addresses of OKX."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OkxSwapConfig:
    """Addresses of OKX, and what its silence means."""

    ws: str = "wss://ws.okx.com:8443/ws/v5/public"
    rest: str = "https://www.okx.com"
    # Seconds: exchange documentation, "WS / Order book channel", a book without a change says so after about 60 s.
    book_silence: float = 75.0
