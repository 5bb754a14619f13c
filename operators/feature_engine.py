"""Features of one instrument: the thin owner of a `State`, and the keyed Bytewax operator around it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import bytewax.operators as op
import numpy as np
import numpy.typing as npt
from bytewax.operators import KeyedStream, StatefulBatchLogic

from operators import level_blocks, rolling_sum, state_codec, tape_loop
from operators.config import BOOK_LEVELS, FeatureConfig
from operators.features.feature import Rows
from operators.mark import MARK_BYTES, Mark
from operators.packed_arguments import Packed
from operators.schema import ROW_ORDINAL, array_rows
from operators.state import (
    CROSSED,
    DROPPED_LEVELS,
    HOLDS,
    NOW,
    ONE_SIDED,
    RESETS,
    UNKNOWN_DELTAS,
    Params,
    State,
    clear_state,
    make_params,
    make_state,
)
from sources.instrument import Instrument
from sources.tape.batch import Float64s, InstrumentBatch, Int64s, TapeBatch

# Feature rows that one call of the kernel has room for; no power of two, or the columns would share cache sets.
_MOST_ROWS = 6000
Memory = list[Packed[State]]  # of engines of one configuration that have ended
FEW_ROWS = 512  # tape rows that take well under a millisecond

StatePart = bytes | memoryview


class StateKeeper(Protocol):
    """Keeps the states that a resumption goes on from; Bytewax's recovery store has what `keep` returns."""

    def keep(self, key: str, parts: Sequence[StatePart]) -> Any:
        """Copy a state, given as consecutive parts; unpickled, what is returned is bytes that `load` takes."""

    def load(self, key: str, kept: bytes) -> bytes:
        """The parts of that state, joined."""


class FeatureRows(NamedTuple):
    """Consecutive feature rows of one instrument, one array row a column (`operators.schema`).

    Shapes: ``integer`` (4, rows); ``code`` (2, rows); ``value`` (columns, rows); ``book`` (80, rows), or (0, 0)
    without books.
    """

    integer: Int64s
    code: npt.NDArray[np.int8]
    value: Float64s
    book: Float64s

    @property
    def rows(self) -> int:
        """Number of feature rows."""
        return int(self.integer.shape[1])

    def since(self, ordinal: int) -> "FeatureRows":
        """The rows whose newest tape row is ``ordinal`` or a later one."""
        first = int(np.searchsorted(self.integer[ROW_ORDINAL], ordinal))
        return FeatureRows._make(column[:, first:] if column.size else column for column in self)


# In a stream: the tape of the instrument has ended, and no more rows will come.
NO_MORE_ROWS = FeatureRows(np.empty((4, 0), np.int64), np.empty((2, 0), np.int8), np.empty((0, 0)), np.empty((0, 0)))


class Quality(NamedTuple):
    """What the tape of an instrument held that no feature reads, counted since its start."""

    crossed: int  # book messages after which the best bid was not below the best ask
    one_sided: int  # book messages after which a side was empty
    dropped_levels: int  # levels that gave way because a side was full
    resets: int
    holds: int  # restarts after a hole longer than max_hold
    unknown_deltas: int  # rows of deltas that came while the book was unknown


class FeatureEngine:
    """Turns one instrument's tape rows into its feature rows.

    The split of the tape into batches changes no bit. Not safe for use by two threads at once.
    """

    def __init__(
        self,
        config: FeatureConfig,
        *,
        full_depth: bool = False,
        with_books: bool = False,
        memory: Memory | None = None,
    ) -> None:
        """Args:
        full_depth: the venue sends its whole book or a fixed depth of it, so no price in it is unknown.
        memory: of engines of the same configuration: taken from here, and given back at the end.
        """
        self._config = config
        self._params = _packed_params(config, full_depth)
        self._memory: Memory = [] if memory is None else memory
        self._packed: Packed[State]
        try:
            self._packed = self._memory.pop()
        except IndexError:
            self._packed = Packed(make_state(config))
        else:
            clear_state(self._packed.value)
        self._integers, self._codes, self._values = array_rows(config)
        self._books = 4 * BOOK_LEVELS if with_books else 0
        self._spare: Rows | None = None  # room that the last batch gave no row for
        self._ended: Quality | None = None

    def process(self, batch: TapeBatch) -> FeatureRows | None:
        """Feature rows that these tape rows complete; None when there are none.

        Args:
            batch: the rows that follow those of the call before.
        """
        return concat_rows(list(self.parts(batch)))

    def parts(self, batch: TapeBatch) -> Iterator[FeatureRows]:
        """The same rows in parts of at most 6000, as they are completed: nothing is copied. Take all of them."""
        start = 0
        batch = _read_only(batch)
        run = tape_loop.run_packed if batch.rows > FEW_ROWS else tape_loop.run_packed_short
        while True:
            rows = self._room(batch, start)
            start, n, why = run(batch, start, self._packed.handle, self._params.handle, rows)
            self._spare = None if n else rows
            if n:
                yield FeatureRows._make(column[:, : n if column.size else 0] for column in rows)
            del rows  # so that the next part has the room of this one, if nobody keeps it
            if why == tape_loop.DONE:
                return
            if why == tape_loop.BOOK_FULL:
                self._packed = Packed(self._state._replace(book=level_blocks.grown(self._state.book)), self._packed)
            elif why == tape_loop.RING_FULL:
                rolling = rolling_sum.grown(self._state.rolling)
                self._packed = Packed(self._state._replace(rolling=rolling), self._packed)

    @property
    def _state(self) -> State:
        return self._packed.value

    @property
    def quality(self) -> Quality:
        """Data-quality counters."""
        if self._ended is not None:
            return self._ended
        clock = self._state.clock
        return Quality(*(int(clock[i]) for i in (CROSSED, ONE_SIDED, DROPPED_LEVELS, RESETS, HOLDS, UNKNOWN_DELTAS)))

    def end(self) -> None:
        """Give the memory of the state back: no more rows will come. `quality` stays."""
        self._ended = self.quality
        self._spare = None
        self._memory.append(self._packed)
        del self._packed

    def snapshot(self) -> bytes:
        """The whole state as bytes (`operators.state_codec`)."""
        return state_codec.dump(self._state, self._config)

    def snapshot_parts(self) -> list[StatePart]:
        """The same uncopied: the parts change with the next `process`."""
        return state_codec.parts(self._state, self._config)

    def resume(self, data: bytes) -> None:
        """Take up a `snapshot`.

        Raises:
            ValueError: it is of another version or another configuration.
        """
        self._packed = Packed(state_codec.load(data, self._state, self._config))

    def _room(self, batch: TapeBatch, start: int) -> Rows:
        """Arrays for about as many feature rows as the rest of the batch can give; they are handed on, not reused."""
        if self._config.sampling_ns == 0:
            most = int(np.count_nonzero(batch.last[start:]))
        elif start < batch.rows:
            first, last = int(batch.exchange_ts[start]), int(batch.exchange_ts[-1])
            begin = min(first, int(self._state.clock[NOW]) or first)
            most = (max(first, last) - begin) // self._config.sampling_ns + 2
        else:
            most = 0
        n = max(1, min(most, _MOST_ROWS))
        if self._spare is not None and self._spare.value.shape[1] >= n:
            return self._spare
        book_rows = np.empty((self._books, n if self._books else 0))
        integer, code = np.empty((self._integers, n), np.int64), np.empty((self._codes, n), np.int8)
        return Rows(integer, code, np.empty((self._values, n)), book_rows)


