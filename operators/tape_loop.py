"""The loop over tape rows: clock, book, updates, trades, and when a row is due (docs/features.md, 4.1 and 4.2)."""

from typing import Any

import numpy as np

from operators import features, rolling_sum
from operators.book import apply_rows, copy_top
from operators.config import BOOK_LEVELS, FeatureConfig
from operators.features import derivatives, fractional_difference
from operators.features.feature import Rows
from operators.jit import entry_kernel, kernel, pasted, short_kernel
from operators.packed_arguments import unpacker
from operators.row import emit_row
from operators.state import (
    BOOK_KNOWN,
    COVERED,
    CROSSED,
    CUT_LEVELS,
    DROPPED_LEVELS,
    FIRST_UPDATE,
    HIGH,
    HOLDS,
    KNOWN,
    LOW,
    NEXT_ROW,
    NOW,
    ONE_SIDED,
    OPEN_MESSAGE,
    ORDINAL,
    RECEIVE,
    RESETS,
    TOP,
    UNKNOWN_DELTAS,
    UPDATED,
    Params,
    State,
    empty_book,
    make_params,
    make_state,
    restart,
)
from sources.tape.batch import (
    DELTA,
    LIQUIDATION,
    RESET,
    SNAPSHOT,
    TRADE,
    Float64s,
    Int64s,
    TapeBatch,
    is_book,
    is_derivative,
)

# Why `run` came back. `DECIDE`: a strategy is to decide on the row written last.
DONE, ROWS_FULL, BOOK_FULL, RING_FULL, EXCHANGE_FULL, DECIDE = range(6)


