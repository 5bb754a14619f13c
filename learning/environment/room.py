"""Where a recorder writes, and how it gets more room."""

from typing import NamedTuple

import numpy as np

from learning.environment.calls import NO_ACT, WAITING, WANTED, CallLog, make_log, more
from operators.execution import state as execution
from operators.execution.state import LOCAL
from sources.tape.batch import Float64s, Int64s

# Indices into `Recorder.clock` behind those of `operators.execution.state` and of `calls`.
_FIRST = 40
DECIDED, BOOKS, WATCHED, SEGMENT, INTERVAL, BEFORE, UNWATCHED, SETTLED = range(_FIRST, _FIRST + 8)

# Rows of `Recorder.integer` and `Recorder.value`.
TS, LOCAL_TS, SEGMENT_OF, FEATURE_ROW, ACTS, NEXT, KNOWN, NEXT_CALL = range(8)
MID_PRICE = 0

_MOST_WATCHED = 2048
NEVER = -(1 << 62)


class Recorder(NamedTuple):
    """What is written down, in the place of an `Exchange`; ``room`` decisions of K levels a side."""

    clock: Int64s
    money: Float64s
    integer: Int64s  # (8, room): ts, local time, segment, feature row, act time, decision after it, whether book known,
    # the first call after it
    value: Float64s  # (1, room): mid
    level: Float64s  # (room, 2, 2, K): bids and asks from the best outwards, prices and sizes; NaN and 0 beyond
    since: Int64s  # (room, 2, K): decision since whose order a level has had its size after every message
    watch: Float64s  # (2, W): key and size of levels that orders may have met
    watch_since: Int64s  # (2, W): the decision; the side
    step: Int64s  # (1,): ns from one decision to the next
    settled: Int64s  # (2, F): decisions taken, and books recorded, when a funding was settled
    funding: Float64s  # (2, F): the price that it was settled at, and its rate
    log: CallLog


def make_recorder(step_ns: int, depth: int, room: int = 1024, *, calls: bool = False) -> Recorder:
    """A recorder before the first row of a tape.

    Args:
        calls: whether they are written down.
    """
    recorder = Recorder(
        np.zeros(_FIRST + 8, np.int64), np.zeros(7), np.zeros((8, room), np.int64), np.zeros((1, room)),
        np.full((room, 2, 2, depth), np.nan), np.zeros((room, 2, depth), np.int64), np.zeros((2, _MOST_WATCHED)),
        np.zeros((2, _MOST_WATCHED), np.int64), np.array([step_ns]), np.zeros((2, room), np.int64),
        np.zeros((2, room)), make_log(calls),
    )  # fmt: skip
    recorder.clock[LOCAL] = recorder.clock[execution.SEEN] = recorder.clock[INTERVAL] = NEVER
    recorder.clock[WAITING], recorder.clock[WANTED] = NO_ACT, int(calls)
    return recorder


def grown(recorder: Recorder) -> Recorder:
    """The same with room for twice as many decisions."""
    room = 2 * recorder.integer.shape[1]
    larger = make_recorder(int(recorder.step[0]), recorder.level.shape[3], room)._replace(
        clock=recorder.clock, money=recorder.money, watch=recorder.watch, watch_since=recorder.watch_since,
        log=recorder.log,
    )  # fmt: skip
    larger.integer[:, : room // 2] = recorder.integer
    larger.value[:, : room // 2] = recorder.value
    larger.level[: room // 2] = recorder.level
    larger.since[: room // 2] = recorder.since
    larger.settled[:, : room // 2] = recorder.settled
    larger.funding[:, : room // 2] = recorder.funding
    return larger


def with_room_for(recorder: Recorder, rows: int) -> Recorder:
    """The same with room for the calls that so many tape rows can lead to."""
    return recorder._replace(log=more(recorder.log, recorder.clock, rows))
