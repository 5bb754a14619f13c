"""Between a strategy and the exchange: its market orders become parents, and orders of their own work for these.

Whatever else it sends passes. What it sees is itself: its own orders and its parents, in the order of their numbers.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from operators.execution.closures import named_after
from operators.execution.state import MOST_SENT, Commands
from operators.execution.view import View, order
from operators.execution.words import AMEND, CANCEL, GTX, LIMIT, MARKET, WITHHELD
from operators.placement.deciding import choose, place_of, state_now
from operators.placement.jit import kernel, rare_kernel
from operators.placement.log import DONE, SENT_NOW
from operators.placement.market import (
    BEHIND,
    IMPROVE,
    IMPROVED,
    LAST_THIRD,
    NONE,
    SHARES,
    STEP_BACK,
    TAKE,
    WAIT,
    spread_in,
)
from operators.placement.parents import (
    BEGAN,
    CHILD,
    COUNT,
    DUE,
    KNOWN,
    LAST,
    LEAVES,
    LEAVING,
    LOTS,
    MOST_PARENTS,
    NO_TICKS,
    PARENT,
    PLACE,
    SENT,
    SIDE,
    TAKING,
    TICKS,
    WHOLE,
    WORKING,
    add,
    remove,
    see,
    show,
)
from operators.placement.plan import QUOTES, TWAP, Layer
from sources.tape.batch import Float64s

_ON_GRID = 1e-6  # of a lot


@kernel
def unknown(layer: Layer) -> None:
    """In the next row of the log nothing is known of what actions are worth."""
    log = layer.log
    for a in range(5):
        log.integer[5 + a, log.rows[0]] = 0
        log.value[2 + a, log.rows[0]] = np.nan


@kernel
def note(layer: Layer, view: View, quotes: Float64s, k: int, action: int, left: int, state: int) -> None:
    """The next row of the log but for what the action was chosen for."""
    log, table = layer.log, layer.parents.table
    n = log.rows[0]
    log.integer[0, n] = view.ts
    log.integer[1, n] = view.local_ts
    log.integer[2, n] = table[PARENT, k]
    log.integer[3, n] = table[CHILD, k]
    log.integer[4, n] = left
    log.code[0, n] = table[SIDE, k]
    log.code[1, n] = action
    log.code[2, n] = spread_in(state) + 1
    log.code[3, n] = state // 6 % SHARES
    log.code[4, n] = state % 6
    log.value[0, n] = table[LOTS, k] * view.lot
    log.value[1, n] = (quotes[0] + quotes[2]) / 2.0
    log.rows[0] = n + 1


@kernel
def new_child(layer: Layer, view: View, commands: Commands, k: int, ticks: int, lots: int, place: int) -> None:
    """Send an order for the k-th parent: a limit order, or a market order where there are `NO_TICKS`."""
    table, count = layer.parents.table, layer.parents.numbers
    side = table[SIDE, k]
    if ticks == NO_TICKS:
        order(commands, 0, side, MARKET, -1, np.nan, lots * view.lot)
    else:
        order(commands, 0, side, LIMIT, GTX, ticks * view.tick, lots * view.lot)
    count[SENT] += 1
    table[CHILD, k], table[TICKS, k], table[LEAVES, k], table[PLACE, k] = count[SENT], ticks, lots, place
    table[KNOWN, k] = table[LEAVING, k] = 0


@kernel
def take_all(layer: Layer, view: View, commands: Commands, k: int) -> None:
    """Take what is open of the k-th parent: at once, or when the cancel of its child has been seen."""
    table = layer.parents.table
    if table[CHILD, k] == 0:
        new_child(layer, view, commands, k, NO_TICKS, table[LOTS, k], NONE)
        table[LAST, k] = 1
        return
    order(commands, table[CHILD, k], table[SIDE, k], CANCEL, -1, np.nan, np.nan)
    table[LEAVING, k] = table[TAKING, k] = 1


@kernel
def place_order(layer: Layer, view: View, quotes: Float64s, commands: Commands, k: int, action: int) -> None:
    """Put the order of the k-th parent where ``action`` says: a new one, or by an amend that keeps what is open."""
    table = layer.parents.table
    side = table[SIDE, k]
    bid, ask = int(np.rint(quotes[0] / view.tick)), int(np.rint(quotes[2] / view.tick))
    ticks, place = bid if side > 0 else ask, LAST_THIRD
    if action == IMPROVE:
        ticks, place = ticks + side, IMPROVED
    elif action == STEP_BACK:
        ticks, place = ticks - side, BEHIND
    if table[CHILD, k] == 0:
        new_child(layer, view, commands, k, ticks, table[LOTS, k], place)
    elif table[TICKS, k] != ticks:
        order(commands, table[CHILD, k], side, AMEND, GTX, ticks * view.tick, np.nan)
        table[PLACE, k] = place


@kernel
def adopt(layer: Layer, view: View, commands: Commands) -> None:
    """Market orders of this decision become parents, and cancels of parents end them."""
    parents, noted = layer.parents, min(commands.noted[0], MOST_SENT)
    table, count = parents.table, parents.numbers
    for i in range(noted):
        action = commands.integer[2, i]
        if action == CANCEL:
            for k in range(count[COUNT]):
                if table[PARENT, k] == commands.integer[0, i]:
                    table[LAST, k] = 1
                    table[TAKING, k] = 0
                    if table[CHILD, k] != 0 and table[LEAVING, k] == 0:
                        commands.integer[0, i] = table[CHILD, k]
                        table[LEAVING, k] = 1
                    else:
                        commands.integer[2, i] = WITHHELD
                        count[SENT] += 1
        if action in (LIMIT, MARKET, WITHHELD):
            count[SENT] += 1
        if action == MARKET and count[COUNT] < MOST_PARENTS:
            lots = commands.value[1, i] / view.lot
            # What the exchange would reject is sent, so that it is.
            if lots < 4.5e15 and abs(lots - np.rint(lots)) <= _ON_GRID and np.rint(lots) >= layer.plan.least:
                commands.integer[2, i] = WITHHELD
                add(parents, count[SENT], commands.integer[1, i], int(np.rint(lots)), view.ts)


@kernel
def slice_due(layer: Layer, k: int, left: int) -> int:
    """Lots that `TWAP` takes now: equal parts at equal times, in whole lots, none below the least order."""
    table, plan = layer.parents.table, layer.plan
    whole, steps = table[WHOLE, k], plan.steps
    due = whole * (steps - left + 1) // steps - (whole - table[LOTS, k])
    return due if due >= plan.least else 0


@kernel
def decide_on(layer: Layer, view: View, quotes: Float64s, commands: Commands, k: int) -> None:
    """The k-th parent's turn, if it is due."""
    table, plan = layer.parents.table, layer.plan
    done = (view.ts - table[BEGAN, k]) // plan.step
    left, side = max(plan.steps - done, 0), table[SIDE, k]
    if table[TAKING, k] == 1 and table[CHILD, k] == 0:
        table[TAKING, k] = 0
        take_all(layer, view, commands, k)
        unknown(layer)
        note(layer, view, quotes, k, SENT_NOW, left, state_now(quotes, view.tick, side, NONE))
        return
    if table[LAST, k] == 1 or table[TAKING, k] == 1 or view.ts < table[DUE, k]:
        return
    table[DUE, k] = table[BEGAN, k] + (done + 1) * plan.step
    best = int(np.rint((quotes[0] if side > 0 else quotes[2]) / view.tick))
    place = place_of(layer.parents, k, view.resting, best)
    if table[CHILD, k] != 0:
        table[PLACE, k] = place
    state = state_now(quotes, view.tick, side, place)
    unknown(layer)
    action = TAKE
    if left > 0 and table[CHILD, k] != 0 and table[KNOWN, k] == 0:
        action = WAIT  # it is on its way
    elif left > 0 and plan.method == TWAP:
        lots = slice_due(layer, k, left)
        action = TAKE if lots == table[LOTS, k] else WAIT
        if 0 < lots < table[LOTS, k]:
            new_child(layer, view, commands, k, NO_TICKS, lots, NONE)
            note(layer, view, quotes, k, TAKE, left, state)
            return
    elif left > 0:
        action = choose(layer, k, left, state, place, view.ordinal, table[PARENT, k], layer.log.rows[0])
    if action == TAKE:
        take_all(layer, view, commands, k)
    elif action != WAIT:
        place_order(layer, view, quotes, commands, k, action)
    note(layer, view, quotes, k, action, left, state)


