"""What happens to an order that arrives (docs/execution.md, 3 and 4)."""

import numpy as np

from operators.book import best_key, level_size, next_level
from operators.execution.grid import NO_STEP, steps, value
from operators.execution.orders import find, insert, open_lots, remove
from operators.execution.records import fill, record
from operators.execution.state import (
    ACT,
    ACTION,
    AMOUNT,
    ID,
    IN_FORCE,
    KEY,
    LEAST,
    LEAVES,
    LOTS,
    MOST_OPEN,
    MOST_ORDER,
    MOST_POSITION,
    ORDER_ID,
    POSITION,
    PRICE,
    SIDE,
    SIZE,
    THEN,
    TICKS,
    TIF,
    Exchange,
    Rules,
    Taken,
)
from operators.execution.words import (
    ACCEPTED,
    AMEND,
    AMENDED,
    CANCEL,
    CANCELLED,
    EXPIRED,
    GRID,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    MIN_SIZE,
    NO_BOOK,
    NO_REASON,
    NOT_OPEN,
    REJECTED,
    RISK,
    TAKER,
    TOO_MANY,
    WOULD_TAKE,
)
from operators.jit import kernel, rare_kernel
from operators.level_blocks import BLOCK, Book


@kernel
def quotes(book: Book, known: int) -> tuple[bool, float, float]:
    """Whether the book is known, has both sides and is not crossed; and the keys of its best bid and ask."""
    if not known or book.levels[0] == 0 or book.levels[1] == 0:
        return False, 0.0, 0.0
    bid, ask = best_key(book, 0), best_key(book, 1)
    return bid < -ask, bid, ask


@kernel
def refusal(
    exchange: Exchange, rules: Rules, good: bool, reaches: bool, side: int, action: int, tif: int, ticks: int,
    lots: int, own: int,
) -> int:  # fmt: skip
    """Why an arriving order is rejected, the first reason of docs/execution.md, 3; `NO_REASON` if it is not.

    Args:
        own: lots that are open of the order itself, if it is amended; else 0.
    """
    if not good:
        return NO_BOOK
    if (action != MARKET and ticks == NO_STEP) or lots == NO_STEP:
        return GRID
    if lots < rules.number[LEAST]:
        return MIN_SIZE
    s = 0 if side > 0 else 1
    position = exchange.clock[POSITION]
    after = abs(position + side * (lots + open_lots(exchange.resting, s) - own))
    if lots > rules.number[MOST_ORDER] or (after > rules.number[MOST_POSITION] and after > abs(position)):
        return RISK
    full = exchange.resting.orders[0] + exchange.resting.orders[1] >= MOST_OPEN
    if full and own == 0 and action != MARKET and tif != IOC:
        return TOO_MANY
    if tif == GTX and reaches:
        return WOULD_TAKE
    return NO_REASON


@kernel
def taken_entry(taken: Taken, s: int, key: float) -> int:
    """Where the level of that key is noted; the number of entries if it is not."""
    n = taken.levels[s]
    for i in range(n):
        if taken.value[KEY, s, i] == key:
            return i
    return n


@kernel
def take(
    book: Book, exchange: Exchange, rules: Rules, ts: int, order_id: int, side: int, kind: int, tif: int,
    price: float, size: float, limit: float, leaves: int,
) -> int:  # fmt: skip
    """Take visible levels from the best outwards (docs/execution.md, 4); returns the lots that are still open.

    Args:
        kind, tif, price, size: of the order, for its rows.
        limit: price to which it takes.
    """
    taken = exchange.taken
    s = 1 if side > 0 else 0  # the side whose levels are taken
    sign = 1.0 if s == 0 else -1.0
    lot = value(1, rules.lot_numerator, rules.lot_denominator)
    d, at = book.blocks[s], 0
    while leaves > 0:
        d, at = next_level(book, s, d, at)
        if d < 0:
            break
        key = book.place[at]
        level, there = sign * key, book.place[at + BLOCK]
        if side * level > side * limit:
            break
        i = taken_entry(taken, s, key)
        used = taken.integer[LOTS, s, i] if i < taken.levels[s] else 0
        free = int(np.floor((there - value(used, rules.lot_numerator, rules.lot_denominator)) / lot + 1e-6))
        lots = min(leaves, free)
        if lots <= 0:
            continue
        leaves -= lots
        taken.value[KEY, s, i] = key
        taken.value[THEN, s, i] = there
        taken.integer[LOTS, s, i] = used + lots
        taken.levels[s] = max(taken.levels[s], i + 1)
        fill(exchange, rules, ts, order_id, side, kind, tif, level, price, size, lots, leaves, TAKER)
    return leaves


