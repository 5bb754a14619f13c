"""Runs a tape through the loop of a backtest, and writes down what an agent could see, and the book that its orders
would meet (docs/acting.md, 2).

The loop is `operators.tape_loop.run`, the one that backtests use, with hooks that record in place of an exchange: so an
order acts between the same two tape rows here and there.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from typing_extensions import override

from learning.environment import calls
from learning.environment.jit import entry_kernel, kernel
from learning.environment.room import (
    ACTS,
    BEFORE,
    BOOKS,
    DECIDED,
    FEATURE_ROW,
    INTERVAL,
    KNOWN,
    LOCAL_TS,
    MID_PRICE,
    NEVER,
    NEXT,
    NEXT_CALL,
    SEGMENT,
    SEGMENT_OF,
    SETTLED,
    TS,
    UNWATCHED,
    WATCHED,
    Recorder,
    grown,
    make_recorder,
    with_room_for,
)
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
from operators.models.forecasts_ahead import ForecastsAhead
from operators.models.predictions import Predictor
from operators.row_batch import RowBatch
from operators.tape_loop import EXCHANGE_FULL, process, unpack_params, unpack_state
from sources.tape.batch import TapeBatch


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
    calls.note_act(recorder, book, known, before)
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
    calls.note_message(recorder, book, known, ts)
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
    calls.note_decision(recorder, ts)
    recorder.integer[NEXT_CALL, k] = clock[calls.CALLS]


@kernel
def _reset(recorder: Recorder, rules: Rules, ts: int) -> None:
    """A ``reset``: another segment begins, and nothing is known of levels."""
    calls.note_reset(recorder, ts)
    recorder.clock[SEGMENT] += 1
    recorder.clock[INTERVAL] = NEVER
    recorder.clock[WATCHED] = 0


@kernel
def _has_room(recorder: Recorder, most: int) -> bool:
    clock = recorder.clock
    if not calls.has_room(recorder):
        return False
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
    calls.note_funding(recorder, n)
    recorder.settled[0, n] = clock[DECIDED]
    recorder.settled[1, n] = clock[BOOKS]
    mark = money[execution.MARK_PRICE]
    recorder.funding[0, n] = mark if mark > 0.0 else money[MID]
    recorder.funding[1, n] = money[execution.RATE]
    clock[SETTLED] = n + 1


@kernel
def _receive_all(recorder: Any, rules: Rules, batch: TapeBatch, start: int, end: int, now: int) -> None:
    receive_all(recorder, rules, batch, start, end, now)
    calls.note_rows(recorder, batch, start, end)


@kernel
def _take_trade(recorder: Recorder, rules: Rules, ts: int, side: int, price: float, size: float) -> None:
    calls.note_trade(recorder, ts, side, price, size)


@kernel
def _ignore(recorder: Recorder, *what: Any) -> None:
    """Nobody is told of an order."""


class _Hooks(NamedTuple):
    """Those of `operators.execution.hooks`."""

    receive: Any = receive
    receive_all: Any = _receive_all
    forget_offset: Any = forget_offset
    take_derivative: Any = take_derivative
    fund: Any = _fund
    act: Any = _act
    has_room: Any = _has_room
    take_trade: Any = _take_trade
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

    def __init__(
        self, config: FeatureConfig, rules: Rules, step_ns: int, depth: int, *, full_depth: bool, calls: bool,
        forecasts: Predictor | None,
    ) -> None:  # fmt: skip
        """Args:
        rules: of the exchange; nobody may look at reports.
        step_ns: from one decision to the next.
        depth: levels a side that are kept of a book.
        full_depth: as of `FeatureEngine`.
        calls: whether those are written down that an exchange gets in which orders rest.
        forecasts: whose numbers stand behind those of the features in ``value``.
        """
        super().__init__(config, full_depth=full_depth, gil_rows=0)
        self._rules = rules
        self.recorder = make_recorder(step_ns, depth, calls=calls)
        self._ahead = None if forecasts is None else ForecastsAhead(forecasts, config, full_depth=full_depth)
        self._forecasts = 0 if forecasts is None else len(forecasts.columns)
        self._values += self._forecasts

    @override
    def parts(self, batch: TapeBatch, cut_levels: int = 0) -> Iterator[RowBatch]:
        if self._ahead is not None:
            self._ahead.read(batch, cut_levels)
        for part in super().parts(batch, cut_levels):
            if self._ahead is not None:
                self._ahead.take(part.rows)
            yield part

    def _run(self, batch: TapeBatch, start: int, rows: Rows) -> tuple[int, int, int]:
        self.recorder = with_room_for(self.recorder, batch.rows - start)
        if self._ahead is not None:
            self._ahead.fill(rows.value[-self._forecasts :])
        while True:
            start, n, why = _record(
                batch, start, self._packed.handle, self._params.handle, rows, self.recorder, self._rules
            )
            if why != EXCHANGE_FULL:
                break
            self.recorder = with_room_for(grown(self.recorder), batch.rows - start)
        self.recorder.clock[BEFORE] += n
        self.recorder.clock[ROW] = 0
        return start, n, why
