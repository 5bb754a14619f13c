"""Runs a tape through the loop of a backtest, and writes down what an agent could see, and the book that its orders
would meet (docs/acting.md, 2).

The loop is `operators.tape_loop.run`, the one that backtests use, with hooks that record in place of an exchange: so an
order acts between the same two tape rows here and there.
"""

from typing import Any, NamedTuple

import numpy as np

from operators.book import level_size, next_level
from operators.config import FeatureConfig
from operators.execution import state as execution
from operators.execution.clocks import forget_offset, receive, receive_all
from operators.execution.funding import take_derivative
from operators.execution.latency import latency_at
from operators.execution.matching import quotes
from operators.execution.state import LOCAL, MID, ROW, Rules
from operators.feature_engine import FeatureEngine
from operators.features.feature import Rows
from operators.level_blocks import BLOCK, Book
from operators.tape_loop import EXCHANGE_FULL, process, unpack_params, unpack_state
from sources.jit import KernelCache
from sources.tape.batch import Float64s, Int64s, TapeBatch

# A cache of its own: the whole loop over tape rows is in it, and takes half a minute.
_CACHE = KernelCache(
    "recorder", "learning/environment/recorder.py", "operators/**/*.py", "sources/tape/batch.py", "sources/jit.py",
    allocates=False,
)  # fmt: skip
kernel, entry_kernel = _CACHE.kernel, _CACHE.entry_kernel

# Indices into `Recorder.clock` behind those of `operators.execution.state`.
_FIRST = 32
DECIDED, BOOKS, WATCHED, SEGMENT, INTERVAL, BEFORE, UNWATCHED, SETTLED = range(_FIRST, _FIRST + 8)

# Rows of `Recorder.integer` and `Recorder.value`.
TS, LOCAL_TS, SEGMENT_OF, FEATURE_ROW, ACTS, NEXT, KNOWN = range(7)
MID_PRICE = 0

_MOST_WATCHED = 2048
_NEVER = -(1 << 62)


class Recorder(NamedTuple):
    """What is written down, in the place of an `Exchange`; ``room`` decisions of K levels a side."""

    clock: Int64s
    money: Float64s
    integer: Int64s  # (7, room): ts, local time, segment, feature row, act time, decision after it, whether book known
    value: Float64s  # (1, room): mid
    level: Float64s  # (room, 2, 2, K): bids and asks from the best outwards, prices and sizes; NaN and 0 beyond
    since: Int64s  # (room, 2, K): decision since whose order a level has had its size after every message
    watch: Float64s  # (2, W): key and size of levels that orders may have met
    watch_since: Int64s  # (2, W): the decision; the side
    step: Int64s  # (1,): ns from one decision to the next
    settled: Int64s  # (2, F): decisions taken, and books recorded, when a funding was settled
    funding: Float64s  # (2, F): the price that it was settled at, and its rate


def make_recorder(step_ns: int, depth: int, room: int = 1024) -> Recorder:
    """A recorder before the first row of a tape."""
    recorder = Recorder(
        np.zeros(_FIRST + 8, np.int64), np.zeros(7), np.zeros((7, room), np.int64), np.zeros((1, room)),
        np.full((room, 2, 2, depth), np.nan), np.zeros((room, 2, depth), np.int64), np.zeros((2, _MOST_WATCHED)),
        np.zeros((2, _MOST_WATCHED), np.int64), np.array([step_ns]), np.zeros((2, room), np.int64),
        np.zeros((2, room)),
    )  # fmt: skip
    recorder.clock[LOCAL] = recorder.clock[execution.SEEN] = recorder.clock[INTERVAL] = _NEVER
    return recorder


