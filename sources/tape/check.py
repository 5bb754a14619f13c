"""What must hold of every tape row before a kernel reads it."""

import math

from sources.events import KINDS, RESET, SNAPSHOT, TRADE, TapeBatch
from sources.jit import kernel

GOOD, ORDINAL, TIME, KIND, SIDE, PRICE, SIZE = range(7)

_END_OF_TIME = 1 << 62  # ns; the year 2116: a clock pinned in the far future would emit no row ever again


@kernel
def first_fault(batch: TapeBatch, ordinal: int) -> tuple[int, int]:
    """The first row that breaks the tape's rules and which one it breaks; ``(rows, GOOD)`` if none does.

    Args:
        ordinal: of the row before the batch, −1 if there is none.
    """
    for i in range(len(batch.ordinal)):
        ordinal += 1
        if batch.ordinal[i] != ordinal:
            return i, ORDINAL
        if not 0 < batch.exchange_ts[i] < _END_OF_TIME:
            return i, TIME
        kind, side, price, size = batch.kind[i], batch.side[i], batch.price[i], batch.size[i]
        if kind < SNAPSHOT or kind > RESET:
            return i, KIND
        if kind == RESET:
            if side != 0:
                return i, SIDE
            continue
        if side != 1 and side != -1:
            return i, SIDE
        if not (0.0 < price < math.inf):  # false for NaN, too
            return i, PRICE
        if not (0.0 <= size < math.inf) or (kind == TRADE and size == 0.0):
            return i, SIZE
    return len(batch.ordinal), GOOD


def describe(batch: TapeBatch, row: int, fault: int, ordinal: int) -> str:
    """The fault of `first_fault` in words: the value, and what is allowed."""
    before = batch.ordinal[row - 1] if row else ordinal
    return {
        ORDINAL: f"ordinal {batch.ordinal[row]} does not follow {before}; rows are missing, repeated or out of order",
        TIME: f"exchange_ts {batch.exchange_ts[row]} ns is not between 1970 and 2116",
        KIND: f"kind is none of {', '.join(KINDS)}",
        SIDE: f"side {batch.side[row]} is not +1 or -1 (0 on a reset)",
        PRICE: f"price {batch.price[row]} is not positive and finite",
        SIZE: f"size {batch.size[row]} is negative or not finite, or a trade's is 0",
    }[fault]
