"""A step of trading by market orders on a `Recording`, as the simulated exchange executes them (docs/execution.md).

What an order takes, what it costs and what is left of a level follow the kernels of `operators.execution`; that the
fills are those of a backtest is held by a test.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from learning.environment.account import (
    ACTED,
    BPS,
    CAPITAL,
    EQUITY,
    FILLED,
    LOTS,
    MEAN,
    NO_ORDER,
    OPENED,
    OPENED_AT,
    ROW,
    SEEN_AT,
    SENT,
    SHORT,
    SQUARE,
    START,
    STEPS,
    Account,
    Float32s,
    Market,
    Terms,
)
from learning.environment.jit import step_entry_kernel, step_kernel
from learning.rewards import differential_step
from operators.execution.account import settle
from operators.execution.grid import value
from operators.execution.latency import latency_at
from operators.execution.matching import refusal
from operators.execution.state import (
    CASH,
    FUNDING_PAID,
    MID,
    POSITION,
    SEEN_POSITION,
    Rules,
)
from operators.execution.words import MARKET, NO_REASON, TAKER
from sources.tape.batch import Float64s, Int64s


@step_kernel
def begin(clock: Int64s, money: Float64s, row: int, mid: float, size: float) -> None:
    """Begin an episode at a decision, with nothing.

    Args:
        clock, money: as of an `Account`, here and below.
        size: base currency, of a whole position.
    """
    clock[:] = 0
    money[:] = 0.0
    clock[ROW] = clock[START] = row
    clock[SENT] = NO_ORDER
    money[MID] = mid
    money[CAPITAL] = size * mid


@step_kernel
def _begin(market: Market, rules: Rules, terms: Terms, account: Account, row: int) -> None:
    size = value(terms.lots, rules.lot_numerator, rules.lot_denominator)
    begin(account.clock, account.money, row, market.mid[row], size)
    account.taken_count[0] = 0


@step_kernel
def _taken(market: Market, account: Account, k: int, s: int, m: int) -> int:
    """Where it is noted what own orders took of the m-th level of the k-th book; −1: nothing is."""
    for i in range(account.taken_count[0]):
        if account.taken[i, 0] == s and account.taken[i, 1] == market.price[k, s, m]:
            return i
    return -1


@step_kernel
def _forget(market: Market, account: Account, k: int) -> None:
    """What was taken of a level is back where the level has changed since (docs/execution.md, 4)."""
    taken, n = account.taken, 0
    for i in range(account.taken_count[0]):
        s = int(taken[i, 0])
        stays = True
        for m in range(market.price.shape[2]):
            price = market.price[k, s, m]
            if price == taken[i, 1]:
                stays = market.since[k, s, m] <= taken[i, 3]
                break
            sign = 1.0 if s == 0 else -1.0
            if np.isnan(price) or sign * price < sign * taken[i, 1]:  # it is not there any more
                stays = False
                break
        if stays:
            for j in range(4):
                taken[n, j] = taken[i, j]
            n += 1
    account.taken_count[0] = n


@step_kernel
def _execute(market: Market, rules: Rules, account: Any, k: int) -> None:
    """The market order of the k-th decision acts (`operators.execution.matching.arrive`)."""
    clock = account.clock
    lots, side = abs(clock[LOTS]), 1 if clock[LOTS] > 0 else -1
    clock[ACTED] = 1
    clock[FILLED] = 0
    clock[SEEN_AT] = max(clock[SEEN_AT], market.act[k] + latency_at(rules.response_from, rules.response, market.act[k]))
    _forget(market, account, k)
    if refusal(account, rules, market.known[k], True, side, MARKET, -1, 0, lots, 0) != NO_REASON:
        return
    s = 1 if side > 0 else 0
    lot = value(1, rules.lot_numerator, rules.lot_denominator)
    leaves = lots
    for m in range(market.price.shape[2]):
        if leaves == 0 or np.isnan(market.price[k, s, m]):
            break
        i = _taken(market, account, k, s, m)
        used = int(account.taken[i, 2]) if i >= 0 else 0
        size = market.size[k, s, m]
        free = int(np.floor((size - value(used, rules.lot_numerator, rules.lot_denominator)) / lot + 1e-6))
        some = min(leaves, free)
        if some <= 0:
            continue
        if i < 0:
            i = account.taken_count[0]
            if i == account.taken.shape[0]:
                clock[SHORT] = 1
                break
            account.taken_count[0] = i + 1
            account.taken[i, 0] = s
            account.taken[i, 1] = market.price[k, s, m]
        account.taken[i, 2] = used + some
        account.taken[i, 3] = k
        fee = settle(account, rules, side, market.price[k, s, m], some, TAKER)
        n = clock[FILLED]
        account.fills[n, 0] = market.price[k, s, m]
        account.fills[n, 1] = side * some
        account.fills[n, 2] = fee
        account.fills[n, 3] = market.act[k]
        clock[FILLED] = n + 1
        leaves -= some
    if leaves > 0 and not np.isnan(market.price[k, s, market.price.shape[2] - 1]):
        clock[SHORT] = 1  # the book may hold more than was kept of it


@step_kernel
def _fund(market: Market, rules: Rules, account: Account, row: int) -> None:
    """Settle what was due between a decision and the next one (`operators.execution.funding.fund`)."""
    clock, money = account.clock, account.money
    e = market.first_funding[row]
    while e < market.settled.shape[1] and market.settled[0, e] == row + 1:
        sent = clock[SENT]
        if sent != NO_ORDER and not clock[ACTED] and sent < market.settled[1, e]:
            _execute(market, rules, account, sent)
        size = value(clock[POSITION], rules.lot_numerator, rules.lot_denominator)
        paid = size * market.funding[0, e] * market.funding[1, e]
        money[CASH] -= paid
        money[FUNDING_PAID] += paid
        e += 1


@step_kernel
def advance(market: Market, rules: Rules, terms: Terms, account: Account, target: int) -> tuple[float, bool]:
    """Decide, and go on to the next decision; there must be one in the segment.

    An order that is on its way, or whose report has not been seen, is waited for: then ``target`` counts for nothing.

    Args:
        target: position, −1, 0 or 1.

    Returns:
        Reward, and whether the episode is over.
    """
    clock, money = account.clock, account.money
    row = clock[ROW]
    if clock[SENT] == NO_ORDER:
        lots = target * terms.lots - clock[SEEN_POSITION]
        if lots != 0:
            clock[SENT] = row
            clock[LOTS] = lots
            clock[ACTED] = 0
    _fund(market, rules, account, row)
    row += 1
    clock[ROW] = row
    clock[STEPS] += 1
    sent = clock[SENT]
    if sent != NO_ORDER and not clock[ACTED] and market.next_decision[sent] <= row:
        _execute(market, rules, account, sent)
    money[MID] = market.mid[row]
    if sent != NO_ORDER and clock[ACTED] and clock[SEEN_AT] <= market.local_ts[row]:
        clock[SENT] = NO_ORDER
        before = clock[SEEN_POSITION]
        clock[SEEN_POSITION] = clock[POSITION]
        note_opened(clock, money, market.quote, row, before)
    return valued(clock, money, market.last, row, rules.lot_numerator, rules.lot_denominator, terms)


@step_kernel
def note_opened(clock: Int64s, money: Float64s, quote: Float64s, row: int, before: int) -> None:
    """The position that is seen was ``before`` at the decision before: note when one is opened or turned."""
    if (before > 0) != (clock[SEEN_POSITION] > 0) or (before < 0) != (clock[SEEN_POSITION] < 0):
        clock[OPENED] = row
        money[OPENED_AT] = quote[row]


@step_kernel
def valued(
    clock: Int64s, money: Float64s, last: Int64s, row: int, lot_numerator: int, lot_denominator: int, terms: Terms
) -> tuple[float, bool]:
    """The reward of the step to a decision, and whether the episode is over."""
    position = value(clock[POSITION], lot_numerator, lot_denominator)
    equity = money[CASH] + position * money[MID]
    reward = (equity - money[EQUITY]) / money[CAPITAL] * BPS
    money[EQUITY] = equity
    if terms.eta > 0.0:
        reward, money[MEAN], money[SQUARE] = differential_step(money[MEAN], money[SQUARE], reward, terms.eta)
    return reward, row == last[row] or clock[STEPS] >= terms.episode


@step_kernel
def observe(
    clock: Int64s, money: Float64s, features: Float32s, quote: Float64s, spread: Float64s, lots: int, out: Float32s
) -> None:
    """Fill ``out``, shape ``(columns + OWN,)`` or longer: all of it was known at the decision."""
    row, n = clock[ROW], features.shape[1]
    for c in range(n):
        out[c] = features[row, c]
    seen = clock[SEEN_POSITION]
    out[n] = seen / lots
    out[n + 1] = out[n + 2] = 0.0
    if seen != 0:
        sign = 1.0 if seen > 0 else -1.0
        out[n + 1] = sign * (quote[row] / money[OPENED_AT] - 1.0) * BPS
        out[n + 2] = (row - clock[OPENED]) / 100.0
    out[n + 3] = spread[row] / quote[row] * BPS


@step_kernel
def _observe(market: Market, terms: Terms, account: Account, out: Float32s) -> None:
    observe(account.clock, account.money, market.features, market.quote, market.spread, terms.lots, out)


@step_entry_kernel
def begin_one(market: Market, rules: Rules, terms: Terms, account: Account, row: int, out: Float32s) -> None:
    """`begin`, and the first observation."""
    _begin(market, rules, terms, account, row)
    _observe(market, terms, account, out)


@step_entry_kernel
def advance_one(
    market: Market, rules: Rules, terms: Terms, account: Account, target: int, out: Float32s
) -> tuple[float, bool]:
    """`advance`, and the observation after it."""
    reward, over = advance(market, rules, terms, account, target)
    _observe(market, terms, account, out)
    return reward, over


@step_kernel
def _one(accounts: Account, e: int) -> Account:
    """The account of the e-th agent."""
    return Account(
        accounts.clock[e], accounts.money[e], accounts.resting, accounts.taken[e], accounts.taken_count[e],
        accounts.fills[e],
    )  # fmt: skip


@step_entry_kernel
def advance_many(
    market: Market, rules: Rules, terms: Terms, accounts: Account, agents: Int64s, targets: Int64s, begins: Int64s,
    out: Float32s, rewards: Float64s, over: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """`advance` for many agents, or `begin` where ``begins`` names a decision (else it is negative).

    Args:
        accounts: `Account`, each array but ``resting`` with an axis of agents before the others.
        agents: which, shape ``(n,)``; the other arrays have all agents.
        out: observations, ``rewards`` and ``over``: filled.
    """
    for e in agents:
        account = _one(accounts, e)
        if begins[e] >= 0:
            _begin(market, rules, terms, account, begins[e])
            rewards[e], over[e] = 0.0, False
        else:
            rewards[e], over[e] = advance(market, rules, terms, account, targets[e])
        _observe(market, terms, account, out[e])
