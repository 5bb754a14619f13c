"""What the tape does to open orders (docs/execution.md, 5)."""

import numpy as np

from operators.book import level_size
from operators.execution.grid import value
from operators.execution.matching import cancel, quotes
from operators.execution.orders import remove
from operators.execution.queue import ahead_after
from operators.execution.records import fill
from operators.execution.state import (
    AHEAD,
    ID,
    KEY,
    LEAVES,
    LEVEL,
    LOTS,
    MID,
    SIZE,
    THEN,
    TICKS,
    TIF,
    TRADED,
    Exchange,
    Rules,
)
from operators.execution.words import BY_RESET, LIMIT, MAKER
from operators.jit import kernel, rare_kernel
from operators.level_blocks import Book


@kernel
def price_of(exchange: Exchange, rules: Rules, s: int, i: int) -> float:
    """Price of the i-th open order of a side."""
    return value(exchange.resting.integer[TICKS, s, i], rules.tick_numerator, rules.tick_denominator)


@rare_kernel
def fill_open(exchange: Exchange, rules: Rules, ts: int, s: int, i: int, lots: int) -> bool:
    """Fill ``lots`` of the i-th open order of a side; returns whether it is filled whole, and gone."""
    integer = exchange.resting.integer
    leaves = integer[LEAVES, s, i] - lots
    integer[LEAVES, s, i] = leaves
    price = price_of(exchange, rules, s, i)
    size = value(integer[SIZE, s, i], rules.lot_numerator, rules.lot_denominator)
    side = 1 if s == 0 else -1
    fill(
        exchange, rules, ts, integer[ID, s, i], side, LIMIT, integer[TIF, s, i], price, price, size, lots, leaves, MAKER
    )
    if leaves == 0:
        remove(exchange.resting, s, i)
    return leaves == 0


@kernel
def take_trade(exchange: Exchange, rules: Rules, ts: int, side: int, price: float, size: float) -> None:
    """A trade: fill what it reaches.

    Args:
        ts: ns, exchange time.
        side: of the aggressor.
    """
    s = 1 if side > 0 else 0
    sign = 1.0 if s == 0 else -1.0
    resting = exchange.resting
    lot = value(1, rules.lot_numerator, rules.lot_denominator)
    used = 0.0  # what own earlier orders at the price took of this trade
    i = 0
    while i < resting.orders[s]:
        own = price_of(exchange, rules, s, i)
        if sign * price > sign * own:
            break
        if price != own:
            fill_open(exchange, rules, ts, s, i, resting.integer[LEAVES, s, i])
            continue
        resting.value[AHEAD, s, i] -= size - used
        resting.value[TRADED, s, i] += size
        reached = np.rint(-resting.value[AHEAD, s, i] / lot)
        if reached > 0.0:
            leaves = resting.integer[LEAVES, s, i]
            lots = leaves if reached >= leaves else int(reached)
            resting.value[AHEAD, s, i] = 0.0
            used += value(lots, rules.lot_numerator, rules.lot_denominator)
            if fill_open(exchange, rules, ts, s, i, lots):
                continue
        i += 1


@rare_kernel
def forget_taken(book: Book, exchange: Exchange) -> None:
    """Levels that have another size than when they were taken from have it back."""
    taken = exchange.taken
    for s in range(2):
        n = 0
        for i in range(taken.levels[s]):
            key, then = taken.value[KEY, s, i], taken.value[THEN, s, i]
            if level_size(book, s, key) == then:
                taken.value[KEY, s, n] = key
                taken.value[THEN, s, n] = then
                taken.integer[LOTS, s, n] = taken.integer[LOTS, s, i]
                n += 1
        taken.levels[s] = n


@kernel
def take_message(book: Book, known: int, exchange: Exchange, rules: Rules, ts: int) -> None:
    """A whole book message: queues, then orders that the other side has reached.

    Args:
        ts: ns, exchange time.
    """
    resting = exchange.resting
    if exchange.taken.levels[0] + exchange.taken.levels[1] > 0:
        forget_taken(book, exchange)
    for s in range(2):
        sign = 1.0 if s == 0 else -1.0
        for i in range(resting.orders[s]):
            after = level_size(book, s, sign * price_of(exchange, rules, s, i))
            before = resting.value[LEVEL, s, i]
            if after != before:
                resting.value[AHEAD, s, i] = ahead_after(
                    resting.value[AHEAD, s, i], before, after, resting.value[TRADED, s, i], rules.queue, rules.power
                )
                resting.value[TRADED, s, i] = 0.0
                resting.value[LEVEL, s, i] = after
    good, bid, ask = quotes(book, known)
    if not good:
        return
    exchange.money[MID] = (bid - ask) / 2.0
    for s in range(2):
        sign = 1.0 if s == 0 else -1.0
        other = ask if s == 0 else bid  # key of the other side's best, which is of the other sign
        while resting.orders[s] > 0 and -other <= sign * price_of(exchange, rules, s, 0):
            fill_open(exchange, rules, ts, s, 0, resting.integer[LEAVES, s, 0])


@rare_kernel
def cancel_all(exchange: Exchange, rules: Rules, ts: int) -> None:
    """A ``reset``: nothing rests any more, nothing is taken."""
    for s in range(2):
        while exchange.resting.orders[s] > 0:
            cancel(exchange, rules, ts, s, 0, BY_RESET)
        exchange.taken.levels[s] = 0
