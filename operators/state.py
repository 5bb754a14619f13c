"""Everything that the features of one instrument remember, as a few plain arrays; and what they are computed with.

Kernels change these arrays in place. Arrays that grow are replaced as a whole (`operators.level_blocks.grown`,
`operators.rolling_sum.grown`); no result depends on their room.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from operators import features, rolling_sum
from operators.config import BOOK_LEVELS, FeatureConfig
from operators.features import derivatives, normalised_imbalance
from operators.features.feature import Common, Scratch
from operators.features.order_flow import UPDATE_EVENT
from operators.features.trades import TRADE_EVENT
from operators.jit import kernel
from operators.level_blocks import Book, clear, make_book
from operators.rolling_sum import RollingShape, RollingSum, rolling_sum_state
from operators.schema import column_row, places
from sources.tape.batch import Float64s, Int64s

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
# Counters over the whole tape.
CROSSED = 10
ONE_SIDED = 11
DROPPED_LEVELS = 12
RESETS = 13
HOLDS = 14  # restarts after a hole longer than max_hold
UNKNOWN_DELTAS = 15  # rows
COVERED = 16  # 1 if the best levels of the book at the last update were all known (bit 64 of `warm`)
BOOK_KNOWN = 17  # 1 once a whole snapshot has come, until a reset or the first row of the next one
CUT_LEVELS = 18  # levels a side that every book was cut to before it was recorded; 0: to none
_CLOCK_SIZE = 19

# Indices into `State.covered`: the price range of the last snapshot.
LOW, HIGH = 0, 1


class State(NamedTuple):
    """State of one instrument; L levels of the top."""

    clock: Int64s
    covered: Float64s  # (2,)
    book: Book
    top_price: Float64s  # (2 buffers, 2 sides, L)
    top_size: Float64s  # (2, 2, L)
    top_count: Int64s  # (2, 2)
    rolling: RollingSum  # quantities: `_quantities`
    features: features.States
    scratch: Scratch


class Params(NamedTuple):
    """`FeatureConfig` for kernels."""

    max_hold: int  # ns
    use_depth_ofi: bool
    full_depth: bool  # the venue's book is known at every price
    traded: int  # row of the traded volume in `Rows.value`
    common: Common
    features: features.Parameters
    places: Any  # `features.Places`


def _quantities(config: FeatureConfig) -> list[int]:
    """Kinds of event of what is summed over windows: order flow of each depth, signed size of trades, and more."""
    flow = [UPDATE_EVENT] * len(config.depths) + [TRADE_EVENT]
    return flow + normalised_imbalance.quantities(config) + derivatives.quantities(config)


def make_params(config: FeatureConfig, *, full_depth: bool) -> Params:
    """Derive what kernels need; ``full_depth`` for a venue whose book has no unknown prices."""
    windows = [ns for _, ns in config.windows]
    # In `update` sampling a row may come at any nanosecond.
    quantum = math.gcd(config.sampling_ns, *windows) if config.sampling_ns else 1
    return Params(
        max_hold=config.max_hold_ns,
        use_depth_ofi=config.ofi == "depth",
        full_depth=full_depth,
        traded=column_row(config, "trade_volume"),
        common=Common(
            sampling=config.sampling_ns,
            depths=np.array(config.depths, np.int64),
            shape=RollingShape(
                quantum=np.array([quantum], np.int64),
                window=np.array([w // quantum for w in windows], np.int64),
                kind=np.array(_quantities(config), np.int64),
            ),
            longest_window=max(windows),
        ),
        features=features.parameters(config),
        places=places(config),
    )


def make_state(config: FeatureConfig) -> State:
    """The state before the first row of a tape."""
    depths, windows = len(config.depths), len(config.windows)
    levels = max(BOOK_LEVELS, max(config.depths))
    state = State(
        clock=np.zeros(_CLOCK_SIZE, np.int64),
        covered=np.zeros(2),
        book=make_book(),
        top_price=np.zeros((2, 2, levels)),
        top_size=np.zeros((2, 2, levels)),
        top_count=np.zeros((2, 2), np.int64),
        rolling=rolling_sum_state(windows, len(_quantities(config)), max(_quantities(config)) + 1),
        features=features.states(config),
        scratch=Scratch(
            level=np.zeros((2, levels)),
            depth=np.zeros(depths),
            window=np.zeros(depths * windows),
            window_zscore=np.zeros(depths * windows),
            single=np.zeros(1),
        ),
    )
    _begin(state)
    return state


def clear_state(state: State) -> None:
    """As `make_state`; what has grown stays as large as it is."""
    _fill(state)
    _begin(state)


def _fill(part: Any) -> None:
    for item in part:
        if isinstance(item, np.ndarray):
            item.fill(0)
        elif not isinstance(item, Book):  # which is emptied
            _fill(item)


def _begin(state: State) -> None:
    state.clock[OPEN_MESSAGE] = -1
    empty_book(state)
    restart(state)


@kernel
def empty_book(state: State) -> None:
    """No level, and no price known: the book is unknown."""
    clear(state.book)
    state.clock[BOOK_KNOWN] = 0
    state.covered[LOW] = np.inf
    state.covered[HIGH] = -np.inf


@kernel
def restart(state: State) -> None:
    """Features begin as from a new tape; the book stays."""
    clock = state.clock
    clock[NOW] = 0
    clock[KNOWN] = 0
    clock[UPDATED] = 0
    clock[ROWS] = 0
    rolling_sum.clear(state.rolling)
    features.clear(state.features)
