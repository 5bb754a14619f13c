"""What the inspection of one instrument's tape remembers: docs/inspect.md has the definitions."""

import math
from typing import NamedTuple

import numpy as np

from operators.jit import kernel
from operators.level_blocks import Book, make_book
from sources.tape.batch import KINDS, Float64s, Int64s

# Indices into `InspectionState.when`.
STARTED = 0  # 1 once a row has been counted
NOW = 1  # ns, up to which time is judged
PREVIOUS = 2  # ns, arrival of the row before
DAY = 3  # days since 1970
ORDINAL = 4  # of the row before
OPEN_MESSAGE = 5  # kind of the message whose last row has not come, −1 if none
KNOWN = 6  # 1 while the book is known
WHY_UNKNOWN = 7  # mask of `CAUSES`
TOP = 8  # GOOD, CROSSED or ONE_SIDED after the newest whole message
GAP_BEGIN = 9  # ns, −1: no gap is open
GAP_CAUSES = 10
STILL = 11  # ns of covered time since the newest whole book message
_WHEN = 12

GOOD, CROSSED, ONE_SIDED = range(3)

# Bits of why an interval is not covered.
START, RESET_ROW, MISSING, SILENCE, TORN_SNAPSHOT = 1, 2, 4, 8, 16
CAUSES = ("start", "reset", "missing", "silence", "snapshot")

# Indices into `InspectionState.counts`, of a day; the rows by kind come first.
SNAPSHOTS = len(KINDS)  # whole messages
RESYNCS = SNAPSHOTS + 1  # of them those that ended what a reset began
BOOK_MESSAGES = SNAPSHOTS + 2  # whole ones of a known book, snapshots included
CROSSED_MESSAGES = SNAPSHOTS + 3
TORN = SNAPSHOTS + 4  # messages whose last row never came
UNKNOWN_DELTAS = SNAPSHOTS + 5  # rows
MISSING_ROWS = SNAPSHOTS + 6
CHECKED_PRINTS = SNAPSHOTS + 7
OUTSIDE_PRINTS = SNAPSHOTS + 8
FAR_PRINTS = SNAPSHOTS + 9
OFF_BOOK_PRINTS = SNAPSHOTS + 10
AGAINST_PRINTS = SNAPSHOTS + 11
JUMPS = SNAPSHOTS + 12
STALE_STRETCHES = SNAPSHOTS + 13
GAPS = SNAPSHOTS + 14
SAMPLES = SNAPSHOTS + 15  # of the latency
NEGATIVE = SNAPSHOTS + 16
STEPS_BACK = SNAPSHOTS + 17  # rows received before the one ahead of them
COUNTS = SNAPSHOTS + 18

# Indices into `InspectionState.times`, ns, of a day.
SPAN, GAP, LONGEST_GAP, CROSSED_TIME, ONE_SIDED_TIME, STALE_TIME, LONGEST_STALE = range(7)
FIRST, LAST, LEAST, MOST = range(7, 11)  # arrivals of rows; latencies
TIMES = 11

# Indices into `InspectionState.value`.
BID, ASK, MID, LARGEST_JUMP = range(4)

BITS = 10  # of a latency that are kept behind its first: 1 ms of 1 s, which a clock that is not set is easily off
_WHOLE = 1 << BITS
ZERO = (64 - BITS) << BITS  # bucket of 0; those of one sign


class InspectionRule(NamedTuple):
    """Where a figure begins to count."""

    silence: int  # ns
    stale: int  # ns
    jump: float  # relative change of the mid
    far: float  # relative distance of a print from the nearer quote


class InspectionState(NamedTuple):
    """What one instrument's inspection remembers; `counts`, `times` and `latency` are those of the day."""

    when: Int64s
    counts: Int64s
    times: Int64s
    value: Float64s
    latency: Int64s
    book: Book


def inspection_state() -> InspectionState:
    """The state before the first row."""
    when = np.zeros(_WHEN, np.int64)
    when[OPEN_MESSAGE], when[WHY_UNKNOWN], when[GAP_BEGIN], when[ORDINAL] = -1, START, -1, -1
    state = InspectionState(
        when, np.zeros(COUNTS, np.int64), np.zeros(TIMES, np.int64), np.zeros(4),
        np.zeros(2 * ZERO + 1, np.int64), make_book(),
    )  # fmt: skip
    next_day(state)
    return state


def next_day(state: InspectionState) -> None:
    """Nothing is counted yet; the book and what is open stay."""
    if state.counts[SAMPLES]:  # a megabyte, and there may be years without a row
        state.latency[:] = 0
    state.counts[:] = 0
    state.times[:] = 0
    state.times[FIRST] = state.times[LAST] = -1
    state.times[LEAST], state.times[MOST] = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    state.value[LARGEST_JUMP] = 0.0


@kernel
def bucket(ns: int) -> int:
    """Place of a latency in the histogram; it grows with it."""
    size = abs(ns)
    shift = 0
    if size >= 2 * _WHOLE:
        shift = max(math.frexp(float(size))[1] - BITS - 2, 0)  # one less, since the float may be the power above
        if size >> shift >= 2 * _WHOLE:
            shift += 1
    place = shift * _WHOLE + (size >> shift)
    return ZERO + place if ns >= 0 else ZERO - place


def lower_edge(place: int) -> int:
    """The latency of a bucket that is nearest to 0, ns."""
    size = abs(place - ZERO)
    shift = max((size >> BITS) - 1, 0)
    edge = (size - (shift << BITS)) << shift
    return edge if place >= ZERO else -edge
