"""Bars of trades: time, tick, volume, dollar and imbalance bars, with the order flow of their span.

Source: López de Prado 2018, "Advances in Financial Machine Learning", sections 2.3.1 (time, tick, volume and dollar
bars) and 2.3.2.1–2.3.2.2 (tick, volume and dollar imbalance bars). His tick rule for the sign of a trade is not needed:
the tape has the aggressor's side.
"""

from typing import NamedTuple

import numpy as np

from operators.compensated import add_one
from operators.jit import kernel
from sources.tape.batch import RESET, TRADE, Float64s, Int64s, TapeBatch

# Kinds of bars. Of an imbalance bar the units are signed by the aggressor.
TIME, TICK, VOLUME, DOLLAR, TICK_IMBALANCE, VOLUME_IMBALANCE, DOLLAR_IMBALANCE = range(7)
KINDS = ("time", "tick", "volume", "dollar", "tick-imbalance", "volume-imbalance", "dollar-imbalance")

# Indices into `BarState.when`.
NOW = 0  # ns, the clock of the tape: the latest exchange time since the reset
OPEN_TS = 1  # ns, clock of the bar's first trade; of a time bar the begin of its interval
FIRST_ORDINAL = 2  # of its first trade
LAST_ORDINAL = 3  # of its newest trade
TRADES = 4  # 0: no bar is open
BARS = 5  # whole bars since the beginning: imbalance bars learn from them
_WHEN = 6

# Rows of `BarState.price`.
FIRST, HIGHEST, LOWEST, NEWEST = range(4)

# Pairs of `BarState.sums`; order flow of each depth follows.
SIZE, NOTIONAL, BOUGHT, THETA = range(4)
_SUMS = 4

# Indices into `BarState.expected`.
EXPECTED_TRADES, EXPECTED_UNIT = 0, 1  # averages, weighted exponentially, of trades a bar and of signed units a trade


class BarState(NamedTuple):
    """The open bar of one instrument."""

    when: Int64s  # (6,)
    price: Float64s  # (4,)
    sums: Float64s  # (2, 4 + D): pairs, hi and lo
    expected: Float64s  # (2,)


class BarRule(NamedTuple):
    """When a bar is complete."""

    kind: int
    size: float  # ns of a time bar, else units of the kind; of an imbalance bar the trades of the first one
    decay: float  # 2 / (span + 1): weight of the newest bar in the averages of imbalance bars
    fewest: float  # trades that an imbalance bar is expected to have at least
    most: float  # and at most: without bounds the expectation may run away (each longer bar makes the next one longer)


class Bars(NamedTuple):
    """Room for complete bars, one array row a column."""

    integer: Int64s  # (6, room): close and open time, first and last ordinal, trades, 1 if the bar is whole
    value: Float64s  # (8 + D, room): open, high, low, close, volume, notional, bought volume, order flow, vwap


def bar_state(depths: int) -> BarState:
    """The state before the first row; ``depths`` of the order flow."""
    return BarState(np.zeros(_WHEN, np.int64), np.zeros(4), np.zeros((2, _SUMS + depths)), np.zeros(2))


@kernel
def begin(state: BarState) -> None:
    """No bar is open; the clock stays, and so does what imbalance bars have learned."""
    state.when[OPEN_TS : TRADES + 1] = 0
    state.sums[:] = 0.0


@kernel
def close(state: BarState, ts: int, whole: bool, out: Bars, r: int) -> None:
    """Write the open bar to column ``r`` and begin the next one.

    Args:
        ts: ns, the end of the bar.
        whole: whether it is complete; a ``reset`` cuts one short.
    """
    when, price, sums = state.when, state.price, state.sums
    out.integer[0, r] = ts
    out.integer[1, r] = when[OPEN_TS]
    out.integer[2, r] = when[FIRST_ORDINAL]
    out.integer[3, r] = when[LAST_ORDINAL]
    out.integer[4, r] = when[TRADES]
    out.integer[5, r] = whole
    out.value[0, r] = price[FIRST]
    out.value[1, r] = price[HIGHEST]
    out.value[2, r] = price[LOWEST]
    out.value[3, r] = price[NEWEST]
    out.value[4, r] = sums[0, SIZE]
    out.value[5, r] = sums[0, NOTIONAL]
    out.value[6, r] = sums[0, BOUGHT]
    depths = sums.shape[1] - _SUMS
    for d in range(depths):
        out.value[7 + d, r] = sums[0, _SUMS + d]
    out.value[7 + depths, r] = sums[0, NOTIONAL] / sums[0, SIZE]
    if whole:
        when[BARS] += 1
    begin(state)


