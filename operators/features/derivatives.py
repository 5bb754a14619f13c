"""What a perpetual has beside its book: mark and index price, funding, open interest, liquidations by window
(docs/features.md, 4.10).

They are there when ``features.derivatives`` is on. Their tape rows move no clock, so no other column sees them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators import rolling_sum
from operators.config import MS, FeatureConfig
from operators.features.feature import (
    PRICE_UNIT,
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
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, Float64s, Int64s

LIQUIDATION_EVENT = 2  # the kind of event in the rolling sums

_MARK, _INDEX, _RATE, _OPEN_INTEREST = range(4)  # of `Derivatives.newest`


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    if not config.derivatives:
        return ()
    names = ("mark_price", "index_price", "mark_basis", "funding_rate", "funding_in", "open_interest")
    return floats(*names, *(f"liquidation_{text}" for text, _ in config.windows))


_NEWEST = "the newest tape row of it"
_BEFORE = "before the first since the start or restart"
FEATURE = Feature(
    section="4.10",
    columns=_columns,
    described=(
        Described("mark_price", PRICE_UNIT, "the venue's mark price", reads=_NEWEST, unknown=_BEFORE),
        Described(
            "index_price",
            PRICE_UNIT,
            "the venue's index price",
            reads=_NEWEST,
            unknown=f"{_BEFORE}, or where the venue names none",
        ),
        Described(
            "mark_basis",
            "ratio",
            "mark price beyond mid, as a part of mid",
            "mark_basis = mark_price/mid − 1",
            f"the book at ts, and {_NEWEST}",
            _BEFORE,
        ),
        Described(
            "funding_rate",
            "ratio",
            "funding rate of the running interval, as a part of a position's value",
            reads=_NEWEST,
            unknown=_BEFORE,
        ),
        Described(
            "funding_in",
            "s",
            "time from ts to the next funding, at least 0",
            "funding_in = max(0, next funding − ts)",
            _NEWEST,
            f"{_BEFORE}, or where the venue names no time",
        ),
        Described("open_interest", SIZE_UNIT, "open positions", reads=_NEWEST, unknown=_BEFORE),
        Described(
            "liquidation_{w}",
            SIZE_UNIT,
            "bought less sold by liquidation orders in the last {w}",
            "liquidation_{w} = Σ side·size",
            "liquidations that came while the clock lay in (ts − {w}, ts]",
            warm=WARM_WINDOWS,
        ),
    ),
)


class Derivatives(NamedTuple):
    """State; no elements if they are off. Liquidations by window are kept with the sums of trades."""

    newest: Float64s  # (4,): mark and index price, funding rate, open interest; NaN where not known
    next_funding: Int64s  # (1,): ms; 0 where not known


class Switch(NamedTuple):
    """Parameters."""

    on: bool


def switch(config: FeatureConfig) -> Switch:
    """Whether they are computed."""
    return Switch(config.derivatives)


def state(config: FeatureConfig) -> Derivatives:
    """The state before the first row; `clear` makes it unknown."""
    return Derivatives(np.zeros(4 * config.derivatives), np.zeros(1 * config.derivatives, np.int64))


def quantities(config: FeatureConfig) -> list[int]:
    """Kinds of event of what is summed over windows, behind all others: signed size of liquidations."""
    return [LIQUIDATION_EVENT] if config.derivatives else []


@kernel
def clear(own: Derivatives) -> None:
    """Nothing is known."""
    own.newest[:] = np.nan
    own.next_funding[:] = 0


@kernel
def take(
    own: Derivatives, p: Common, kind: int, now: int, sequence: int, side: int, price: float, size: float,
    rolling: RollingSum, scratch: Scratch,
) -> None:  # fmt: skip
    """Take a tape row of a derivative; for a liquidation there is room in ``rolling``.

    Args:
        now: the clock, ns.
        kind, sequence, side, price, size: of the row (docs/tape.md, 2.3).
    """
    newest = own.newest
    if kind == MARK:
        newest[_MARK] = price
        newest[_INDEX] = size if size > 0.0 else np.nan
    elif kind == FUNDING:
        newest[_RATE] = price
        own.next_funding[0] = sequence
    elif kind == LIQUIDATION:
        scratch.single[0] = side * size
        rolling_sum.add_events(rolling, p.shape, now, LIQUIDATION_EVENT, len(p.shape.kind) - 1, scratch.single)
    else:
        newest[_OPEN_INTEREST] = size


@kernel
def emit(own: Derivatives, p: Common, row: Moment, at: Place, out: Rows, r: int) -> None:
    """Write what is known, ``mark_basis = mark_price/mid − 1``, ``funding_in = max(0, next funding − ts)`` and
    ``liquidation_{w} = Σ side·size``."""
    value, c, newest = out.value, at.value, own.newest
    value[c, r] = newest[_MARK]
    value[c + 1, r] = newest[_INDEX]
    value[c + 2, r] = newest[_MARK] / row.mid - 1.0
    value[c + 3, r] = newest[_RATE]
    # Not in ns: a venue's time in ms may be any.
    left = float(own.next_funding[0] - row.t // MS) - float(row.t % MS) / MS
    value[c + 4, r] = max(0.0, left) / 1000.0 if own.next_funding[0] > 0 else np.nan
    value[c + 5, r] = newest[_OPEN_INTEREST]
    for w in range(len(p.shape.window)):
        value[c + 6 + w, r] = row.rolling.window_sum[w, 0, len(p.shape.kind) - 1]
