"""The features of a data set as a Bytewax source, beside the tape that they were computed from."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
from bytewax.inputs import DynamicSource, StatelessSourcePartition

from operators.label_step import FeatureRows
from operators.restarts import Restarts
from operators.row_batch import RowBatch, RowSchema
from sinks.identity import difference, settings_in
from sinks.row_format import rows_from_arrow
from sources.errors import TickwaxError
from sources.importers.files import read_ahead
from sources.instrument import Instrument
from sources.parquet import CheckedFile
from sources.placement import Placement
from sources.tape.batch import Int64s, TapeBatch
from sources.tape.reader import TapeReader

Item = tuple[str, FeatureRows]

_ROWS = 1 << 14  # of a batch: 9 MB of 66 columns, and a few are read ahead
_RECEIVE_TS, _ORDINAL = 1, 2  # rows of ``integer``


class FeatureFiles:
    """The feature rows of one instrument, in the order of the tape."""

    def __init__(self, instrument: Instrument, files: Sequence[Path], schema: RowSchema) -> None:
        """Read the footers.

        Args:
            schema: of the columns to read.

        Raises:
            TickwaxError: a file cannot be read, lacks a column, or was written with other settings than the first.
        """
        self.instrument = instrument
        self._schema = schema
        self._names = [column.name for column in schema.columns]
        self.settings = settings_in(files[0])
        self.rows = 0
        found: list[tuple[int, Path]] = []
        for path in files:
            there = settings_in(path)
            if self.settings is None or there is None:
                raise TickwaxError(f"features.path: {path} does not tell its settings; compute the features anew")
            if other := difference(self.settings, there, frozenset()):
                raise TickwaxError(f"features.path: {path}: {other.setting} is {other.here}, elsewhere {other.there}")
            with CheckedFile(path) as file:
                if lost := next((name for name in self._names if name not in file.schema.names), None):
                    raise TickwaxError(f"features.path: {path} has no column {lost!r}")
                if file.metadata.num_rows:
                    found.append((file.group(0, ["ordinal"])["ordinal"][0].as_py(), path))
                    self.rows += file.metadata.num_rows
        # By ordinal: after a reset `ts` may step back to an earlier date's folder.
        self._files = [path for _, path in sorted(found)]

    def batches(self) -> Generator[RowBatch, None, None]:
        """The rows, a bounded number at a time.

        Raises:
            TickwaxError: a file is damaged, or its rows are not in order.
        """
        last, names = -1, self._names
        for path in self._files:
            with CheckedFile(path) as file:
                # One group after the other: Arrow keeps what it has read of all that it was asked for.
                for batch in (b for g in range(file.metadata.num_row_groups) for b in file.batches(_ROWS, [g], names)):
                    rows = self._rows(path, batch)
                    ordinals = rows.integer[_ORDINAL]
                    if rows.rows and (np.diff(ordinals, prepend=last) < 0).any():
                        raise TickwaxError(f"features.path: {path}: rows are there twice, or not in order")
                    last = int(ordinals[-1]) if rows.rows else last
                    yield rows

    def _rows(self, path: Path, batch: pa.RecordBatch) -> RowBatch:
        try:
            return rows_from_arrow(batch, self._schema)
        except ValueError as e:
            raise TickwaxError(f"features.path: {path}: {e}") from None


class FeatureSource(DynamicSource[Item]):
    """Hands out the features of many instruments, one after the other, with the restarts on their tapes."""

    def __init__(
        self,
        features: Sequence[FeatureFiles],
        tapes: Sequence[TapeReader],
        max_hold_ns: int,
        placement: Placement,
        on_rows: Callable[[TapeBatch], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Args:
        tapes: of the same instruments, in the same order.
        placement: which worker reads, and labels, an instrument.
        on_rows: told of each tape batch that is read; workers may be threads.
        on_error: called with the exception that stops the source, before it propagates.
        """
        self._pairs = list(zip(features, tapes, strict=True))
        self._max_hold = max_hold_ns
        self._placement = placement
        self._on_rows = on_rows
        self._on_error = on_error

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_FeaturePartition":
        """The part of one worker."""
        place = self._placement
        mine = [pair for pair in self._pairs if place.home(pair[0].instrument, worker_count) == worker_index]
        parts = (
            (place.route(files.instrument, worker_count), part)
            for files, tape in mine
            for part in beside_tape(files, tape, self._max_hold, self._on_rows)
        )
        return _FeaturePartition(parts, self._on_error)


