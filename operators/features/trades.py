"""Prints: signed volume by window; volume, count and mean price since the row before (docs/features.md, 4.5)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators import rolling_sum
from operators.compensated import add_one
from operators.config import FeatureConfig
from operators.features.feature import (
    PRICE_UNIT,
    SINCE_ROW,
    SIZE_UNIT,
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
from operators.jit import kernel
from operators.rolling_sum import RollingSum
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

TRADE_EVENT = 1  # the kind of event in the rolling sums

_TRADES = f"trades {SINCE_ROW}"
_VOLUME, _NOTIONAL = 0, 1  # pairs of `Trades.since_row`


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    windows = [text for text, _ in config.windows]
    return [
        *floats(*(f"trade_imbalance_{w}" for w in windows), "trade_volume"),
        Declared("trade_count", "int64"),
        *floats("vwap"),
    ]


FEATURE = Feature(
    section="4.5",
    columns=_columns,
    described=(
        Described(
            "trade_imbalance_{w}",
            SIZE_UNIT,
            "bought less sold by aggressors in the last {w}",
            "trade_imbalance_{w} = Σ side·size",
            "trades whose clock lies in (ts − {w}, ts]",
            warm=WARM_WINDOWS,
        ),
        Described("trade_volume", SIZE_UNIT, f"size traded {SINCE_ROW}", "trade_volume = Σ size", _TRADES),
        Described("trade_count", "trades", f"number of trades {SINCE_ROW}", reads=_TRADES),
        Described(
            "vwap",
            PRICE_UNIT,
            f"mean price by size of the trades {SINCE_ROW}",
            "vwap = Σ price·size / Σ size",
            _TRADES,
            f"no trade {SINCE_ROW}",
        ),
    ),
)


class Trades(NamedTuple):
    """State."""

    since_row: Float64s  # (2, 2): pairs, hi and lo, of volume and notional
    prints: Int64s  # (1,): since the row before


def state(config: FeatureConfig) -> Trades:
    """The state before the first print."""
    return Trades(np.zeros((2, 2)), np.zeros(1, np.int64))


@kernel
def clear(own: Trades) -> None:
    """As before the first print."""
    own.since_row[:] = 0.0
    own.prints[0] = 0


@kernel
def take_trade(
    own: Trades, p: Common, now: int, side: int, price: float, size: float, rolling: RollingSum, scratch: Scratch
) -> None:
    """Add a print to the windows and to what has come since the row before.

    Args:
        now: the clock, ns.
        side: +1 if the buyer was the aggressor, else −1.
    """
    scratch.single[0] = side * size
    rolling_sum.add_events(rolling, p.shape, now, TRADE_EVENT, len(p.depths), scratch.single)
    add_one(own.since_row, _VOLUME, size)
    add_one(own.since_row, _NOTIONAL, price * size)
    own.prints[0] += 1


@kernel
def emit(own: Trades, p: Common, row: Moment, at: Place, out: Rows, r: int) -> None:
    """``trade_imbalance_{w} = Σ side·size``; since the previous row ``trade_volume = Σ size``, the count, and
    ``vwap = Σ price·size / Σ size``."""
    value, c = out.value, at.value
    windows, quantity = len(p.shape.window), len(p.depths)
    for w in range(windows):
        value[c + w, r] = row.rolling.window_sum[w, 0, quantity]
    volume = own.since_row[0, _VOLUME]
    value[c + windows, r] = volume
    value[c + windows + 1, r] = own.since_row[0, _NOTIONAL] / volume if own.prints[0] > 0 else np.nan
    out.integer[at.integer, r] = own.prints[0]
    clear(own)