@rare_kernel
def look(layer: Layer, view: View, quotes: Float64s) -> int:
    """Before the strategy decides: see what became of the children, end parents, and show it its orders; how many."""
    parents = layer.parents
    table = parents.table
    see(parents, view)
    k = 0
    while k < parents.numbers[COUNT]:
        if table[LOTS, k] == 0 or (table[LAST, k] == 1 and table[CHILD, k] == 0):
            unknown(layer)
            left = max(layer.plan.steps - (view.ts - table[BEGAN, k]) // layer.plan.step, 0)
            note(layer, view, quotes, k, DONE, left, state_now(quotes, view.tick, table[SIDE, k], NONE))
            remove(parents, k)
        else:
            k += 1
    return show(parents, view, layer.shown)


@rare_kernel
def work(layer: Layer, view: View, quotes: Float64s, commands: Commands) -> None:
    """After the strategy has decided: take over its market orders, and decide on every parent that is due."""
    count = layer.parents.numbers
    adopt(layer, view, commands)
    if quotes[0] < quotes[2]:
        for k in range(count[COUNT]):
            decide_on(layer, view, quotes, commands, k)
    count[WORKING] = view.orders
    for i in range(min(commands.noted[0], MOST_SENT)):
        if commands.integer[2, i] in (LIMIT, MARKET):
            count[WORKING] += 1


_placed: dict[Any, Callable[..., None]] = {}


def placed(decide: Any) -> Callable[..., None]:
    """A compiled strategy's ``decide`` with the layer behind it, once a process.

    Its memory is that of ``decide``, and a `Layer`; its columns are those of ``decide``, and `QUOTES`.
    """
    if decide not in _placed:
        own = len(QUOTES)

        def both(view: Any, memory: Any, parameters: Any, commands: Any) -> None:
            mine, layer = memory
            quotes = view.columns[-own:]
            n = look(layer, view, quotes)
            shown = View(
                view.columns[:-own], view.ts, view.local_ts, view.position, layer.shown, n, view.tick, view.lot,
                view.ordinal, view.resting,
            )  # fmt: skip
            decide(shown, mine, parameters, commands)
            work(layer, view, quotes, commands)

        _placed[decide] = numba.njit(named_after(decide, both), nogil=True, error_model="numpy")
    return _placed[decide]
