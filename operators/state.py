"""Everything that the features of one instrument remember, as a few plain arrays; and what they are computed with.

Kernels change these arrays in place. Arrays that grow are replaced as a whole (`operators.level_blocks.grown`,
`operators.rolling_sum.grown`); no result depends on their room.
"""

import math
from typing import NamedTuple

import numpy as np

from operators import rolling_moments, rolling_sum
from operators.config import BOOK_LEVELS, FeatureConfig
from operators.ffd import ffd_weights
from operators.fractal import METHODS, FractalWindow, fractal_window
from operators.jit import kernel
from operators.level_blocks import Book, clear, make_book
from operators.rolling_moments import RollingMoments, rolling_moments_state
from operators.rolling_sum import RollingShape, RollingSum, rolling_sum_state
from sources.events import Float64s, Int64s

# Indices into `State.clock`.
NOW = 0  # the instrument's clock, ns
KNOWN = 1  # 1 once the clock has a time
UPDATED = 2  # 1 once an update has happened since the restart
FIRST_UPDATE = 3  # the clock at it
NEXT_ROW = 4  # grid time of the next row
ROWS = 5  # since the restart
ORDINAL = 6  # of the newest tape row processed
RECEIVE = 7  # its receive_ts
OPEN_MESSAGE = 8  # kind of the message whose last row has not come, −1 if none
TOP = 9  # which of the two `top` buffers is the book at the last update
SAMPLES = 10  # of the fractal dimension, since the restart
# Counters over the whole tape.
CROSSED = 11
ONE_SIDED = 12
DROPPED_LEVELS = 13
RESETS = 14
HOLDS = 15  # restarts after a hole longer than max_hold
UNKNOWN_DELTAS = 16  # rows
COVERED = 17  # 1 if the last snapshot covered the best levels of the book at the last update
BOOK_KNOWN = 18  # 1 once a whole snapshot has come, until a reset or the first row of the next one
_CLOCK_SIZE = 19

# Indices into `State.value`.
SNAPSHOT_LOW = 0  # price range that the last snapshot covered
SNAPSHOT_HIGH = 1
LAST_OFI = 2  # ofi_l0 at the row before
LAST_MOMENTUM = 3
LAST_LOG_MID = 4
FDI = 5  # held between samples
_VALUE_SIZE = 6

# Indices into `State.row_trades`: pairs, since the row before.
VOLUME = 0
NOTIONAL = 1

# Kinds of event in the rolling sums.
UPDATE_EVENT = 0
TRADE_EVENT = 1


class State(NamedTuple):
    """State of one instrument; D depths, L levels of the top, K weights."""

    clock: Int64s
    value: Float64s
    book: Book
    top_price: Float64s  # (2 buffers, 2 sides, L)
    top_size: Float64s  # (2, 2, L)
    top_count: Int64s  # (2, 2)
    last_imbalance: Float64s  # (D,): depth imbalance at the last update
    row_ofi: Float64s  # (2, D): pairs, hi and lo, since the row before
    row_trades: Float64s  # (2, 2)
    row_trade_count: Int64s  # (1,)
    rolling: RollingSum
    zscores: RollingMoments  # columns: depth-major, then window
    returns: RollingMoments
    price_history: Float64s  # (2 · K,)
    volume_history: Float64s  # (2 · K,)
    fractal: FractalWindow
    level: Float64s  # (2, L): scratch, so that no event allocates
    flow: Float64s  # (D,): scratch
    window_flow: Float64s  # (D · windows,): scratch
    window_zscore: Float64s  # (D · windows,): scratch
    single: Float64s  # (1,): scratch


class Params(NamedTuple):
    """`FeatureConfig` for kernels."""

    sampling: int  # ns; 0: update
    max_hold: int  # ns
    use_depth_ofi: bool
    full_depth: bool  # the venue's book is known at every price (bit 64 of `warm`)
    longest_window: int  # ns
    fdi_interval: int
    fdi_method: int
    depths: Int64s
    shape: RollingShape
    price_weights: Float64s  # oldest first
    volume_weights: Float64s


