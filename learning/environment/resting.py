"""A step of trading by orders that rest: the calls of a tape (`calls`) made again for an exchange of one's own.

All that happens to an order happens in the kernels of `operators.execution`, on a book of `operators.book`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from learning.environment.account import OWN, ROW, STEPS, Float32s, Market, Terms
from learning.environment.calls import (
    ACTS_BEFORE,
    AT,
    CLEARED,
    FUNDED,
    KNOWN_AFTER,
    KNOWN_BEFORE,
    MESSAGE,
    TRADE,
    UNTIL,
    WHAT,
    CallLog,
)
from learning.environment.jit import step_entry_kernel
from learning.environment.market import begin, note_opened, observe, valued
from learning.environment.quotes import quote, show_quotes
from learning.jit import pasted
from operators.book import apply_rows
from operators.execution.funding import fund
from operators.execution.grid import value
from operators.execution.passive import take_message, take_trade
from operators.execution.pending import act, has_room
from operators.execution.state import (
    ACT,
    FILL_ROWS,
    LOCAL,
    MARK_PRICE,
    MOST_OPEN,
    NEXT_FUNDING,
    NEXT_ID,
    ORDER_ROWS,
    PENDING_END,
    PENDING_FIRST,
    RATE,
    SEEN,
    SEEN_POSITION,
    Exchange,
    Rules,
    make_exchange,
)
from operators.execution.view import see_reports, take_commands
from operators.level_blocks import Book, clear, make_book
from operators.packed_arguments import unpacker
from sources.tape.batch import Float64s, Int64s

# Indices into `Exchange.clock` behind those of `account`: the next call, and the changes that have been made.
_FIRST = 48
CALL, CHANGE = range(_FIRST, _FIRST + 2)
_LONG_AGO = -(1 << 62)
IDLE, DECIDES, GOES_ON = range(3)  # what an agent is to do


class Player(NamedTuple):
    """One agent's exchange, whose clock and money are those of an `Account` too, and its book."""

    exchange: Exchange
    book: Book


def make_player() -> Player:
    """One that has nothing."""
    exchange = make_exchange()._replace(clock=np.zeros(_FIRST + 2, np.int64), money=np.zeros(16))
    return Player(exchange, make_book())


unpack_player = unpacker(make_player())


@pasted
def _change(log: Any, clock: Int64s, book: Book, c: int) -> bool:
    """Make the changes of the book before the c-th call; False if it needs more blocks: then call it again."""
    first = log.call[UNTIL, c - 1] if c > 0 else 0
    if log.call[CLEARED, c] and clock[CHANGE] <= first:
        clear(book)
    until = log.call[UNTIL, c]
    done, _ = apply_rows(book, log, max(clock[CHANGE], first), until)
    clock[CHANGE] = done
    return bool(done == until)


@step_entry_kernel
def skip(log: CallLog, handle: Any, until: int) -> bool:
    """Make the changes of all calls before ``until``, and no call; False as of `_change`."""
    player = unpack_player(handle)
    clock = player.exchange.clock
    while clock[CALL] < until:
        c = clock[CALL]
        if log.call[WHAT, c] != TRADE and not _change(log, clock, player.book, c):
            return False
        clock[CALL] = c + 1
    return True


@pasted
def _go_on(log: CallLog, market: Market, rules: Rules, player: Player, until: int) -> bool:
    """Make the calls before ``until``; False if something needs more room: then call it again."""
    exchange, book = player.exchange, player.book
    clock, call = exchange.clock, log.call
    while clock[CALL] < until:
        c = clock[CALL]
        if clock[PENDING_FIRST] < clock[PENDING_END]:
            before = call[ACTS_BEFORE, c]
            if exchange.pending.integer[ACT, clock[PENDING_FIRST]] < before and not act(
                book, call[KNOWN_BEFORE, c], exchange, rules, before
            ):
                return False
        if not has_room(exchange, 2 * MOST_OPEN):
            return False
        what, at = call[WHAT, c], call[AT, c]
        if what == TRADE:
            i = call[UNTIL, c] - 1
            take_trade(exchange, rules, at, log.side[i], log.price[i], log.size[i])
        else:
            if not _change(log, clock, book, c):
                return False
            if what == MESSAGE:
                take_message(book, call[KNOWN_AFTER, c], exchange, rules, at)
            elif what == FUNDED:
                exchange.money[MARK_PRICE] = market.funding[0, at]
                exchange.money[RATE] = market.funding[1, at]
                clock[NEXT_FUNDING] = 1
                fund(exchange, rules, 1)
        clock[CALL] = c + 1
    return True


