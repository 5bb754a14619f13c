"""Books that users hand over as arrays of levels: checked, and made into tape rows."""

import math
from typing import Any

import numpy as np

from operators.arguments import as_array, as_number
from operators.config import MS
from sources.tape.batch import SNAPSHOT, Float64s, Int64s, TapeBatch


def nanoseconds(name: str, ms: float) -> int:
    """A time in ms as a whole number of nanoseconds.

    Raises:
        ValueError: no number, or not between 1970 and 2116; the text begins with ``name``.
    """
    number = as_number(name, ms)
    whole = math.floor(number)  # apart: a product of today's ms has no bits left for the nanosecond
    ns = whole * MS + round((number - whole) * MS)
    if not 0 <= ns < 1 << 62:
        raise ValueError(f"{name}: {ms!r} ms is not between 1970 and 2116")
    return ns


def side(
    price_name: str, prices: Any, quantity_name: str, quantities: Any, direction: int, dimensions: int = 1
) -> tuple[Float64s, Float64s]:
    """Prices and quantities of one side, checked.

    Args:
        direction: where prices go from the best outwards, +1 or −1.
        dimensions: 1 for a book, 2 for many of them.

    Raises:
        ValueError: shapes differ, no level, a number that is not finite and positive, or prices that are not sorted.
    """
    price, quantity = as_array(price_name, prices, dimensions), as_array(quantity_name, quantities, dimensions)
    if price.shape != quantity.shape:
        raise ValueError(f"{quantity_name}: has shape {quantity.shape}, {price_name} {price.shape}")
    if price.shape[-1] == 0:
        raise ValueError(f"{price_name}: has no level")
    for name, array in ((price_name, price), (quantity_name, quantity)):
        if not (array > 0).all():
            raise ValueError(f"{name}: {array.min():g} is not positive")
    if not (direction * np.diff(price) > 0).all():
        then = "rising" if direction > 0 else "falling"
        raise ValueError(f"{price_name}: not sorted; the best comes first, then {then}")
    return price, quantity


def refuse_crossed(bids: Float64s, asks: Float64s) -> None:
    """Refuse prices of which a best bid is not below its best ask; the last axis is the levels.

    Raises:
        ValueError: there is one.
    """
    best_bid, best_ask = np.atleast_1d(bids[..., 0]), np.atleast_1d(asks[..., 0])
    if not (best_bid < best_ask).all():
        at = int(np.argmax(best_bid >= best_ask))
        raise ValueError(f"bid_prices: the best bid, {best_bid[at]:g}, is not below the best ask, {best_ask[at]:g}")


def snapshots(
    clock: Int64s, bid_price: Float64s, bid_size: Float64s, ask_price: Float64s, ask_size: Float64s
) -> TapeBatch:
    """A tape on which every book is a snapshot."""
    n, bids, asks = len(clock), bid_price.shape[-1], ask_price.shape[-1]
    levels = bids + asks
    number = np.arange(n * levels)
    times = np.repeat(clock, levels)
    return TapeBatch(
        ordinal=number,
        exchange_ts=times,
        receive_ts=times,
        sequence=number,
        kind=np.full(n * levels, SNAPSHOT, np.int8),
        side=np.tile(np.repeat(np.array([1, -1], np.int8), [bids, asks]), n),
        price=np.concatenate([bid_price.reshape(n, -1), ask_price.reshape(n, -1)], axis=1).ravel(),
        size=np.concatenate([bid_size.reshape(n, -1), ask_size.reshape(n, -1)], axis=1).ravel(),
        last=np.tile(np.arange(levels) == levels - 1, n),
    )