@kernel
def take_trade(state: BarState, rule: BarRule, ts: int, ordinal: int, side: int, price: float, size: float) -> None:
    """Add a trade to the open bar, or begin one with it.

    Args:
        ts: ns, the clock.
        side: +1 if the buyer was the aggressor, else −1.
    """
    when, prices, sums = state.when, state.price, state.sums
    if when[TRADES] == 0:
        if rule.kind != TIME:
            when[OPEN_TS] = ts
        when[FIRST_ORDINAL] = ordinal
        prices[:] = price
    when[LAST_ORDINAL] = ordinal
    when[TRADES] += 1
    prices[HIGHEST] = max(prices[HIGHEST], price)
    prices[LOWEST] = min(prices[LOWEST], price)
    prices[NEWEST] = price
    add_one(sums, SIZE, size)
    add_one(sums, NOTIONAL, price * size)
    if side > 0:
        add_one(sums, BOUGHT, size)
    if rule.kind == TICK_IMBALANCE:
        add_one(sums, THETA, side)
    elif rule.kind == VOLUME_IMBALANCE:
        add_one(sums, THETA, side * size)
    elif rule.kind == DOLLAR_IMBALANCE:
        add_one(sums, THETA, side * price * size)


@kernel
def complete(state: BarState, rule: BarRule) -> bool:
    """Whether the newest trade completes the bar; of a time bar only a later event tells.

    Imbalance bars: ``|θ| ≥ E[T]·|E[b·v]|`` (section 2.3.2.2), within the rule's bounds on the number of trades. Both
    expectations are averages over the bars before, weighted exponentially; the first bar has ``rule.size`` trades.
    """
    when, sums, expected = state.when, state.sums, state.expected
    if rule.kind == TIME:
        return False
    if rule.kind == TICK:
        return when[TRADES] >= rule.size
    if rule.kind == VOLUME:
        return sums[0, SIZE] >= rule.size
    if rule.kind == DOLLAR:
        return sums[0, NOTIONAL] >= rule.size
    trades, theta = float(when[TRADES]), sums[0, THETA]
    if when[BARS] == 0:
        if trades < rule.size:
            return False
        expected[EXPECTED_TRADES], expected[EXPECTED_UNIT] = trades, theta / trades
    else:
        enough = trades >= rule.fewest and abs(theta) >= expected[EXPECTED_TRADES] * abs(expected[EXPECTED_UNIT])
        if not enough and trades < rule.most:
            return False
        expected[EXPECTED_TRADES] += rule.decay * (trades - expected[EXPECTED_TRADES])
        expected[EXPECTED_UNIT] += rule.decay * (theta / trades - expected[EXPECTED_UNIT])
    expected[EXPECTED_TRADES] = min(max(expected[EXPECTED_TRADES], rule.fewest), rule.most)
    return True


@kernel
def run(
    batch: TapeBatch, start: int, flow_ordinal: Int64s, flow: Float64s, first: int,
    state: BarState, rule: BarRule, out: Bars,
) -> tuple[int, int, int]:  # fmt: skip
    """Process tape rows ``start, start + 1, …`` and the order flow of their book messages, until they or the room ends.

    Args:
        flow_ordinal: shape ``(updates,)``, ordinals of the last rows of messages.
        flow: shape ``(depths, updates)``, their order flow.
        first: the update to begin with.

    Returns:
        The first row and update not processed, and the number of bars written to ``out``.
    """
    when, room = state.when, out.integer.shape[1]
    r, f = 0, first
    for i in range(start, len(batch.ordinal)):
        if r + 1 >= room:  # a row closes two bars at most
            return i, f, r
        kind = batch.kind[i]
        if kind == RESET:
            if when[TRADES]:
                close(state, when[NOW], False, out, r)
                r += 1
            begin(state)
            when[NOW] = 0
            continue
        now = max(when[NOW], batch.exchange_ts[i])
        when[NOW] = now
        if rule.kind == TIME:
            width = int(rule.size)
            interval = now // width * width
            if interval != when[OPEN_TS]:
                if when[TRADES]:
                    close(state, when[OPEN_TS] + width, True, out, r)
                    r += 1
                begin(state)
                when[OPEN_TS] = interval
        if kind == TRADE:
            take_trade(state, rule, now, batch.ordinal[i], batch.side[i], batch.price[i], batch.size[i])
            if complete(state, rule):
                close(state, now, True, out, r)
                r += 1
        while f < len(flow_ordinal) and flow_ordinal[f] <= batch.ordinal[i]:
            for d in range(len(flow)):
                add_one(state.sums, _SUMS + d, flow[d, f])
            f += 1
    return len(batch.ordinal), f, r
