"""Which kernels of the exchange the loop over tape rows called, with what, and what became of the book in between: so
that the same calls can be made again for an agent whose orders rest (docs/acting.md, 2).

The loop itself writes them down, through hooks: there is no second one that might do it otherwise.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from learning.environment.jit import kernel
from operators.book import MAX_LEVELS, level_size, next_level
from operators.level_blocks import BLOCK, Book
from sources.tape.batch import SNAPSHOT, Float64s, Int64s, TapeBatch

# Rows of `CallLog.call`.
WHAT, AT, ACTS_BEFORE, KNOWN_BEFORE, KNOWN_AFTER, CLEARED, UNTIL = range(7)
# Kinds of calls: none but what stands before it, `take_message`, `take_trade`, `fund`, a decision.
NOTHING, MESSAGE, TRADE, FUNDED, DECISION = range(5)

# Indices into a recorder's clock behind those of `operators.execution.state`.
_FIRST = 32
CALLS, CHANGES, WRITTEN, SNAPPED, WAITING, WAITING_KNOWN, WANTED = range(_FIRST, _FIRST + 7)
NO_ACT = -(1 << 62)
_SPARE = 16  # calls between two looks for room, at most


class CallLog(NamedTuple):
    """Calls in their order, and changes of levels in theirs.

    Attributes:
        call: shape ``(7, calls)``: what is called; ns, its exchange time, or of a funding its number; before which time
            orders act first, and whether the book is known then; whether it is known afterwards; whether the book is
            emptied between the two, and up to which change levels are set then.
        side, price, size: of the changes, shape ``(changes,)``: absolute sizes, as of a tape; or the trade itself.
    """

    call: Int64s
    side: npt.NDArray[np.int8]
    price: Float64s
    size: Float64s


def make_log(wanted: bool) -> CallLog:
    """An empty one; without room if none is wanted."""
    room = 1024 if wanted else 0
    return CallLog(np.zeros((7, room), np.int64), np.zeros(room, np.int8), np.zeros(room), np.zeros(room))


def more(log: CallLog, clock: Int64s, rows: int) -> CallLog:
    """The same with room for what so many tape rows can lead to, and as much again as there is."""
    if not clock[WANTED]:
        return log
    calls, changes = int(clock[CALLS]), int(clock[CHANGES])
    # A snapshot that a batch ends has levels of batches before.
    if log.call.shape[1] >= calls + 4 * rows + _SPARE and len(log.side) >= changes + 2 * rows + 2 * MAX_LEVELS:
        return log
    room, wide = 2 * calls + 4 * rows + _SPARE, 2 * changes + 2 * rows + 2 * MAX_LEVELS
    return CallLog(
        _moved(log.call, calls, room), *(_moved(column, changes, wide) for column in (log.side, log.price, log.size))
    )


def ended(log: CallLog, clock: Int64s) -> CallLog:
    """What was written down, without room for more; nothing of it can be changed."""
    n, until = int(clock[CALLS]), int(clock[WRITTEN])
    whole = CallLog(
        _moved(log.call, n, n), *(_moved(column, until, until) for column in (log.side, log.price, log.size))
    )
    for array in whole:
        array.flags.writeable = False
    return whole


def _moved(array: Any, n: int, room: int) -> Any:
    copy = np.zeros((*array.shape[:-1], room), array.dtype)
    copy[..., :n] = array[..., :n]
    return copy


@kernel
def has_room(recorder: Any) -> bool:
    """Whether there is room for the calls of a tape row."""
    return not recorder.clock[WANTED] or recorder.clock[CALLS] + _SPARE <= recorder.log.call.shape[1]


@kernel
def _call(recorder: Any, what: int, at: int, known: int) -> None:
    """Write a call down, with the changes that have been written out."""
    clock, call = recorder.clock, recorder.log.call
    n = clock[CALLS]
    call[WHAT, n] = what
    call[AT, n] = at
    call[ACTS_BEFORE, n] = clock[WAITING]
    call[KNOWN_BEFORE, n] = clock[WAITING_KNOWN]
    call[KNOWN_AFTER, n] = known
    call[CLEARED, n] = 0
    call[UNTIL, n] = clock[WRITTEN]
    clock[WAITING] = NO_ACT
    clock[CALLS] = n + 1


@kernel
def _changed(recorder: Any, book: Book, what: int, at: int, known: int) -> None:
    """Write out which sizes the levels have that rows have named since, then the call."""
    clock, log = recorder.clock, recorder.log
    cleared = clock[SNAPPED]
    if cleared:
        n = clock[WRITTEN]
        for s in range(2):
            side = 1 - 2 * s
            d, at_place = next_level(book, s, book.blocks[s], 0)
            while d >= 0:
                log.side[n] = side
                log.price[n] = side * book.place[at_place]
                log.size[n] = book.place[at_place + BLOCK]
                n += 1
                d, at_place = next_level(book, s, d, at_place)
        clock[CHANGES] = n
    else:
        for n in range(clock[WRITTEN], clock[CHANGES]):
            side = log.side[n]
            log.size[n] = level_size(book, 0 if side > 0 else 1, side * log.price[n])
    clock[WRITTEN] = clock[CHANGES]
    clock[SNAPPED] = 0
    _call(recorder, what, at, known)
    log.call[CLEARED, clock[CALLS] - 1] = cleared


@kernel
def note_rows(recorder: Any, batch: TapeBatch, start: int, end: int) -> None:
    """Rows of a book message have come; their levels are written out when it is used."""
    clock, log = recorder.clock, recorder.log
    if not clock[WANTED] or end <= start:
        return
    if batch.kind[start] == SNAPSHOT:
        clock[SNAPPED] = 1
    for i in range(start, end):
        n = clock[CHANGES]
        log.side[n] = batch.side[i]
        log.price[n] = batch.price[i]
        clock[CHANGES] = n + 1


@kernel
def note_act(recorder: Any, book: Book, known: int, before: int) -> None:
    """Orders would act now. Only the last of several on one book is written down."""
    clock = recorder.clock
    if not clock[WANTED]:
        return
    if clock[CHANGES] > clock[WRITTEN] or clock[SNAPPED]:  # of a message that has not come to its end
        _changed(recorder, book, NOTHING, before, known)
    clock[WAITING] = before
    clock[WAITING_KNOWN] = known


@kernel
def note_message(recorder: Any, book: Book, known: int, ts: int) -> None:
    """`operators.execution.passive.take_message` would be called."""
    if recorder.clock[WANTED]:
        _changed(recorder, book, MESSAGE, ts, known)


@kernel
def note_trade(recorder: Any, ts: int, side: int, price: float, size: float) -> None:
    """`operators.execution.passive.take_trade` would be called."""
    clock, log = recorder.clock, recorder.log
    if not clock[WANTED]:
        return
    n = clock[CHANGES]
    log.side[n] = side
    log.price[n] = price
    log.size[n] = size
    clock[CHANGES] = clock[WRITTEN] = n + 1
    _call(recorder, TRADE, ts, 0)


@kernel
def note_funding(recorder: Any, number: int) -> None:
    """A funding is settled; the book is not looked at."""
    if recorder.clock[WANTED]:
        _call(recorder, FUNDED, number, 0)


@kernel
def note_decision(recorder: Any, ts: int) -> None:
    """A decision is taken; the book is not looked at."""
    if recorder.clock[WANTED]:
        _call(recorder, DECISION, ts, 0)


@kernel
def note_reset(recorder: Any, ts: int) -> None:
    """The book is empty, and what had not come to its end is forgotten."""
    clock = recorder.clock
    if not clock[WANTED]:
        return
    clock[CHANGES] = clock[WRITTEN]
    clock[SNAPPED] = 0
    _call(recorder, NOTHING, ts, 0)
    recorder.log.call[CLEARED, clock[CALLS] - 1] = 1
