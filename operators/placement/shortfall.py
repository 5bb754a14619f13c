"""What parent orders cost: the implementation shortfall of each.

Source: Perold 1988, "The implementation shortfall: paper versus reality", Journal of Portfolio Management 14(3).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sources.tape.batch import Float64s, Int64s

_BPS = 1e4
_WHOLE = 1e-6  # of an order


class Shortfalls(NamedTuple):
    """By parent, in the order of their numbers, each of shape ``(n,)``.

    Attributes:
        parent: number.
        ts: ns, when it began.
        mid: at that time.
        filled: share of it that was filled; only what is whole has a shortfall.
        bp: paid beyond ``mid``, fees and all, in basis points of it; NaN if it is not whole.
    """

    parent: Int64s
    ts: Int64s
    mid: Float64s
    filled: Float64s
    bp: Float64s


def shortfalls(placements: Mapping[str, Any], fills: Mapping[str, Any]) -> Shortfalls:
    """Of the parents whose decisions are there.

    Args:
        placements: columns ``ts``, ``parent_id``, ``order_id``, ``leaves`` and ``mid`` of that data set, in order.
        fills: columns ``order_id``, ``side``, ``price``, ``size`` and ``fee`` of that data set.
    """
    parent, first = np.unique(placements["parent_id"], return_index=True)
    worked = placements["order_id"] > 0
    child, at = np.unique(placements["order_id"][worked], return_index=True)
    owner = np.searchsorted(parent, placements["parent_id"][worked][at])
    place = np.searchsorted(child, fills["order_id"])
    known = place < len(child)
    known[known] = child[place[known]] == fills["order_id"][known]
    to = owner[place[known]]
    side, price, size, fee = (np.asarray(fills[name][known], float) for name in ("side", "price", "size", "fee"))
    mid, whole = placements["mid"][first], placements["leaves"][first]
    beyond = np.bincount(to, side * (price - mid[to]) * size + fee, len(parent))
    share = np.bincount(to, size, len(parent)) / whole
    bp = np.where(np.abs(share - 1.0) <= _WHOLE, beyond / whole / mid * _BPS, np.nan)
    return Shortfalls(parent, placements["ts"][first], mid, share, bp)
