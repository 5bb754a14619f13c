"""One feature row: each feature's kernel, in the order of the schema (`operators.schema`)."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.config import BOOK_LEVELS
from operators.ffd import ffd_push_all
from operators.fractal import fractal_push, regime
from operators.jit import kernel
from operators.order_flow import depth_imbalance
from operators.rolling_moments import mean_and_deviation, push, zscores
from operators.rolling_sum import slide
from operators.state import (
    COVERED,
    FDI,
    FIRST_UPDATE,
    LAST_LOG_MID,
    LAST_MOMENTUM,
    LAST_OFI,
    NOTIONAL,
    ORDINAL,
    RECEIVE,
    ROWS,
    SAMPLES,
    TOP,
    VOLUME,
    Params,
    State,
)
from sources.events import Float64s, Int64s

# Bits of `warm` (contract, 4.8).
WARM_WINDOWS, WARM_ZSCORES, WARM_PRICE_FFD, WARM_VOLUME_FFD, WARM_FDI, WARM_VOLATILITY, WARM_BOOK = (
    1,
    2,
    4,
    8,
    16,
    32,
    64,
)

# Rows of `Rows.integer` and `Rows.code`.
TS, RECEIVE_TS, ROW_ORDINAL, TRADE_COUNT = 0, 1, 2, 3
REGIME, WARM = 0, 1
# Rows of `Rows.value`, counted from its end.
_TRADE_VOLUME, _PRICE_FFD = 6, 4


class Rows(NamedTuple):
    """Room for feature rows, one array row a column, so that each column is contiguous."""

    integer: Int64s  # (4, room)
    code: npt.NDArray[np.int8]  # (2, room)
    value: Float64s  # (columns, room), in the schema's order
    book: Float64s  # (80, room), or (0, 0) when the books data set is off


@kernel
def book_state(
    bid: float, bid_size: float, ask: float, ask_size: float, mid: float, out: Float64s, c: int, r: int
) -> int:
    """Best level, ``mid = (Pb+Pa)/2``, ``spread = Pa−Pb``, ``microprice = (Pb·Qa + Pa·Qb)/(Qb+Qa)`` (contract, 4.3)."""
    out[c, r] = bid
    out[c + 1, r] = bid_size
    out[c + 2, r] = ask
    out[c + 3, r] = ask_size
    out[c + 4, r] = mid
    out[c + 5, r] = ask - bid
    out[c + 6, r] = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
    return c + 7


@kernel
def distance_weighted_volume(price: Float64s, size: Float64s, mid: float, scratch: Float64s) -> float:
    """``vw_ofi = Σ w(Pb)·Qb − Σ w(Pa)·Qa`` over 20 levels, ``w(P) = 1/(1 + 100·|P−mid|/mid)`` (contract, 4.3).

    A level that is not there has an infinite price and the size 0, and so adds 0.
    """
    for s in range(2):
        prices, sizes, weighted = price[s], size[s], scratch[s]
        for m in range(BOOK_LEVELS):
            weighted[m] = 1.0 / (abs(prices[m] - mid) * 100.0 / mid + 1.0) * sizes[m]
    bids = asks = 0.0
    for m in range(BOOK_LEVELS):
        bids += scratch[0, m]
        asks += scratch[1, m]
    return bids - asks


@kernel
def order_flow(state: State, p: Params, out: Float64s, c: int, r: int) -> int:
    """``ofi_l{D}`` since the row before, ``ofi_l{D}_{w}`` over each window, their z-scores (contract, 4.4)."""
    depths, windows = len(p.depths), len(p.shape.window)
    for d in range(depths):
        out[c + d, r] = state.row_ofi[0, d]
    c += depths
    n = depths * windows
    current = state.window_flow
    for d in range(depths):
        for w in range(windows):
            current[d * windows + w] = state.rolling.window_sum[w, 0, d]
    push(state.zscores, current)
    zscores(state.zscores, current, state.window_zscore)
    for i in range(n):
        out[c + i, r] = current[i]
        out[c + n + i, r] = state.window_zscore[i]
    return c + 2 * n


@kernel
def order_flow_change(state: State, ofi: float, out: Float64s, c: int, r: int) -> int:
    """``ofi_momentum``, the change of ``ofi_l0`` from row to row, and ``ofi_acceleration``, its own (contract, 4.4)."""
    first = state.clock[ROWS] == 0
    momentum = 0.0 if first else ofi - state.value[LAST_OFI]
    out[c, r] = momentum
    out[c + 1, r] = 0.0 if first else momentum - state.value[LAST_MOMENTUM]
    state.value[LAST_OFI] = ofi
    state.value[LAST_MOMENTUM] = momentum
    return c + 2


@kernel
def trades(state: State, p: Params, volume: float, out: Float64s, c: int, r: int) -> int:
    """``trade_imbalance_{w} = Σ side·size``; volume and ``vwap = Σ price·size / Σ size`` since the row before (4.5)."""
    quantity = len(p.depths)
    for w in range(len(p.shape.window)):
        out[c + w, r] = state.rolling.window_sum[w, 0, quantity]
    c += len(p.shape.window)
    out[c, r] = volume
    out[c + 1, r] = state.row_trades[0, NOTIONAL] / volume if state.row_trade_count[0] > 0 else np.nan
    return c + 2


@kernel
def difference_rows(state: State, p: Params, out: Rows, rows: int) -> None:
    """``price_ffd = ffd(log mid)`` and ``volume_ffd = ffd(log(1 + trade_volume))`` of the rows written (contract, 4.6).

    Many rows at once share what is loaded of the weights. Until then the first column holds ``log mid``, the second
    how many rows came before since the restart.
    """
    value = out.value
    c = value.shape[0] - _PRICE_FFD
    price, volume, traded = value[c], value[c + 1], value[value.shape[0] - _TRADE_VOLUME]
    first = 0
    while first < rows:
        seen = int(volume[first])
        end = first + 1
        while end < rows and volume[end] != 0.0:
            end += 1
        for r in range(first, end):
            volume[r] = math.log(1.0 + traded[r])
        ffd_push_all(state.price_history, seen, p.price_weights, price[first:end])
        ffd_push_all(state.volume_history, seen, p.volume_weights, volume[first:end])
        first = end


@kernel
def fractal(state: State, p: Params, t: int, mid: float) -> float:
    """``fdi``: dimension of mid at the last N samples; held between samples, NaN before N (contract, 4.7)."""
    if p.sampling == 0 or t % p.fdi_interval == 0:
        state.value[FDI] = fractal_push(state.fractal, state.clock[SAMPLES], p.fdi_method, mid)
        state.clock[SAMPLES] += 1
    return state.value[FDI]


@kernel
def volatility(state: State, log_mid: float) -> float:
    """Population standard deviation of the last log-returns of mid; 0.0 with fewer than 2 (contract, 4.7)."""
    if state.clock[ROWS] > 0:
        state.single[0] = log_mid - state.value[LAST_LOG_MID]
        push(state.returns, state.single)
    state.value[LAST_LOG_MID] = log_mid
    if state.returns.seen[0] < 2:
        return 0.0
    return mean_and_deviation(state.returns, 0)[1]


@kernel
def warm(state: State, p: Params, t: int) -> int:
    """Which features have their whole history, one bit each (contract, 4.8); ``ROWS`` counts this row already."""
    rows = state.clock[ROWS]
    bits = 0
    if t >= state.clock[FIRST_UPDATE] + p.longest_window:
        bits |= WARM_WINDOWS
    if rows >= len(state.zscores.ring):
        bits |= WARM_ZSCORES
    if rows >= len(p.price_weights):
        bits |= WARM_PRICE_FFD
    if rows >= len(p.volume_weights):
        bits |= WARM_VOLUME_FFD
    if state.clock[SAMPLES] >= len(state.fractal.history) >> 1:
        bits |= WARM_FDI
    if rows >= len(state.returns.ring) + 1:
        bits |= WARM_VOLATILITY
    if p.full_depth or state.clock[COVERED]:
        bits |= WARM_BOOK
    return bits


@kernel
def copy_book(price: Float64s, size: Float64s, count: Int64s, out: Float64s, r: int) -> None:
    """The 20 best levels, NaN where there is none: bid prices, bid sizes, ask prices, ask sizes (contract, 4.9)."""
    for s in range(2):
        for m in range(BOOK_LEVELS):
            there = m < count[s]
            out[2 * s * BOOK_LEVELS + m, r] = price[s, m] if there else np.nan
            out[(2 * s + 1) * BOOK_LEVELS + m, r] = size[s, m] if there else np.nan


@kernel
def emit_row(state: State, p: Params, t: int, out: Rows, r: int) -> None:
    """Write row ``r`` for the time ``t`` from the state, and begin what is counted from row to row anew.

    Its fractional differences are still to come: `difference_rows`.
    """
    top = state.clock[TOP]
    price, size, count = state.top_price[top], state.top_size[top], state.top_count[top]
    value = out.value
    slide(state.rolling, p.shape, t // p.shape.quantum[0])

    mid = (price[0, 0] + price[1, 0]) / 2.0
    log_mid = math.log(mid)
    volume = state.row_trades[0, VOLUME]
    c = book_state(price[0, 0], size[0, 0], price[1, 0], size[1, 0], mid, value, 0, r)
    depth_imbalance(size, p.depths, state.flow)
    for d in range(len(p.depths)):
        value[c + d, r] = state.flow[d]
    c += len(p.depths)
    value[c, r] = distance_weighted_volume(price, size, mid, state.level)
    c = order_flow(state, p, value, c + 1, r)
    if p.depths[0] == 1:
        c = order_flow_change(state, state.row_ofi[0, 0], value, c, r)
    c = trades(state, p, volume, value, c, r)
    value[c, r] = log_mid  # see `difference_rows`
    value[c + 1, r] = state.clock[ROWS]
    c += 2
    dimension = fractal(state, p, t, mid)
    value[c, r] = dimension
    value[c + 1, r] = volatility(state, log_mid)

    out.integer[TS, r] = t
    out.integer[RECEIVE_TS, r] = state.clock[RECEIVE]
    out.integer[ROW_ORDINAL, r] = state.clock[ORDINAL]
    out.integer[TRADE_COUNT, r] = state.row_trade_count[0]
    state.clock[ROWS] += 1
    out.code[REGIME, r] = regime(dimension)
    out.code[WARM, r] = warm(state, p, t)
    if out.book.shape[0] > 0:
        copy_book(price, size, count, out.book, r)

    state.row_ofi[:] = 0.0
    state.row_trades[:] = 0.0
    state.row_trade_count[0] = 0
