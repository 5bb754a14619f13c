"""Open orders: where each stands among the others (docs/execution.md, 5)."""

from operators.execution.state import (
    AHEAD,
    ID,
    LEAVES,
    LEVEL,
    SIZE,
    TICKS,
    TIF,
    TRADED,
    Resting,
)
from operators.jit import kernel


@kernel
def move(resting: Resting, s: int, source: int, target: int) -> None:
    """Copy an order of a side to another place."""
    for k in range(resting.integer.shape[0]):
        resting.integer[k, s, target] = resting.integer[k, s, source]
    for k in range(resting.value.shape[0]):
        resting.value[k, s, target] = resting.value[k, s, source]


@kernel
def insert(resting: Resting, s: int, order_id: int, ticks: int, leaves: int, size: int, tif: int, ahead: float) -> None:
    """Put an order behind those of a better or the same price; there must be room."""
    n = resting.orders[s]
    sign = 1 if s == 0 else -1
    i = n
    while i > 0 and sign * resting.integer[TICKS, s, i - 1] < sign * ticks:
        move(resting, s, i - 1, i)
        i -= 1
    resting.integer[ID, s, i] = order_id
    resting.integer[TICKS, s, i] = ticks
    resting.integer[LEAVES, s, i] = leaves
    resting.integer[SIZE, s, i] = size
    resting.integer[TIF, s, i] = tif
    resting.value[AHEAD, s, i] = ahead
    resting.value[TRADED, s, i] = 0.0
    resting.value[LEVEL, s, i] = ahead
    resting.orders[s] = n + 1


@kernel
def remove(resting: Resting, s: int, i: int) -> None:
    """Take the i-th order of a side out."""
    n = resting.orders[s]
    for k in range(i, n - 1):
        move(resting, s, k + 1, k)
    resting.orders[s] = n - 1


@kernel
def find(resting: Resting, order_id: int) -> tuple[int, int]:
    """Side and place of an open order; −1, −1 if it is not open."""
    for s in range(2):
        for i in range(resting.orders[s]):
            if resting.integer[ID, s, i] == order_id:
                return s, i
    return -1, -1


@kernel
def open_lots(resting: Resting, s: int) -> int:
    """Leaves of all open orders of a side."""
    lots = 0
    for i in range(resting.orders[s]):
        lots += resting.integer[LEAVES, s, i]
    return lots