@kernel
def start_row_clock(state: State, p: Params) -> None:
    """The first update since the restart: rows begin at the first grid time that is not before it."""
    now = state.clock[NOW]
    state.clock[UPDATED] = 1
    state.clock[FIRST_UPDATE] = now
    sampling = p.common.sampling
    if sampling > 0:
        state.clock[NEXT_ROW] = -((-now) // sampling) * sampling


@kernel
def covered(state: State, full_depth: bool, price: Float64s, count: Int64s) -> bool:
    """Whether the 20 best levels of both sides, or those there are, are known (docs/features.md, 4.8).

    Of a book cut to fewer, that is so where neither side fills the cut: then nothing was cut off.
    """
    cut = state.clock[CUT_LEVELS]
    if 0 < cut < BOOK_LEVELS:
        return count[0] < cut and count[1] < cut
    if full_depth:
        return True
    low, high = state.covered[LOW], state.covered[HIGH]
    bids, asks = min(count[0], BOOK_LEVELS), min(count[1], BOOK_LEVELS)
    return low <= price[0, bids - 1] and price[0, 0] <= high and low <= price[1, 0] and price[1, asks - 1] <= high


@kernel
def update(state: State, p: Params) -> bool:
    """A book message is complete: take its order flow, unless the book is crossed or one-sided. Returns whether it is
    an update."""
    levels = state.book.levels
    if levels[0] == 0 or levels[1] == 0:
        state.clock[ONE_SIDED] += 1
        return False
    old = state.clock[TOP]
    new = 1 - old
    price, size = state.top_price[new], state.top_size[new]
    copy_top(state.book, price, size, state.top_count[new])
    if price[0, 0] >= price[1, 0]:
        state.clock[CROSSED] += 1
        return False
    state.clock[TOP] = new
    state.clock[COVERED] = covered(state, p.full_depth, price, state.top_count[new])
    first = not state.clock[UPDATED]
    if first:
        start_row_clock(state, p)
    features.take_update(
        state.features, p.features, p.common, state.clock[NOW], first, p.use_depth_ofi,
        price, size, state.top_price[old], state.top_size[old], state.rolling, state.scratch,
    )  # fmt: skip
    return True


@kernel
def message_end(batch: TapeBatch, start: int) -> int:
    """The row after those from ``start`` on that are of one message: of one kind and time, up to its last row."""
    kind, ts = batch.kind[start], batch.exchange_ts[start]
    n = len(batch.kind)
    i = start + 1
    while i < n and not batch.last[i - 1] and batch.kind[i] == kind and batch.exchange_ts[i] == ts:
        i += 1
    return i


@kernel
def cover(state: State, batch: TapeBatch, start: int, end: int) -> None:
    """Rows ``start … end − 1`` are of a snapshot: widen the price range that it covers."""
    low, high = state.covered[LOW], state.covered[HIGH]
    for i in range(start, end):
        low, high = min(low, batch.price[i]), max(high, batch.price[i])
    state.covered[LOW], state.covered[HIGH] = low, high


@pasted
def run(
    batch: TapeBatch, start: int, state: State, p: Params, out: Rows, exchange: Any, rules: Any, hooks: Any
) -> tuple[int, int, int]:
    """Process tape rows ``start, start + 1, …`` strictly in order, until they or some room ends.

    Args:
        exchange, rules, hooks: who trades on the book, its rules, and the kernels that the loop calls for it
            (`operators.execution.hooks`); None: nobody, and Numba leaves all of it out.

    Returns:
        The first row not processed (call again with it), the number of feature rows in ``out``, and why the loop
        ended: `DONE`, `ROWS_FULL` (empty ``out``), `BOOK_FULL`, `RING_FULL` or `EXCHANGE_FULL` (grow that part of the
        state), `DECIDE`.
    """
    clock = state.clock
    sampling, shape = p.common.sampling, p.common.shape
    room = out.value.shape[1]
    r: Any = np.int64(0)  # 0 would be a type of its own, and every callee would be compiled twice
    if exchange is not None:
        r = exchange.clock[hooks.row]
    i = start
    while i < len(batch.kind):
        kind = batch.kind[i]
        if kind == RESET:
            if exchange is not None:
                if not hooks.has_room(exchange, 2 * hooks.most_open):
                    return i, r, EXCHANGE_FULL
                hooks.cancel_all(exchange, rules, clock[NOW])
                hooks.forget_offset(exchange, rules, batch.receive_ts[i])
            empty_book(state)
            restart(state)
            clock[RESETS] += 1
            clock[OPEN_MESSAGE] = -1
            clock[ORDINAL] = batch.ordinal[i]
            clock[RECEIVE] = batch.receive_ts[i]
            i += 1
            continue

        if is_derivative(kind):
            if p.features.derivatives.on and (kind != LIQUIDATION or clock[KNOWN]):
                if kind == LIQUIDATION and not rolling_sum.has_room(state.rolling, shape, clock[NOW]):
                    return i, r, RING_FULL
                derivatives.take(
                    state.features.derivatives, p.common, kind, clock[NOW], batch.sequence[i], batch.side[i],
                    batch.price[i], batch.size[i], state.rolling, state.scratch,
                )  # fmt: skip
            if exchange is not None:
                now = clock[NOW] if clock[KNOWN] else np.int64(0)
                hooks.take_derivative(exchange, kind, batch.sequence[i], batch.price[i], now)
            i += 1
            continue

        ts = batch.exchange_ts[i]
        if exchange is not None:
            now = max(ts, clock[NOW]) if clock[KNOWN] else ts
            hooks.receive(exchange, rules, ts, batch.receive_ts[i], now)
            hooks.fund(exchange, rules, now)
            between = not (is_book(kind) and clock[OPEN_MESSAGE] == kind)  # messages
        if not clock[KNOWN]:
            clock[NOW] = ts
            clock[KNOWN] = 1
        elif ts > clock[NOW]:
            if ts - clock[NOW] > p.max_hold:
                restart(state)
                clock[HOLDS] += 1
                clock[KNOWN] = 1
            elif sampling > 0 and clock[UPDATED]:
                while clock[NEXT_ROW] < ts:
                    if r == room:
                        return i, r, ROWS_FULL
                    t = clock[NEXT_ROW]
                    if exchange is not None:
                        if between and not hooks.act(state.book, clock[BOOK_KNOWN], exchange, rules, t + 1):
                            return i, r, EXCHANGE_FULL
                        if not hooks.has_room(exchange, 0):
                            return i, r, EXCHANGE_FULL
                        hooks.write_equity(exchange, rules, t, r)
                    emit_row(state, p, t, out, r)
                    clock[NEXT_ROW] = t + sampling
                    r += 1
                    if exchange is not None:
                        exchange.clock[hooks.row] = r
                        if rules.reports:
                            hooks.see_reports(exchange)
                            return i, r, DECIDE
            clock[NOW] = ts
        if exchange is not None:
            if between and not hooks.act(state.book, clock[BOOK_KNOWN], exchange, rules, clock[NOW]):
                return i, r, EXCHANGE_FULL
            if not hooks.has_room(exchange, 2 * hooks.most_open):
                return i, r, EXCHANGE_FULL

        end = message_end(batch, i) if is_book(kind) else i + 1
        if kind == DELTA and not clock[BOOK_KNOWN]:
            # Changes of levels that nobody knows make no book (docs/tape.md, 2.3).
            if exchange is not None:
                hooks.receive_all(exchange, rules, batch, i, end, clock[NOW])
            clock[UNKNOWN_DELTAS] += end - i
            clock[OPEN_MESSAGE] = -1 if batch.last[end - 1] else kind
            clock[ORDINAL] = batch.ordinal[end - 1]
            clock[RECEIVE] = batch.receive_ts[end - 1]
            i = end
            continue
        complete = batch.last[end - 1] or not is_book(kind)
        if complete:
            if sampling == 0 and r == room:
                return i, r, ROWS_FULL
            if not rolling_sum.has_room(state.rolling, shape, clock[NOW]):
                return i, r, RING_FULL

        if not is_book(kind):
            if kind == TRADE:
                features.take_trade(
                    state.features, p.features, p.common, clock[NOW], batch.side[i], batch.price[i], batch.size[i],
                    state.rolling, state.scratch,
                )  # fmt: skip
                if exchange is not None:
                    hooks.take_trade(exchange, rules, clock[NOW], batch.side[i], batch.price[i], batch.size[i])
            clock[OPEN_MESSAGE] = -1
            clock[ORDINAL] = batch.ordinal[i]
            clock[RECEIVE] = batch.receive_ts[i]
            i = end
            continue

        if kind == SNAPSHOT and clock[OPEN_MESSAGE] != SNAPSHOT:
            empty_book(state)
        done, dropped = apply_rows(state.book, batch, i, end)
        clock[DROPPED_LEVELS] += dropped
        if exchange is not None:
            hooks.receive_all(exchange, rules, batch, i, done, clock[NOW])
        if kind == SNAPSHOT:
            cover(state, batch, i, done)
        if done > i:
            clock[OPEN_MESSAGE] = -1 if batch.last[done - 1] else kind
            clock[ORDINAL] = batch.ordinal[done - 1]
            clock[RECEIVE] = batch.receive_ts[done - 1]
        if done < end:
            return done, r, BOOK_FULL
        if complete and kind == SNAPSHOT:
            clock[BOOK_KNOWN] = 1
        if exchange is not None and complete:
            hooks.take_message(state.book, clock[BOOK_KNOWN], exchange, rules, clock[NOW])
        i = end
        if complete and update(state, p) and sampling == 0:
            emit_row(state, p, clock[NOW], out, r)
            if exchange is not None:
                hooks.write_equity(exchange, rules, clock[NOW], r)
                exchange.clock[hooks.row] = r + 1
            r += 1
            if exchange is not None and rules.reports:
                hooks.see_reports(exchange)
                return i, r, DECIDE
    return len(batch.kind), r, DONE


@pasted
def process(
    batch: TapeBatch, start: int, state: State, p: Params, out: Rows, exchange: Any, rules: Any, hooks: Any
) -> tuple[int, int, int]:
    """`run`, and what is computed of many rows at once: not before a decision that does not look at it."""
    first = 0
    if exchange is not None and rules.differences:
        first = exchange.clock[hooks.row]
    end, rows, why = run(batch, start, state, p, out, exchange, rules, hooks)
    if exchange is not None and not rules.differences and why in (DECIDE, EXCHANGE_FULL):
        return end, rows, why  # the run goes on with the same ``out``
    own, weights = state.features.fractional_difference, p.features.fractional_difference
    fractional_difference.difference(own, weights, p.places.fractional_difference, p.traded, out, first, rows)
    return end, rows, why


_EXAMPLE = make_params(FeatureConfig(), full_depth=False)
unpack_state = unpacker(make_state(FeatureConfig()))
unpack_params = unpacker(_EXAMPLE)


@entry_kernel
def run_packed(batch: TapeBatch, start: int, state: Any, p: Any, out: Rows) -> tuple[int, int, int]:
    """`process` for a `Packed` state and `Packed` parameters."""
    return process(batch, start, unpack_state(state), unpack_params(p), out, None, None, None)


@short_kernel
def run_packed_short(batch: TapeBatch, start: int, state: Any, p: Any, out: Rows) -> tuple[int, int, int]:
    """The same for few rows."""
    return process(batch, start, unpack_state(state), unpack_params(p), out, None, None, None)
