"""The imbalances divided by what they are made of, so that they lie in [−1, 1] (docs/features.md, 4.12).

They are there when ``features.normalised`` is on. A numerator is the raw column, to the bit; where the denominator is 0
there is nothing to compare, and the value is NaN.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from operators import rolling_sum
from operators.compensated import add_each
from operators.config import BOOK_LEVELS, FeatureConfig, depth_label
from operators.features.feature import (
    SINCE_ROW,
    THE_BOOK,
    WARM_BOOK,
    WARM_WINDOWS,
    Common,
    Described,
    Feature,
    Moment,
    Rows,
    Scratch,
    floats,
)
from operators.features.order_flow import UPDATE_EVENT
from operators.features.trades import TRADE_EVENT
from operators.features.weighted_depth import distance_weighted_volume
from operators.jit import kernel
from operators.rolling_sum import RollingSum
from operators.row_batch import Declared
from sources.tape.batch import Float64s

_UNIT = "ratio"


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    if not config.normalised:
        return ()
    depths = [depth_label(d) for d in config.depths]
    windows = [text for text, _ in config.windows]
    return floats(
        *(f"depth_imbalance_norm_{d}" for d in depths),
        "vw_ofi_norm",
        *(f"ofi_norm_{d}" for d in depths),
        *(f"ofi_norm_{d}_{w}" for d in depths for w in windows),
        *(f"trade_imbalance_norm_{w}" for w in windows),
    )


FEATURE = Feature(
    section="4.12",
    columns=_columns,
    described=(
        Described(
            "depth_imbalance_norm_l{D}",
            _UNIT,
            "bid sizes less ask sizes as a part of both, over {levels}, -1 to 1",
            "depth_imbalance_norm_l{D} = depth_imbalance_l{D} / (Σ_{m≤D} Qb_m + Σ_{m≤D} Qa_m)",
            THE_BOOK,
            warm=WARM_BOOK,
        ),
        Described(
            "vw_ofi_norm",
            _UNIT,
            "the same of 20 levels, weighted by their distance from mid",
            "vw_ofi_norm = vw_ofi / (Σ_{m≤20} w(Pb_m)·Qb_m + Σ_{m≤20} w(Pa_m)·Qa_m)",
            THE_BOOK,
            warm=WARM_BOOK,
        ),
        Described(
            "ofi_norm_l{D}",
            _UNIT,
            f"order flow of {{levels}} {SINCE_ROW} as a part of all its flow, -1 to 1",
            "ofi_norm_l{D} = ofi_l{D} / Σ |OFI_D|",
            f"updates {SINCE_ROW}",
            f"no flow {SINCE_ROW}",
            WARM_BOOK,
        ),
        Described(
            "ofi_norm_l{D}_{w}",
            _UNIT,
            "order flow of {levels} in the last {w} as a part of all its flow, -1 to 1",
            "ofi_norm_l{D}_{w} = ofi_l{D}_{w} / Σ |OFI_D|",
            "updates whose clock lies in (ts − {w}, ts]",
            "no flow in the window",
            WARM_WINDOWS | WARM_BOOK,
        ),
        Described(
            "trade_imbalance_norm_{w}",
            _UNIT,
            "bought less sold by aggressors in the last {w} as a part of both, -1 to 1",
            "trade_imbalance_norm_{w} = trade_imbalance_{w} / Σ size",
            "trades whose clock lies in (ts − {w}, ts]",
            "no trade in the window",
            WARM_WINDOWS,
        ),
    ),
)


class NormalisedImbalance(NamedTuple):
    """State for D depths; none when they are off. Sums over windows are kept with those of the raw columns."""

    since_row: Float64s  # (2, D): pairs, hi and lo, of the absolute order flow


class Normalised(NamedTuple):
    """Parameters."""

    on: bool


def normalised(config: FeatureConfig) -> Normalised:
    """Whether they are computed."""
    return Normalised(config.normalised)


def state(config: FeatureConfig) -> NormalisedImbalance:
    """The state before the first update."""
    return NormalisedImbalance(np.zeros((2, len(config.depths) if config.normalised else 0)))


def quantities(config: FeatureConfig) -> list[int]:
    """Kinds of event of what is summed over windows, behind the raw quantities: absolute flow of each depth; size."""
    return [UPDATE_EVENT] * len(config.depths) + [TRADE_EVENT] if config.normalised else []


@kernel
def clear(own: NormalisedImbalance) -> None:
    """As before the first update."""
    own.since_row[:] = 0.0


@kernel
def take_update(own: NormalisedImbalance, p: Common, now: int, rolling: RollingSum, scratch: Scratch) -> None:
    """Add the absolute flow of an update, whose flow `order_flow.take_update` has left in ``scratch.depth``."""
    flow = scratch.depth
    for d in range(len(flow)):
        flow[d] = abs(flow[d])
    rolling_sum.add_events(rolling, p.shape, now, UPDATE_EVENT, len(p.depths) + 1, flow)
    add_each(own.since_row, 0, flow)


@kernel
def take_trade(p: Common, now: int, size: float, rolling: RollingSum, scratch: Scratch) -> None:
    """Add the size of a trade."""
    scratch.single[0] = size
    rolling_sum.add_events(rolling, p.shape, now, TRADE_EVENT, 2 * len(p.depths) + 1, scratch.single)


@kernel
def ratio(part: float, whole: float) -> float:
    """``part / whole`` in [−1, 1]; NaN where the whole is 0."""
    return min(max(part / whole, -1.0), 1.0) if whole > 0.0 else np.nan


@kernel
def emit(own: NormalisedImbalance, p: Common, row: Moment, at: Any, out: Rows, r: int) -> None:
    """Divide the raw columns of the row, which are there already.

    ``depth_imbalance_norm_l{D} = depth_imbalance_l{D} / (Σ_{m≤D} Qb_m + Σ_{m≤D} Qa_m)``,
    ``vw_ofi_norm = vw_ofi / (Σ_{m≤20} w(Pb_m)·Qb_m + Σ_{m≤20} w(Pa_m)·Qa_m)``,
    ``ofi_norm_l{D} = ofi_l{D} / Σ |OFI_D|``, ``ofi_norm_l{D}_{w} = ofi_l{D}_{w} / Σ |OFI_D|`` and
    ``trade_imbalance_norm_{w} = trade_imbalance_{w} / Σ size``.

    Args:
        at: `operators.features.Places`.
    """
    value, c = out.value, at.normalised_imbalance.value
    depths, windows = len(p.depths), len(p.shape.window)
    bids = asks = 0.0
    m = 0
    for d in range(depths):
        while m < p.depths[d]:
            bids += row.size[0, m]
            asks += row.size[1, m]
            m += 1
        value[c + d, r] = ratio(value[at.depth_imbalance.value + d, r], bids + asks)
    c += depths
    weighted = row.scratch.level
    distance_weighted_volume(row.price, row.size, row.mid, weighted)
    bids = asks = 0.0
    for m in range(BOOK_LEVELS):
        bids += weighted[0, m]
        asks += weighted[1, m]
    value[c, r] = ratio(value[at.weighted_depth.value, r], bids + asks)
    c += 1
    raw = at.order_flow.value
    for d in range(depths):
        value[c + d, r] = ratio(value[raw + d, r], own.since_row[0, d])
        for w in range(windows):
            i = depths + d * windows + w
            value[c + i, r] = ratio(value[raw + i, r], row.rolling.window_sum[w, 0, depths + 1 + d])
    c += depths + depths * windows
    for w in range(windows):
        size = row.rolling.window_sum[w, 0, 2 * depths + 1]
        value[c + w, r] = ratio(value[at.trades.value + w, r], size)
    clear(own)
