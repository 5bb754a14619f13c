"""What the trades since the previous row amount to (docs/features.md, 4.5)."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Trade:
    clock: int
    side: int
    price: float
    size: float


def imbalance(trades: list[Trade], ts: int, window_ns: int) -> float:
    """Signed size of the trades whose clock lies in (ts − window, ts]."""
    return math.fsum(t.side * t.size for t in trades if ts - window_ns < t.clock <= ts)


def volume(trades: list[Trade]) -> float:
    return math.fsum(t.size for t in trades)


def vwap(trades: list[Trade]) -> float:
    if not trades:
        return math.nan
    return math.fsum(t.price * t.size for t in trades) / math.fsum(t.size for t in trades)