@lru_cache(maxsize=64)
def _packed_params(config: FeatureConfig, full_depth: bool) -> Packed[Params]:
    """What many instruments share: the weights alone are 20 kB, and take a millisecond to make."""
    return Packed(make_params(config, full_depth=full_depth))


def _read_only(batch: TapeBatch) -> TapeBatch:
    """The same rows in arrays that may not be written: Numba compiles anew for each mixture of the two kinds."""
    if not any(column.flags.writeable for column in batch):
        return batch
    columns = [column.view() for column in batch]
    for column in columns:
        column.flags.writeable = False
    return TapeBatch._make(columns)


def concat_rows(parts: list[FeatureRows]) -> FeatureRows | None:
    """Join consecutive feature rows."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    return FeatureRows._make(np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))


class FeatureLogic(StatefulBatchLogic[InstrumentBatch, FeatureRows, bytes]):
    """The keyed step: one instrument's tape batches in, its feature rows out."""

    def __init__(
        self,
        make_engine: Callable[[Instrument], FeatureEngine],
        resume: bytes | None,
        keeper: StateKeeper | None,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._make_engine = make_engine
        self._resume = resume
        self._keeper = keeper
        self._on_error = on_error
        self._key = ""  # Bytewax does not tell a new logic its key: the first batch does
        self._engine: FeatureEngine | None = None
        self._mark = Mark()

    def on_batch(self, values: list[InstrumentBatch]) -> tuple[Iterable[FeatureRows], bool]:
        """Process each batch in turn. After the last of a tape, `NO_MORE_ROWS` and the end of the state, unless it is
        kept for recovery."""
        try:
            rows = self._process(values)
            if values[-1].ended and self._keeper is None:
                assert self._engine is not None
                self._engine.end()
                return [*rows, NO_MORE_ROWS], StatefulBatchLogic.DISCARD
            return rows, StatefulBatchLogic.RETAIN
        except Exception as e:
            self._on_error(e)
            raise

    def _process(self, values: list[InstrumentBatch]) -> list[FeatureRows]:
        if self._engine is None:
            self._key = str(values[0].instrument)
            self._engine = self._make_engine(values[0].instrument)
            if self._resume is not None and self._keeper is not None:
                data, self._resume = self._keeper.load(self._key, self._resume), None
                self._mark = Mark.of(data)
                self._engine.resume(data[MARK_BYTES:])
        rows = [rows for value in values for rows in self._engine.parts(value.batch)]
        if self._keeper is not None:
            self._mark = self._mark.after(values[-1].batch, [part.integer for part in rows])
        return rows

    def on_eof(self) -> tuple[Iterable[FeatureRows], bool]:
        """Nothing more: a row that is not complete is never emitted."""
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> Any:
        """State for recovery; Bytewax asks for it at the end of every epoch, whether it is of use or not."""
        if self._keeper is None:
            return b""
        if self._engine is None:
            return self._resume or b""
        try:
            return self._keeper.keep(self._key, [self._mark.pack(), *self._engine.snapshot_parts()])
        except Exception as e:
            self._on_error(e)
            raise


def features(
    step_id: str,
    up: KeyedStream[InstrumentBatch],
    make_engine: Callable[[Instrument], FeatureEngine],
    *,
    keeper: StateKeeper | None = None,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> KeyedStream[FeatureRows]:
    """Compute features from tape batches keyed by instrument.

    Args:
        make_engine: called once for each instrument.
        keeper: of the states; None when nothing will ever be resumed, for copying those of 400 instruments takes 0.1 s.
        on_error: told of what stops the step, before Bytewax is.
    """
    return op.stateful_batch(step_id, up, lambda resume: FeatureLogic(make_engine, resume or None, keeper, on_error))