class _FeaturePartition(StatelessSourcePartition[Item]):
    def __init__(self, parts: Iterator[Item], on_error: Callable[[Exception], None]) -> None:
        self._parts = parts
        self._on_error = on_error

    def next_batch(self) -> list[Item]:
        """The next rows."""
        try:
            item = next(self._parts, None)
        except Exception as e:
            self._on_error(e)
            raise
        if item is None:
            raise StopIteration
        return [item]


def beside_tape(
    files: FeatureFiles, tape: TapeReader, max_hold_ns: int, on_rows: Callable[[TapeBatch], None]
) -> Iterator[FeatureRows]:
    """The rows of an instrument, and the restarts up to each batch; the last one is empty and says so.

    Raises:
        TickwaxError: the tape is not the one that the features were computed from.
    """
    with closing(read_ahead(files.batches())) as parts, closing(read_ahead(_restarts(tape, max_hold_ns))) as batches:
        current: TapeBatch | None = None
        ahead = np.empty(0, np.int64)  # restarts after the rows so far
        last: RowBatch | None = None
        for rows in parts:
            ordinals, receive_ts = rows.integer[_ORDINAL], rows.integer[_RECEIVE_TS]
            checked = 0
            while checked < rows.rows:
                if current is None or current.ordinal[-1] < ordinals[checked]:
                    current, found = next(batches, (None, ahead))
                    if current is None:
                        raise TickwaxError(
                            f"tape.path: the tape of {files.instrument} ends before ordinal {ordinals[checked]}, which "
                            "its features know: they are of another tape"
                        )
                    on_rows(current)
                    ahead = np.append(ahead, found)
                    continue
                until = int(np.searchsorted(ordinals, current.ordinal[-1], "right"))
                _check_same(files.instrument, current, ordinals[checked:until], receive_ts[checked:until])
                checked = until
            here = int(np.searchsorted(ahead, ordinals[-1], "right")) if rows.rows else 0
            yield FeatureRows(files.instrument, rows, ahead[:here])
            ahead = ahead[here:]
            last = rows
    if last is not None:
        yield FeatureRows(files.instrument, last.slice(last.rows), np.empty(0, np.int64), ended=True)


def _restarts(tape: TapeReader, max_hold_ns: int) -> Generator[tuple[TapeBatch, Int64s], None, None]:
    """The tape, as far as it tells of times, and the restarts of each batch."""
    restarts = Restarts(max_hold_ns)
    for batch in tape.times(kinds=True):
        yield batch, restarts.find(batch)


def _check_same(instrument: Instrument, tape: TapeBatch, ordinals: Int64s, receive_ts: Int64s) -> None:
    """Compare feature rows with the tape rows that they name as their newest."""
    first = tape.ordinal[0]
    whole = tape.ordinal[-1] - first == tape.rows - 1  # else a hole is in it
    at = np.clip(ordinals - first if whole else np.searchsorted(tape.ordinal, ordinals), 0, tape.rows - 1)
    wrong = (tape.ordinal[at] != ordinals) | (tape.receive_ts[at] != receive_ts)
    if wrong.any():
        raise TickwaxError(
            f"tape.path: the tape of {instrument} has another row at ordinal {ordinals[wrong.argmax()]} than its "
            "features know: they are of another tape"
        )
