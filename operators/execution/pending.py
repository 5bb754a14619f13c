"""Orders on their way to the exchange (docs/execution.md, 2)."""

from operators.execution.latency import latency_at
from operators.execution.matching import arrive
from operators.execution.state import (
    ACT,
    ACTION,
    AMOUNT,
    DECIDED,
    FILL_ROWS,
    IN_FORCE,
    MOST_SENT,
    ORDER_ID,
    ORDER_ROWS,
    PENDING_END,
    PENDING_FIRST,
    PRICE,
    REPORT_END,
    SIDE,
    Exchange,
    Rules,
)
from operators.jit import kernel
from operators.level_blocks import Book


@kernel
def send(
    exchange: Exchange, rules: Rules, local: int, order_id: int, side: int, action: int, tif: int, price: float,
    size: float,
) -> None:  # fmt: skip
    """Put an order, a cancel or an amend on its way; there must be room.

    Args:
        local: ns, local time of the decision.
    """
    clock, integer, number = exchange.clock, exchange.pending.integer, exchange.pending.value
    act = local + latency_at(rules.entry_from, rules.entry, local)
    e = clock[PENDING_END]
    while e > clock[PENDING_FIRST] and integer[ACT, e - 1] > act:
        for k in range(integer.shape[0]):
            integer[k, e] = integer[k, e - 1]
        for k in range(number.shape[0]):
            number[k, e] = number[k, e - 1]
        e -= 1
    integer[ACT, e] = act
    integer[DECIDED, e] = local
    integer[ORDER_ID, e] = order_id
    integer[SIDE, e] = side
    integer[ACTION, e] = action
    integer[IN_FORCE, e] = tif
    number[PRICE, e] = price
    number[AMOUNT, e] = size
    clock[PENDING_END] += 1


@kernel
def has_room(exchange: Exchange, most: int) -> bool:
    """Whether there is room for ``most`` more rows of orders, fills, reports and taken levels, and for a decision."""
    clock, rows = exchange.clock, exchange.rows
    taken = max(exchange.taken.levels[0], exchange.taken.levels[1])
    return (
        clock[ORDER_ROWS] + most <= rows.order_integer.shape[1]
        and clock[FILL_ROWS] + most <= rows.fill_integer.shape[1]
        and clock[REPORT_END] + most <= exchange.report.shape[1]
        and taken + most <= exchange.taken.integer.shape[2]
        and clock[PENDING_END] + MOST_SENT <= exchange.pending.integer.shape[1]
    )


@kernel
def act(book: Book, known: int, exchange: Exchange, rules: Rules, before: int) -> bool:
    """Let the orders act whose time is less than ``before``, ns; False if there is no room for what they may do.

    Call it again when there is: those that have acted are gone.
    """
    clock = exchange.clock
    while clock[PENDING_FIRST] < clock[PENDING_END] and exchange.pending.integer[ACT, clock[PENDING_FIRST]] < before:
        if not has_room(exchange, book.levels[0] + book.levels[1] + 3):
            return False
        arrive(book, known, exchange, rules, clock[PENDING_FIRST])
        clock[PENDING_FIRST] += 1
    if clock[PENDING_FIRST] == clock[PENDING_END]:  # none is on its way: their room is free again
        clock[PENDING_FIRST] = clock[PENDING_END] = 0
    return True
