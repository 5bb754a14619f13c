"""One feature row: what every feature is told of it, and the columns that are no feature's (`operators.features`)."""

import math

import numpy as np

from operators import features
from operators.config import BOOK_LEVELS
from operators.features.feature import WARM_BOOK, Moment, Rows
from operators.jit import kernel
from operators.rolling_sum import slide
from operators.row_batch import TS
from operators.schema import RECEIVE_TS, ROW_ORDINAL, SINCE_RESTART
from operators.state import COVERED, FIRST_UPDATE, ORDINAL, RECEIVE, ROWS, TOP, Params, State
from sources.tape.batch import Float64s, Int64s


@kernel
def copy_book(price: Float64s, size: Float64s, count: Int64s, out: Float64s, r: int) -> None:
    """The 20 best levels, NaN where there is none: prices and sizes of bids, then of asks (docs/features.md, 4.9)."""
    for s in range(2):
        for m in range(BOOK_LEVELS):
            there = m < count[s]
            out[2 * s * BOOK_LEVELS + m, r] = price[s, m] if there else np.nan
            out[(2 * s + 1) * BOOK_LEVELS + m, r] = size[s, m] if there else np.nan


@kernel
def emit_row(state: State, p: Params, t: int, out: Rows, r: int) -> None:
    """Write row ``r`` for the time ``t`` from the state, and begin what is counted from row to row anew.

    Its fractional differences are still to come: `features.fractional_difference.difference`.
    """
    clock = state.clock
    top = clock[TOP]
    price, size, count = state.top_price[top], state.top_size[top], state.top_count[top]
    slide(state.rolling, p.common.shape, t // p.common.shape.quantum[0])
    mid = (price[0, 0] + price[1, 0]) / 2.0
    row = Moment(t, clock[ROWS], clock[FIRST_UPDATE], price, size, mid, math.log(mid), state.rolling, state.scratch)
    warm = features.emit(state.features, p.features, p.common, row, p.places, out, r)
    if clock[COVERED]:
        warm |= WARM_BOOK
    out.integer[TS, r] = t
    out.integer[RECEIVE_TS, r] = clock[RECEIVE]
    out.integer[ROW_ORDINAL, r] = clock[ORDINAL]
    out.integer[out.integer.shape[0] + SINCE_RESTART, r] = clock[ROWS]
    out.code[p.places.warm.code, r] = warm if warm < 128 else warm - 256  # uint8, kept as int8
    if out.book.shape[0] > 0:
        copy_book(price, size, count, out.book, r)
    clock[ROWS] += 1
