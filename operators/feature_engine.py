"""Features of one instrument: the thin owner of a `State`."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from operators import level_blocks, rolling_sum, state_codec, tape_loop
from operators.config import BOOK_LEVELS, FeatureConfig
from operators.features.feature import Rows
from operators.packed_arguments import Packed
from operators.row_batch import NO_VALIDITY, RowBatch, concat_rows
from operators.schema import array_rows
from operators.state import (
    CROSSED,
    CUT_LEVELS,
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
from sources.tape.batch import TapeBatch

# Feature rows that one call of the kernel has room for; no power of two, or the columns would share cache sets.
_MOST_ROWS = 6000
Memory = list[Packed[State]]  # of engines of one configuration that have ended
FEW_ROWS = 512  # tape rows that take well under a millisecond

StatePart = bytes | memoryview


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
        gil_rows: int = FEW_ROWS,
    ) -> None:
        """Args:
        full_depth: the venue sends its whole book or a fixed depth of it, so no price in it is unknown.
        gil_rows: batches of at most so many rows keep the GIL, by a kernel of their own; 0: it is not even loaded.
        memory: of engines of the same configuration: taken from here, and given back at the end.
        """
        self._config = config
        self._gil_rows = gil_rows
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

    def process(self, batch: TapeBatch, cut_levels: int = 0) -> RowBatch | None:
        """Feature rows that these tape rows complete; None when there are none.

        Args:
            batch: the rows that follow those of the call before.
            cut_levels: as of `InstrumentBatch`.
        """
        return concat_rows(list(self.parts(batch, cut_levels)))

    def parts(self, batch: TapeBatch, cut_levels: int = 0) -> Iterator[RowBatch]:
        """The same rows in parts of at most 6000, as they are completed: nothing is copied. Take all of them."""
        start = 0
        self._state.clock[CUT_LEVELS] = cut_levels
        batch = _read_only(batch)
        while True:
            rows = self._room(batch, start)
            start, n, why = self._run(batch, start, rows)
            self._spare = None if n else rows
            if n:
                yield RowBatch._make([*(column[:, : n if column.size else 0] for column in rows), NO_VALIDITY])
            del rows  # so that the next part has the room of this one, if nobody keeps it
            if why == tape_loop.DONE:
                return
            if why == tape_loop.BOOK_FULL:
                self._packed = Packed(self._state._replace(book=level_blocks.grown(self._state.book)), self._packed)
            elif why == tape_loop.RING_FULL:
                rolling = rolling_sum.grown(self._state.rolling)
                self._packed = Packed(self._state._replace(rolling=rolling), self._packed)

    def _run(self, batch: TapeBatch, start: int, rows: Rows) -> tuple[int, int, int]:
        run = tape_loop.run_packed if batch.rows > self._gil_rows else tape_loop.run_packed_short
        return run(batch, start, self._packed.handle, self._params.handle, rows)

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