@pasted
def _show(market: Market, rules: Rules, terms: Terms, quotes: Float64s, exchange: Exchange, out: Float32s) -> None:
    clock = exchange.clock
    row = clock[ROW]
    observe(clock, exchange.money, market.features, market.quote, market.spread, terms.lots, out)
    show_quotes(exchange, rules, terms, quotes[0, row], quotes[1, row], out, market.features.shape[1] + OWN)


@step_entry_kernel
def take_seat(
    log: CallLog, market: Market, rules: Rules, terms: Terms, quotes: Float64s, handle: Any, row: int, after: int,
    out: Float32s,
) -> None:  # fmt: skip
    """Begin an episode at a decision, on the book of then, with nothing.

    Args:
        quotes: best prices at the decisions, shape ``(2, decisions)``.
        after: the first call after the decision.
        out: the first observation; filled.
    """
    player = unpack_player(handle)
    exchange = player.exchange
    clock = exchange.clock
    size = value(terms.lots, rules.lot_numerator, rules.lot_denominator)
    begin(clock, exchange.money, row, market.mid[row], size)
    clock[CALL] = after
    clock[CHANGE] = log.call[UNTIL, after - 1]
    clock[NEXT_ID] = 1
    clock[SEEN] = _LONG_AGO
    clock[LOCAL] = market.local_ts[row]
    exchange.resting.orders[:] = 0
    exchange.taken.levels[:] = 0
    exchange.commands.noted[0] = 0
    _show(market, rules, terms, quotes, exchange, out)


@step_entry_kernel
def quote_many(
    log: CallLog, market: Market, rules: Rules, terms: Terms, quotes: Float64s, after: Int64s, handles: Any,
    todo: Int64s, agents: Int64s, actions: Int64s, out: Float32s, rewards: Float64s, over: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Let agents decide, and go on to the next decision; there must be one in the segment.

    Args:
        quotes: as of `take_seat`; ``after``: the first call after each decision.
        handles: of the agents of this market; ``todo``: what each is to do, `IDLE` once it is done. Who still has
            something to do needs more room: then call it again.
        agents: their numbers, of ``actions``, ``out``, ``rewards`` and ``over``, the last three of which are filled.
    """
    for j in range(len(agents)):
        if todo[j] == IDLE:
            continue
        player, e = unpack_player(handles[j]), agents[j]
        exchange = player.exchange
        clock = exchange.clock
        if todo[j] == DECIDES:
            row = clock[ROW]
            clock[ORDER_ROWS] = clock[FILL_ROWS] = 0
            quote(exchange, rules, terms, quotes[0, row], quotes[1, row], actions[e])
            take_commands(exchange, rules)
            todo[j] = GOES_ON
        row = clock[ROW] + 1
        if not _go_on(log, market, rules, player, after[row]):
            continue
        todo[j] = IDLE
        clock[ROW] = row
        clock[STEPS] += 1
        clock[LOCAL] = market.local_ts[row]
        before = clock[SEEN_POSITION]
        see_reports(exchange)
        note_opened(clock, exchange.money, market.quote, row, before)
        rewards[e], over[e] = valued(
            clock, exchange.money, market.last, row, rules.lot_numerator, rules.lot_denominator, terms
        )
        _show(market, rules, terms, quotes, exchange, out[e])
