"""What a strategy is shown, and how it sends orders (docs/execution.md, 1; docs/strategies.md)."""

from typing import NamedTuple

import numpy as np

from operators.execution.grid import NO_STEP, steps
from operators.execution.pending import send
from operators.execution.state import (
    ACKNOWLEDGED,
    DECISIONS,
    LOCAL,
    MOST_SENT,
    MOST_WORKING,
    NEXT_ID,
    PENDING_END,
    REPORT_END,
    REPORT_FIRST,
    REPORT_ID,
    REPORT_LEAVES,
    REPORT_LOTS,
    REPORT_TICKS,
    SEEN_AT,
    SEEN_POSITION,
    SENT,
    STATUS,
    WORKING,
    WORKING_ID,
    WORKING_LEAVES,
    WORKING_SIDE,
    WORKING_TICKS,
    Commands,
    Exchange,
    Resting,
    Rules,
)
from operators.execution.words import (
    CANCEL,
    CANCELLED,
    EXPIRED,
    FILLED,
    LIMIT,
    MARKET,
    REJECTED,
    WITHHELD,
)
from operators.jit import kernel
from sources.tape.batch import Float64s, Int64s

# Why orders of a decision were not taken.
TAKEN, MANY_SENT, MANY_WORKING, NO_ROOM = range(4)


class View(NamedTuple):
    """What a strategy compiled by Numba knows when it decides; nothing of it is later than its decision.

    Attributes:
        columns: the feature columns that it asked for, of the newest row.
        ts: ns, time of the feature row.
        local_ts: ns, local time.
        position: in base currency, by the fills whose reports have been seen.
        working: shape ``(5, …)``: id, side, ticks, lots open, 1 if acknowledged, of ``orders`` orders.
        tick, lot: one step of price and size.
        ordinal: of the feature row.
        resting: orders that are open at the exchange, with what is ahead of them by its model of the queue.
    """

    columns: Float64s
    ts: int
    local_ts: int
    position: float
    working: Int64s
    orders: int
    tick: float
    lot: float
    ordinal: int
    resting: Resting


@kernel
def order(commands: Commands, order_id: int, side: int, action: int, tif: int, price: float, size: float) -> None:
    """Note a command; more than 256 of one decision are counted, and refused."""
    n = commands.noted[0]
    if n < MOST_SENT:
        commands.integer[0, n] = order_id
        commands.integer[1, n] = side
        commands.integer[2, n] = action
        commands.integer[3, n] = tif
        commands.value[0, n] = price
        commands.value[1, n] = size
    commands.noted[0] = n + 1


@kernel
def see_reports(exchange: Exchange) -> None:
    """Take the reports that the strategy has got by now.

    Orders that have ended stand behind the others in ``working`` until new ones are sent, with what they had left.
    """
    clock, report, working = exchange.clock, exchange.report, exchange.working
    e = clock[REPORT_FIRST]
    while e < clock[REPORT_END] and report[SEEN_AT, e] <= clock[LOCAL]:
        clock[SEEN_POSITION] += report[REPORT_LOTS, e]
        status = report[STATUS, e]
        n = clock[WORKING]
        i = 0
        while i < n and working[WORKING_ID, i] != report[REPORT_ID, e]:
            i += 1
        if i < n and status >= 0:
            if status in (REJECTED, FILLED, CANCELLED, EXPIRED):
                if status == FILLED:
                    working[WORKING_LEAVES, i] = 0
                for row in range(working.shape[0]):
                    ended = working[row, i]
                    for k in range(i, n - 1):
                        working[row, k] = working[row, k + 1]
                    working[row, n - 1] = ended
                clock[WORKING] = n - 1
            else:
                working[WORKING_LEAVES, i] = report[REPORT_LEAVES, e]
                working[WORKING_TICKS, i] = report[REPORT_TICKS, e]
                working[ACKNOWLEDGED, i] = 1
        e += 1
    if e == clock[REPORT_END]:  # all are seen: their room is free again
        e = clock[REPORT_END] = 0
    clock[REPORT_FIRST] = e


@kernel
def take_commands(exchange: Exchange, rules: Rules) -> int:
    """Send what the strategy has decided; tells `TAKEN`, or why nothing was sent."""
    clock, commands, working = exchange.clock, exchange.commands, exchange.working
    n = commands.noted[0]
    if n > MOST_SENT:
        return MANY_SENT
    if clock[WORKING] + n > MOST_WORKING:
        return MANY_WORKING
    if clock[PENDING_END] + n > exchange.pending.integer.shape[1]:
        return NO_ROOM
    for i in range(n):
        order_id, side = commands.integer[0, i], commands.integer[1, i]
        action, tif = commands.integer[2, i], commands.integer[3, i]
        price, size = commands.value[0, i], commands.value[1, i]
        if action == WITHHELD:
            clock[NEXT_ID] += 1
            continue
        if action in (MARKET, CANCEL):  # whatever a kernel has put there
            price = np.nan
        if action == CANCEL:
            size = np.nan
        if action in (LIMIT, MARKET):
            order_id = clock[NEXT_ID]
            clock[NEXT_ID] += 1
            k = clock[WORKING]
            ticks = steps(price, rules.tick_numerator, rules.tick_denominator) if action == LIMIT else NO_STEP
            working[WORKING_ID, k] = order_id
            working[WORKING_SIDE, k] = side
            working[WORKING_TICKS, k] = ticks
            working[WORKING_LEAVES, k] = steps(size, rules.lot_numerator, rules.lot_denominator)
            working[ACKNOWLEDGED, k] = 0
            clock[WORKING] = k + 1
        send(exchange, rules, clock[LOCAL], order_id, side, action, tif, price, size)
    clock[SENT] += n
    clock[DECISIONS] += 1
    commands.noted[0] = 0
    return TAKEN
