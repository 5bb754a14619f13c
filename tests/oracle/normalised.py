"""Imbalances divided by what they are made of (docs/features.md, 4.12)."""

import math
from typing import Any

from operators.config import FeatureConfig
from tests.oracle.book import TOP, BookView, Level, label, mid, total
from tests.oracle.order_flow import windowed
from tests.oracle.trades import Trade

Row = dict[str, Any]


def columns(config: FeatureConfig) -> list[str]:
    """Names in the order in which the columns stand."""
    depths, windows = [label(d) for d in config.depths], [text for text, _ in config.windows]
    return [
        *(f"depth_imbalance_norm_{d}" for d in depths),
        "vw_ofi_norm",
        *(f"ofi_norm_{d}" for d in depths),
        *(f"ofi_norm_{d}_{w}" for d in depths for w in windows),
        *(f"trade_imbalance_norm_{w}" for w in windows),
    ]


def divided(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def book(row: Row, view: BookView, config: FeatureConfig) -> Row:
    """What is computed of the book at the row, whose raw columns are there."""

    def sizes(depth: int) -> float:
        return total([q for _, q in view.bids[:depth]]) + total([q for _, q in view.asks[:depth]])

    def weighted(levels: list[Level]) -> float:
        centre = mid(view.bids, view.asks)
        return total([1 / (1 + 100 * abs(price - centre) / centre) * size for price, size in levels[:TOP]])

    out = {
        f"depth_imbalance_norm_{label(d)}": divided(row[f"depth_imbalance_{label(d)}"], sizes(d)) for d in config.depths
    }
    return out | {"vw_ofi_norm": divided(row["vw_ofi"], weighted(view.bids) + weighted(view.asks))}


def flow(
    row: Row, new: list[dict[int, float]], every: list[tuple[int, dict[int, float]]], ts: int, config: FeatureConfig
) -> Row:
    """Order flow by depth: of the updates since the previous row, and of all since the restart with their clocks."""
    out: Row = {}
    for d in config.depths:
        name = label(d)
        out[f"ofi_norm_{name}"] = divided(row[f"ofi_{name}"], math.fsum(abs(of[d]) for of in new))
        for text, ns in config.windows:
            whole = windowed([(clock, abs(of[d])) for clock, of in every], ts, ns)
            out[f"ofi_norm_{name}_{text}"] = divided(row[f"ofi_{name}_{text}"], whole)
    return out


def trades(row: Row, every: list[Trade], ts: int, config: FeatureConfig) -> Row:
    """Of all trades since the restart."""
    return {
        f"trade_imbalance_norm_{text}": divided(
            row[f"trade_imbalance_{text}"], windowed([(t.clock, t.size) for t in every], ts, ns)
        )
        for text, ns in config.windows
    }
