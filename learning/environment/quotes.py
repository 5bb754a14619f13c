"""What an agent whose orders rest can do: where it quotes on each side, or that it closes its position
(docs/acting.md, 2)."""

import numpy as np

from learning.environment.account import Float32s, Terms
from learning.jit import pasted
from operators.execution.grid import NO_STEP, steps, value
from operators.execution.orders import find
from operators.execution.state import (
    ACKNOWLEDGED,
    AHEAD,
    LEAST,
    LEVEL,
    SEEN_POSITION,
    WORKING,
    WORKING_ID,
    WORKING_LEAVES,
    WORKING_SIDE,
    WORKING_TICKS,
    Exchange,
    Rules,
)
from operators.execution.view import order
from operators.execution.words import AMEND, CANCEL, GTX, LIMIT, MARKET

PLACES = ("none", "behind", "join", "improve")
NONE, BEHIND, JOIN, IMPROVE = range(4)
# An action is ``4 · place of the bid + place of the ask``; the last one closes.
CLOSE = len(PLACES) ** 2
ACTIONS = CLOSE + 1
SHOWN = 6  # numbers of an observation: of the bid and of the ask what is open, its distance, the queue before it
NOTHING = -1  # to be sent
_FARTHEST = 10.0  # ticks


@pasted
def own_order(exchange: Exchange, side: int) -> int:
    """Where the order of a side stands among those that are known to work; their number if there is none."""
    k = 0
    while k < exchange.clock[WORKING] and exchange.working[WORKING_SIDE, k] != side:
        k += 1
    return k


@pasted
def quote(exchange: Exchange, rules: Rules, terms: Terms, bid: float, ask: float, action: int) -> None:
    """Note the commands of an action.

    A side has one order, post only. It is for one whole position at most, and leads to no more than one; it is moved by
    an amend that keeps what is open, and left alone until its arrival has been seen. A position is closed by a market
    order once nothing works.

    Args:
        bid, ask: quote currency, best prices as they are known.
    """
    clock, working, commands = exchange.clock, exchange.working, exchange.commands
    best_bid = steps(bid, rules.tick_numerator, rules.tick_denominator)
    best_ask = steps(ask, rules.tick_numerator, rules.tick_denominator)
    if best_bid == NO_STEP or best_ask == NO_STEP:
        return
    held = clock[SEEN_POSITION]
    for s in range(2):
        side = 1 - 2 * s
        place, ticks = (action // 4, best_bid) if s == 0 else (action % 4, best_ask)
        if action == CLOSE:
            place = NONE
        if place == BEHIND:
            ticks -= side
        elif place == IMPROVE and best_ask - best_bid > 1:
            ticks += side
        k = own_order(exchange, side)
        number, what, tif, lots = 0, NOTHING, -1, 0
        if k == clock[WORKING]:
            lots = min(terms.lots, terms.lots - side * held)
            if place != NONE and lots >= max(rules.number[LEAST], 1.0):
                what, tif = LIMIT, GTX
        elif working[ACKNOWLEDGED, k]:
            number = working[WORKING_ID, k]
            if place == NONE:
                what = CANCEL
            elif working[WORKING_TICKS, k] != ticks:
                what, tif = AMEND, GTX
        if action == CLOSE and clock[WORKING] == 0 and side * held < 0:
            what, lots = MARKET, -side * held
        if what != NOTHING:
            price = value(ticks, rules.tick_numerator, rules.tick_denominator) if tif == GTX else np.nan
            size = value(lots, rules.lot_numerator, rules.lot_denominator) if lots > 0 else np.nan
            order(commands, number, side, what, tif, price, size)


@pasted
def show_quotes(
    exchange: Exchange, rules: Rules, terms: Terms, bid: float, ask: float, out: Float32s, first: int
) -> None:
    """Fill six numbers of ``out``: of each side the share of a whole position that is open, ticks behind the best
    price, and the share of its level that is before it by the exchange's model of the queue."""
    working, resting = exchange.working, exchange.resting
    out[first : first + SHOWN] = 0.0
    for s in range(2):
        side, at = 1 - 2 * s, first + 3 * s
        k = own_order(exchange, side)
        if k == exchange.clock[WORKING]:
            continue
        out[at] = working[WORKING_LEAVES, k] / terms.lots
        best = steps(bid if s == 0 else ask, rules.tick_numerator, rules.tick_denominator)
        if not working[ACKNOWLEDGED, k] or best == NO_STEP:
            continue
        out[at + 1] = max(-_FARTHEST, min(_FARTHEST, side * (best - working[WORKING_TICKS, k])))
        _, i = find(resting, working[WORKING_ID, k])
        if i >= 0 and resting.value[LEVEL, s, i] > 0.0:
            out[at + 2] = min(1.0, max(0.0, resting.value[AHEAD, s, i] / resting.value[LEVEL, s, i]))
