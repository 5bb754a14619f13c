"""Order flow imbalance of one update against the one before (docs/features.md, 4.4)."""

import math

from tests.oracle.book import BookView, Level, depth_imbalance, total


def ofi(before: BookView | None, now: BookView, depth: int, definition: str) -> float:
    """`OFI_D` of an update; 0 for the first one since a restart."""
    if before is None:
        return 0.0
    if definition == "depth":
        return depth_imbalance(now.bids, now.asks, depth) - depth_imbalance(before.bids, before.asks, depth)
    return total([level_flow(before, now, m) for m in range(depth)])


def level_flow(before: BookView, now: BookView, m: int) -> float:
    """`e` of level `m`, counted from 0 at the best."""
    return bid_flow(level(before.bids, m, -math.inf), level(now.bids, m, -math.inf)) - ask_flow(
        level(before.asks, m, math.inf), level(now.asks, m, math.inf)
    )


def bid_flow(before: Level, now: Level) -> float:
    if now[0] > before[0]:
        return now[1]
    if now[0] == before[0]:
        return now[1] - before[1]
    return -before[1]


def ask_flow(before: Level, now: Level) -> float:
    if now[0] > before[0]:
        return -before[1]
    if now[0] == before[0]:
        return now[1] - before[1]
    return now[1]


def level(levels: list[Level], m: int, price_of_none: float) -> Level:
    return levels[m] if m < len(levels) else (price_of_none, 0.0)


def windowed(flows: list[tuple[int, float]], ts: int, window_ns: int) -> float:
    """Sum of the flows, given as (clock, value), whose clock lies in (ts − window, ts]."""
    return math.fsum(value for clock, value in flows if ts - window_ns < clock <= ts)