@rare_kernel
def cancel(exchange: Exchange, rules: Rules, ts: int, s: int, i: int, reason: int) -> None:
    """The i-th open order of a side is open no more."""
    integer = exchange.resting.integer
    price = value(integer[TICKS, s, i], rules.tick_numerator, rules.tick_denominator)
    size = value(integer[SIZE, s, i], rules.lot_numerator, rules.lot_denominator)
    side, tif = 1 if s == 0 else -1, integer[TIF, s, i]
    record(exchange, rules, ts, integer[ID, s, i], side, LIMIT, tif, price, size, 0, CANCELLED, reason, 0)
    remove(exchange.resting, s, i)


@kernel
def reject(
    exchange: Exchange, rules: Rules, ts: int, order_id: int, side: int, action: int, tif: int, price: float,
    size: float, reason: int,
) -> None:  # fmt: skip
    """Nothing comes of an order, a cancel or an amend."""
    record(exchange, rules, ts, order_id, side, action, tif, price, size, 0, REJECTED, reason, 0)


@kernel
def enter(
    book: Book, exchange: Exchange, rules: Rules, ts: int, order_id: int, side: int, kind: int, tif: int, ticks: int,
    lots: int, crosses: bool,
) -> None:  # fmt: skip
    """An order that is not rejected: it takes if it ``crosses``, and then rests or expires."""
    size = value(lots, rules.lot_numerator, rules.lot_denominator)
    price, limit = np.nan, side * np.inf
    if kind == LIMIT:
        price = limit = value(ticks, rules.tick_numerator, rules.tick_denominator)
    record(exchange, rules, ts, order_id, side, kind, tif, price, size, lots, ACCEPTED, NO_REASON, 0)
    leaves = lots
    if crosses:
        leaves = take(book, exchange, rules, ts, order_id, side, kind, tif, price, size, limit, lots)
    if leaves == 0:
        return
    if kind == MARKET or tif == IOC:
        record(exchange, rules, ts, order_id, side, kind, tif, price, size, 0, EXPIRED, NO_REASON, 0)
        return
    s = 0 if side > 0 else 1
    insert(exchange.resting, s, order_id, ticks, leaves, lots, tif, level_size(book, s, side * price))


@rare_kernel
def arrive(book: Book, known: int, exchange: Exchange, rules: Rules, e: int) -> None:
    """The e-th order on its way reaches the exchange.

    Args:
        known: whether the book is.
    """
    integer, number = exchange.pending.integer, exchange.pending.value
    ts, order_id, side = integer[ACT, e], integer[ORDER_ID, e], integer[SIDE, e]
    action, tif = integer[ACTION, e], integer[IN_FORCE, e]
    price, size = number[PRICE, e], number[AMOUNT, e]
    s, i, own = -1, -1, 0
    if action in (CANCEL, AMEND):
        s, i = find(exchange.resting, order_id)
        if s < 0:
            reject(exchange, rules, ts, order_id, side, action, -1, price, size, NOT_OPEN)
            return
        if action == CANCEL:
            cancel(exchange, rules, ts, s, i, NO_REASON)
            return
        side, tif = 1 if s == 0 else -1, exchange.resting.integer[TIF, s, i]
        own = exchange.resting.integer[LEAVES, s, i]
    good, bid, ask = quotes(book, known)
    ticks = steps(price, rules.tick_numerator, rules.tick_denominator) if action != MARKET else 0
    keeps = action == AMEND and np.isnan(size)  # what is open then: a fill that nobody knows of is not ordered again
    lots = own if keeps else steps(size, rules.lot_numerator, rules.lot_denominator)
    limit = value(ticks, rules.tick_numerator, rules.tick_denominator)
    crosses = action == MARKET or (limit >= -ask if side > 0 else limit <= bid)
    reason = refusal(exchange, rules, good, crosses, side, action, tif, ticks, lots, own)
    if reason != NO_REASON:
        reject(exchange, rules, ts, order_id, side, action, tif, price, size, reason)
        return
    if action == AMEND:
        if ticks == exchange.resting.integer[TICKS, s, i] and lots < own:
            exchange.resting.integer[LEAVES, s, i] = lots
            whole = value(exchange.resting.integer[SIZE, s, i], rules.lot_numerator, rules.lot_denominator)
            record(exchange, rules, ts, order_id, side, LIMIT, tif, limit, whole, lots, ACCEPTED, AMENDED, 0)
            return
        cancel(exchange, rules, ts, s, i, AMENDED)
        action = LIMIT
    enter(book, exchange, rules, ts, order_id, side, action, tif, ticks, lots, crosses)