def make_params(config: FeatureConfig, *, full_depth: bool) -> Params:
    """Derive what kernels need; ``full_depth`` for a venue whose book has no unknown prices."""
    windows = [ns for _, ns in config.windows]
    # In `update` sampling a row may come at any nanosecond.
    quantum = math.gcd(config.sampling_ns, *windows) if config.sampling_ns else 1
    depths = len(config.depths)
    return Params(
        sampling=config.sampling_ns,
        max_hold=config.max_hold_ns,
        use_depth_ofi=config.ofi == "depth",
        full_depth=full_depth,
        longest_window=max(windows),
        fdi_interval=config.fdi_interval_ns,
        fdi_method=METHODS.index(config.fdi_method),
        depths=np.array(config.depths, np.int64),
        shape=RollingShape(
            quantum=np.array([quantum], np.int64),
            window=np.array([w // quantum for w in windows], np.int64),
            kind=np.array([UPDATE_EVENT] * depths + [TRADE_EVENT], np.int64),
        ),
        price_weights=ffd_weights(config.price_d, config.ffd_threshold)[::-1].copy(),
        volume_weights=ffd_weights(config.volume_d, config.ffd_threshold)[::-1].copy(),
    )


def make_state(config: FeatureConfig, params: Params) -> State:
    """The state before the first row of a tape."""
    depths, windows = len(config.depths), len(config.windows)
    levels = max(BOOK_LEVELS, max(config.depths))
    state = State(
        clock=np.zeros(_CLOCK_SIZE, np.int64),
        value=np.zeros(_VALUE_SIZE),
        book=make_book(),
        top_price=np.zeros((2, 2, levels)),
        top_size=np.zeros((2, 2, levels)),
        top_count=np.zeros((2, 2), np.int64),
        last_imbalance=np.zeros(depths),
        row_ofi=np.zeros((2, depths)),
        row_trades=np.zeros((2, 2)),
        row_trade_count=np.zeros(1, np.int64),
        rolling=rolling_sum_state(windows, depths + 1, 2),
        zscores=rolling_moments_state(config.zscore_window, depths * windows),
        returns=rolling_moments_state(config.volatility_window, 1),
        price_history=np.zeros(2 * len(params.price_weights)),
        volume_history=np.zeros(2 * len(params.volume_weights)),
        fractal=fractal_window(config.fdi_window, params.fdi_method),
        level=np.zeros((2, levels)),
        flow=np.zeros(depths),
        window_flow=np.zeros(depths * windows),
        window_zscore=np.zeros(depths * windows),
        single=np.zeros(1),
    )
    _begin(state)
    return state


def clear_state(state: State) -> None:
    """As `make_state`; what has grown stays as large as it is."""
    for part in state:
        if not isinstance(part, Book):  # which is emptied
            for array in part if isinstance(part, tuple) else (part,):
                array.fill(0)
    _begin(state)


def _begin(state: State) -> None:
    state.clock[OPEN_MESSAGE] = -1
    empty_book(state)
    restart(state)


@kernel
def empty_book(state: State) -> None:
    """No level, and no price known: the book is unknown."""
    clear(state.book)
    state.clock[BOOK_KNOWN] = 0
    state.value[SNAPSHOT_LOW] = np.inf
    state.value[SNAPSHOT_HIGH] = -np.inf


@kernel
def restart(state: State) -> None:
    """Features begin as from a new tape; the book stays."""
    clock = state.clock
    clock[NOW] = 0
    clock[KNOWN] = 0
    clock[UPDATED] = 0
    clock[ROWS] = 0
    clock[SAMPLES] = 0
    state.value[FDI] = np.nan
    state.row_ofi[:] = 0.0
    state.row_trades[:] = 0.0
    state.row_trade_count[0] = 0
    rolling_sum.clear(state.rolling)
    rolling_moments.clear(state.zscores)
    rolling_moments.clear(state.returns)
