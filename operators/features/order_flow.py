"""Order flow imbalance by depth and window, its z-scores and its change (docs/features.md, 4.4).

Sources: Cont, Kukanov & Stoikov 2014, "The price impact of order book events", section 2.1 (`cont`, best level);
Xu, Gould & Howison 2018, "Multi-level order-flow imbalance in a limit order book", section 3 (each level m).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators import rolling_moments, rolling_sum
from operators.compensated import add_each
from operators.config import FeatureConfig, depth_label
from operators.features.depth_imbalance import depth_imbalance
from operators.features.feature import (
    SINCE_ROW,
    SIZE_UNIT,
    WARM_BOOK,
    WARM_WINDOWS,
    Common,
    Described,
    Feature,
    Moment,
    Place,
    Rows,
    Scratch,
    floats,
)
from operators.intrinsics import where
from operators.jit import kernel
from operators.rolling_moments import RollingMoments, push, rolling_moments_state, zscores
from operators.rolling_sum import RollingSum
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

UPDATE_EVENT = 0  # the kind of event in the rolling sums
WARM_ZSCORES = 2  # bit of `warm` (docs/features.md, 4.8)

_UPDATES = "updates whose clock lies in (ts − {w}, ts]"
_FLOW, _MOMENTUM = 0, 1  # of `OrderFlow.before`


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    depths = [depth_label(d) for d in config.depths]
    windows = [text for text, _ in config.windows]
    return floats(
        *(f"ofi_{d}" for d in depths),
        *(f"ofi_{d}_{w}" for d in depths for w in windows),
        *(f"ofi_z_{d}_{w}" for d in depths for w in windows),
        *(("ofi_momentum", "ofi_acceleration") if config.depths[0] == 1 else ()),
    )


FEATURE = Feature(
    section="4.4",
    columns=_columns,
    described=(
        Described(
            "ofi_l{D}",
            SIZE_UNIT,
            "order flow of {levels} since the previous row",
            "ofi_l{D} = Σ OFI_D",
            f"updates {SINCE_ROW}",
            warm=WARM_BOOK,
        ),
        Described(
            "ofi_l{D}_{w}",
            SIZE_UNIT,
            "order flow of {levels} in the last {w}",
            "ofi_l{D}_{w} = Σ OFI_D",
            _UPDATES,
            warm=WARM_WINDOWS | WARM_BOOK,
        ),
        Described(
            "ofi_z_l{D}_{w}",
            "standard deviations",
            "z-score of ofi_l{D}_{w} over the last zscore_window rows",
            "ofi_z_l{D}_{w} = (x − mean)/max(deviation, 1e-8)",
            "ofi_l{D}_{w} at the last zscore_window rows",
            warm=WARM_WINDOWS | WARM_ZSCORES | WARM_BOOK,
        ),
        Described(
            "ofi_momentum",
            SIZE_UNIT,
            "change of ofi_l0 from row to row",
            "ofi_momentum = ofi_l0 − ofi_l0 of the previous row",
            "ofi_l0 at the last 2 rows",
            warm=WARM_BOOK,
        ),
        Described(
            "ofi_acceleration",
            SIZE_UNIT,
            "change of ofi_momentum from row to row",
            "ofi_acceleration = ofi_momentum − ofi_momentum of the previous row",
            "ofi_l0 at the last 3 rows",
            warm=WARM_BOOK,
        ),
    ),
)


class OrderFlow(NamedTuple):
    """State for D depths."""

    since_row: Float64s  # (2, D): pairs, hi and lo
    last_imbalance: Float64s  # (D,): depth imbalance at the last update
    zscores: RollingMoments  # columns: depth-major, then window
    before: Float64s  # (2,): ofi_l0 and its momentum at the row before


def state(config: FeatureConfig) -> OrderFlow:
    """The state before the first update."""
    depths = len(config.depths)
    zscores = rolling_moments_state(config.zscore_window, depths * len(config.windows))
    return OrderFlow(np.zeros((2, depths)), np.zeros(depths), zscores, np.zeros(2))


@kernel
def clear(own: OrderFlow) -> None:
    """As before the first update."""
    own.since_row[:] = 0.0
    rolling_moments.clear(own.zscores)


@kernel
def level_flow(bid: float, bid_size: float, bid0: float, bid_size0: float,
               ask: float, ask_size: float, ask0: float, ask_size0: float) -> float:  # fmt: skip
    """``e_m = b_m − a_m``: flow at a level from the book before (suffix 0) to the book now."""
    b = where(bid > bid0, bid_size, where(bid == bid0, bid_size - bid_size0, -bid_size0))
    a = where(ask > ask0, -ask_size0, where(ask == ask0, ask_size - ask_size0, ask_size))
    return b - a


@kernel
def ofi_cont(
    price: Float64s, size: Float64s, price0: Float64s, size0: Float64s, depths: Int64s, scratch: Float64s, out: Float64s
) -> None:
    """``OFI_D = Σ_{m≤D} e_m`` for each D of ``depths``, summed from the best level outwards.

    Args:
        price, size: the book's best levels now, shape ``(2, depth)``; price0, size0: after the update before.
        scratch: shape ``(depth,)``.
        out: shape ``(len(depths),)``.
    """
    bid, bid_size, bid0, bid_size0 = price[0], size[0], price0[0], size0[0]
    ask, ask_size, ask0, ask_size0 = price[1], size[1], price0[1], size0[1]
    levels = depths[len(depths) - 1]
    for m in range(levels):
        scratch[m] = level_flow(bid[m], bid_size[m], bid0[m], bid_size0[m], ask[m], ask_size[m], ask0[m], ask_size0[m])
    total = 0.0
    m = 0
    for d in range(len(depths)):
        while m < depths[d]:
            total += scratch[m]
            m += 1
        out[d] = total


@kernel
def take_update(
    own: OrderFlow, p: Common, now: int, first: bool, use_depth: bool,
    price: Float64s, size: Float64s, price0: Float64s, size0: Float64s, rolling: RollingSum, scratch: Scratch,
) -> None:  # fmt: skip
    """Add an update's order flow to the windows and to what has come since the row before.

    Args:
        now: the clock, ns.
        first: there is no update before it to compare with, so the flow is 0.
        use_depth: the flow is the change of `depth_imbalance`.
        price, size, price0, size0: as in `ofi_cont`.
    """
    flow = scratch.depth
    if use_depth:
        depth_imbalance(size, p.depths, flow)
        for d in range(len(flow)):
            imbalance = flow[d]
            flow[d] = imbalance - own.last_imbalance[d]
            own.last_imbalance[d] = imbalance
    else:
        ofi_cont(price, size, price0, size0, p.depths, scratch.level[0], flow)
    if first:
        flow[:] = 0.0
    rolling_sum.add_events(rolling, p.shape, now, UPDATE_EVENT, 0, flow)
    add_each(own.since_row, 0, flow)


@kernel
def emit(own: OrderFlow, p: Common, row: Moment, at: Place, out: Rows, r: int) -> int:
    """``ofi_l{D} = Σ OFI_D`` since the previous row, ``ofi_l{D}_{w} = Σ OFI_D`` over each window, their z-scores
    ``ofi_z_l{D}_{w} = (x − mean)/max(deviation, 1e-8)``, `change`; the bits of `warm`."""
    value, c = out.value, at.value
    depths, windows = len(p.depths), len(p.shape.window)
    for d in range(depths):
        value[c + d, r] = own.since_row[0, d]
    c += depths
    n = depths * windows
    current, scores = row.scratch.window, row.scratch.window_zscore
    for d in range(depths):
        for w in range(windows):
            current[d * windows + w] = row.rolling.window_sum[w, 0, d]
    push(own.zscores, current)
    zscores(own.zscores, current, scores)
    for i in range(n):
        value[c + i, r] = current[i]
        value[c + n + i, r] = scores[i]
    if p.depths[0] == 1:
        change(own, row.rows == 0, value, c + 2 * n, r)
    own.since_row[:] = 0.0
    bits = WARM_WINDOWS if row.t >= row.first_update + p.longest_window else 0
    return bits | WARM_ZSCORES if row.rows + 1 >= len(own.zscores.ring) else bits


@kernel
def change(own: OrderFlow, first: bool, value: Float64s, c: int, r: int) -> None:
    """``ofi_momentum = ofi_l0 − ofi_l0 of the previous row``, and
    ``ofi_acceleration = ofi_momentum − ofi_momentum of the previous row``; 0 at the first row."""
    flow = own.since_row[0, 0]
    momentum = 0.0 if first else flow - own.before[_FLOW]
    value[c, r] = momentum
    value[c + 1, r] = 0.0 if first else momentum - own.before[_MOMENTUM]
    own.before[_FLOW] = flow
    own.before[_MOMENTUM] = momentum
