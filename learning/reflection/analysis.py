"""Where the money was lost: outcomes of episodes by what was known at their entry, with confidence intervals."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

from learning.reflection.table import EpisodeTable
from learning.reflection.testing import examine
from sources.tape.batch import Float64s

CONFIDENCE = 0.95
_PARTS = 5  # of a column of numbers: as many episodes in each
_HOUR = 3_600_000_000_000
_MEDIAN = "forecast_q50_"  # begins the names of a model's medians, one a horizon


class Bucket(NamedTuple):
    """Some of the episodes.

    Attributes:
        by: what they have in common; ``bucket``: which value, or range of it.
        low, high: of the range; NaN of words.
        mean_bp: of the outcome after fees; ``error_bp``: its standard error, robust to dependence within a minute.
        from_bp, to_bp: 95 % confidence interval of the mean; NaN of a single minute.
        net: sum of outcomes, quote currency.
        losing: share of the episodes that lost.
        markout_10s: mean of the opening fill's, basis points.
    """

    by: str
    bucket: str
    low: float
    high: float
    episodes: int
    mean_bp: float
    error_bp: float
    from_bp: float
    to_bp: float
    net: float
    losing: float
    markout_10s: float


def analyse(table: EpisodeTable) -> list[Bucket]:
    """All buckets, the dimensions one after the other, each in the order of its values."""
    return [_bucket(table, *each) for each in _buckets(table)]


def worst(buckets: list[Bucket], most: int) -> list[Bucket]:
    """Buckets that lost beyond doubt, then the others that lost; within each those that lost most come first."""
    lost = [b for b in buckets if b.net < 0]
    return sorted(lost, key=lambda b: (not b.to_bp < 0, b.net, b.by, b.bucket))[:most]


def _buckets(table: EpisodeTable) -> Iterator[tuple[str, str, float, float, Any]]:
    """Dimension, name, range and rows of each bucket that has any."""
    other, entry = table.other, table.entry
    words = {
        "instrument": table.instrument,
        "regime": other["regime"],
        "side": np.where(other["side"] > 0, "long", "short").astype(object),
        "liquidity": other["liquidity"],
        "hour": np.array([f"{hour:02} h UTC" for hour in table.opened // _HOUR % 24], object),
        "markout after 1 s": _sign(other["markout_1s"]),
    }
    for by, values in words.items():
        for value in sorted({v for v in values if v is not None}):
            yield by, str(value), math.nan, math.nan, values == value
    numbers = {
        "spread, bp": 1e4 * entry["spread"] / entry["mid"],
        "volatility, bp a row": 1e4 * entry["volatility"],
        "volume before": entry.get("trade_volume"),
        "seconds held": other["seconds"],
        **{name.replace("_", " ", 1): column for name, column in entry.items() if name.startswith(_MEDIAN)},
    }
    for by, column in numbers.items():
        if column is not None:
            yield from _ranges(by, column)


def _ranges(by: str, column: Float64s) -> Iterator[tuple[str, str, float, float, Any]]:
    known = np.sort(column[~np.isnan(column)])
    if len(known) == 0:
        return
    cuts = np.unique(known[[len(known) * n // _PARTS for n in range(1, _PARTS)]])
    part = np.searchsorted(cuts, column, side="right")
    for n in range(len(cuts) + 1):
        rows = (part == n) & ~np.isnan(column)
        if rows.any():
            low, high = float(column[rows].min()), float(column[rows].max())
            yield by, f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}", low, high, rows


def _bucket(table: EpisodeTable, by: str, name: str, low: float, high: float, rows: Any) -> Bucket:
    evidence = examine(table.net_bp, table.opened, rows)
    error, freedom = evidence.error, evidence.blocks - 1
    if rows.all():  # there are no others to compare with; the error is asked for alone
        doubled = np.concatenate([rows, ~rows])
        far = np.concatenate([table.opened, table.opened + (1 << 60)])
        error = examine(np.concatenate([table.net_bp] * 2), far, doubled).error
    wide = float(student.ppf(0.5 + CONFIDENCE / 2, freedom)) * error if freedom > 0 else math.nan
    net = table.net_bp[rows]
    markout = table.other["markout_10s"][rows]
    markout = markout[~np.isnan(markout)]
    return Bucket(
        by, name, low, high, int(rows.sum()), evidence.mean, error, evidence.mean - wide, evidence.mean + wide,
        float(table.other["net"][rows].sum()), float((net < 0).mean()),
        float(markout.mean()) if len(markout) else math.nan,
    )  # fmt: skip


def _sign(markout: Float64s) -> Any:
    words = np.array(["against", "none", "with us"], object)
    out = words[np.sign(np.nan_to_num(markout)).astype(int) + 1]
    out[np.isnan(markout)] = None
    return out