def _grown(recorder: Recorder) -> Recorder:
    room = 2 * recorder.integer.shape[1]
    larger = make_recorder(int(recorder.step[0]), recorder.level.shape[3], room)._replace(
        clock=recorder.clock, money=recorder.money, watch=recorder.watch, watch_since=recorder.watch_since
    )
    larger.integer[:, : room // 2] = recorder.integer
    larger.value[:, : room // 2] = recorder.value
    larger.level[: room // 2] = recorder.level
    larger.since[: room // 2] = recorder.since
    larger.settled[:, : room // 2] = recorder.settled
    larger.funding[:, : room // 2] = recorder.funding
    return larger


@kernel
def _watched(recorder: Recorder, s: int, key: float) -> int:
    for i in range(recorder.clock[WATCHED]):
        if recorder.watch[0, i] == key and recorder.watch_since[1, i] == s:
            return i
    return -1


@kernel
def _act(book: Book, known: int, recorder: Recorder, rules: Rules, before: int) -> bool:
    """The book that the orders of decisions meet whose act time is less than ``before``."""
    clock = recorder.clock
    while clock[BOOKS] < clock[DECIDED] and recorder.integer[ACTS, clock[BOOKS]] < before:
        k = clock[BOOKS]
        good, _, _ = quotes(book, known)
        recorder.integer[KNOWN, k] = int(good)
        recorder.integer[NEXT, k] = clock[DECIDED]
        for s in range(2):
            sign = 1.0 if s == 0 else -1.0
            d, at = book.blocks[s], 0
            for m in range(recorder.since.shape[2]):
                recorder.level[k, s, 0, m] = np.nan
                recorder.level[k, s, 1, m] = 0.0
                recorder.since[k, s, m] = k
                if d < 0:
                    continue
                d, at = next_level(book, s, d, at)
                if d < 0:
                    continue
                key, size = book.place[at], book.place[at + BLOCK]
                recorder.level[k, s, 0, m] = sign * key
                recorder.level[k, s, 1, m] = size
                i = _watched(recorder, s, key)
                if i >= 0:
                    recorder.since[k, s, m] = recorder.watch_since[0, i]
                elif clock[WATCHED] < recorder.watch.shape[1]:
                    i = clock[WATCHED]
                    recorder.watch[0, i] = key
                    recorder.watch[1, i] = size
                    recorder.watch_since[0, i] = k
                    recorder.watch_since[1, i] = s
                    clock[WATCHED] = i + 1
                else:
                    clock[UNWATCHED] += 1
        clock[BOOKS] = k + 1
    return True


@kernel
def _take_message(book: Book, known: int, recorder: Recorder, rules: Rules, ts: int) -> None:
    """A whole message: the mid, and which levels no longer have the size that an order met."""
    n = 0
    for i in range(recorder.clock[WATCHED]):
        key, size, s = recorder.watch[0, i], recorder.watch[1, i], recorder.watch_since[1, i]
        if level_size(book, s, key) == size:
            recorder.watch[0, n] = key
            recorder.watch[1, n] = size
            recorder.watch_since[0, n] = recorder.watch_since[0, i]
            recorder.watch_since[1, n] = s
            n += 1
    recorder.clock[WATCHED] = n
    good, bid, ask = quotes(book, known)
    if good:
        recorder.money[MID] = (bid - ask) / 2.0


@kernel
def _write_row(recorder: Recorder, rules: Rules, ts: int, r: int) -> None:
    """A feature row is emitted; the first of an interval and of a segment is a decision."""
    clock = recorder.clock
    interval = ts // recorder.step[0]
    if interval == clock[INTERVAL]:
        return
    clock[INTERVAL] = interval
    k = clock[DECIDED]
    recorder.integer[TS, k] = ts
    recorder.integer[LOCAL_TS, k] = clock[LOCAL]
    recorder.integer[SEGMENT_OF, k] = clock[SEGMENT]
    recorder.integer[FEATURE_ROW, k] = clock[BEFORE] + r
    recorder.integer[ACTS, k] = clock[LOCAL] + latency_at(rules.entry_from, rules.entry, clock[LOCAL])
    recorder.value[MID_PRICE, k] = recorder.money[MID]
    clock[DECIDED] = k + 1


@kernel
def _reset(recorder: Recorder, rules: Rules, ts: int) -> None:
    """A ``reset``: another segment begins, and nothing is known of levels."""
    recorder.clock[SEGMENT] += 1
    recorder.clock[INTERVAL] = _NEVER
    recorder.clock[WATCHED] = 0


@kernel
def _has_room(recorder: Recorder, most: int) -> bool:
    clock = recorder.clock
    return clock[DECIDED] < recorder.integer.shape[1] and clock[SETTLED] + 1 < recorder.settled.shape[1]


@kernel
def _fund(recorder: Recorder, rules: Rules, now: int) -> None:
    """`operators.execution.funding.fund`, of which who has a position pays later."""
    clock, money = recorder.clock, recorder.money
    due = clock[execution.NEXT_FUNDING]
    if due == 0 or now < due:
        return
    clock[execution.NEXT_FUNDING] = 0
    clock[execution.FUNDED] = due
    n = clock[SETTLED]
    recorder.settled[0, n] = clock[DECIDED]
    recorder.settled[1, n] = clock[BOOKS]
    mark = money[execution.MARK_PRICE]
    recorder.funding[0, n] = mark if mark > 0.0 else money[MID]
    recorder.funding[1, n] = money[execution.RATE]
    clock[SETTLED] = n + 1


@kernel
def _ignore(recorder: Recorder, *what: Any) -> None:
    """No order rests, nobody is told of one."""


class _Hooks(NamedTuple):
    """Those of `operators.execution.hooks`."""

    receive: Any = receive
    receive_all: Any = receive_all
    forget_offset: Any = forget_offset
    take_derivative: Any = take_derivative
    fund: Any = _fund
    act: Any = _act
    has_room: Any = _has_room
    take_trade: Any = _ignore
    take_message: Any = _take_message
    cancel_all: Any = _reset
    see_reports: Any = _ignore
    write_equity: Any = _write_row
    row: int = ROW
    most_open: int = execution.MOST_OPEN


_HOOKS = _Hooks()


@entry_kernel
def _record(
    batch: TapeBatch, start: int, state: Any, p: Any, out: Rows, recorder: Recorder, rules: Rules
) -> tuple[int, int, int]:
    return process(batch, start, unpack_state(state), unpack_params(p), out, recorder, rules, _HOOKS)


class RecordingEngine(FeatureEngine):
    """Features of one instrument, and a `Recorder` on the same loop."""

    def __init__(self, config: FeatureConfig, rules: Rules, step_ns: int, depth: int, *, full_depth: bool) -> None:
        """Args:
        rules: of the exchange; nobody may look at reports.
        step_ns: from one decision to the next.
        depth: levels a side that are kept of a book.
        full_depth: as of `FeatureEngine`.
        """
        super().__init__(config, full_depth=full_depth, gil_rows=0)
        self._rules = rules
        self.recorder = make_recorder(step_ns, depth)

    def _run(self, batch: TapeBatch, start: int, rows: Rows) -> tuple[int, int, int]:
        while True:
            start, n, why = _record(
                batch, start, self._packed.handle, self._params.handle, rows, self.recorder, self._rules
            )
            if why != EXCHANGE_FULL:
                break
            self.recorder = _grown(self.recorder)
        self.recorder.clock[BEFORE] += n
        self.recorder.clock[ROW] = 0
        return start, n, why
