"""Rows of a data set to Parquet, of a run that writes all of them or none."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from operators.row_batch import TS, RowBatch, RowSchema, concat_rows
from sinks.dataset import DatasetWriter, publish_together
from sinks.error_reporting import watched
from sinks.identity import Identity
from sinks.row_format import row_file, rows_to_arrow
from sources.instrument import Instrument
from sources.placement import BY_HASH, Placement

Item = tuple[str, RowBatch]


class ReplaySink(DynamicSink[Item]):
    """Writes what flows in, keyed by ``venue:SYMBOL``; nothing appears before `commit`.

    Bytewax closes a sink after a failure, too, just as at the end of its input. So `close` only finishes the files, and
    whoever runs the dataflow decides: `commit` if it returned, `abort` if it raised.
    """

    def __init__(
        self,
        root: Path,
        schema: RowSchema,
        name: str,
        compression: str = "snappy",
        replace: Sequence[Instrument] = (),
        on_error: Callable[[Exception], None] = lambda error: None,
        on_begin: Callable[[], None] = lambda: None,
        placement: Placement = BY_HASH,
        identity: Identity | None = None,
    ) -> None:
        """Args:
        name: begins every file's name.
        replace: instruments whose older files go when the new appear.
        on_error: called with the exception that stops the sink, before it propagates.
        on_begin: called once, before anything is made.
        placement: says which worker's rows are those of an instrument.
        identity: is written into the files.
        """
        self.root = root
        self._replace = replace
        self._schema = schema
        self._name = name
        self._on_error = on_error
        self._on_begin: Callable[[], None] | None = on_begin
        self._placement = placement
        self._file = row_file(schema, compression, identity)
        self._lock = threading.RLock()  # workers may be threads; a signal may interrupt one
        self._open: list[_RowsPartition] = []
        self._aborted = False
        self.rows_written = 0
        self.files: list[Path] = []

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[Item]:
        """The part of one worker."""
        with self.watched(), self._lock:
            if self._on_begin is not None:
                self._on_begin()
                self._on_begin = None
            if self._aborted:  # by another worker's thread, which has left no folder
                return _Nowhere()
            writer = DatasetWriter(self.root, self._file, f"{self._name}-{worker_index}", arrow=self._arrow)
            mine = [i for i in self._replace if self._placement.home(i, worker_count) == worker_index]
            partition = _RowsPartition(self, writer, mine)
            self._open.append(partition)
        return partition

    def _arrow(self, parts: Sequence[RowBatch]) -> list[pa.RecordBatch]:
        """One batch of many parts: 66 columns cost 140 µs, however few their rows."""
        rows = concat_rows(list(parts))
        return [] if rows is None else [rows_to_arrow(rows, self._schema, self._file.schema)]

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Tells of an exception on its way to Bytewax."""
        return watched(self._on_error)

    def commit(self) -> None:
        """Let the files of this process's workers appear.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        with self._lock:
            self.files += publish_together([(partition.writer, partition.replace) for partition in self._open])
            self.rows_written += sum(partition.rows for partition in self._open)
            self._open.clear()

    @property
    def rows_pending(self) -> int:
        """Rows that `commit` will let appear, or that have appeared."""
        with self._lock:
            return self.rows_written + sum(partition.rows for partition in self._open)

    def abort(self) -> None:
        """Leave no trace of what is not committed."""
        with self._lock:
            self._aborted = True
            for partition in self._open:
                partition.writer.abort()
            self._open.clear()


class _Nowhere(StatelessSinkPartition[Item]):
    """Of a worker that begins when the run has been aborted."""

    def write_batch(self, items: list[Item]) -> None:
        """Drop them."""


class _RowsPartition(StatelessSinkPartition[Item]):
    def __init__(self, sink: ReplaySink, writer: DatasetWriter, replace: Sequence[Instrument]) -> None:
        self._sink = sink
        self.replace = replace
        self.writer = writer
        self.rows = 0

    def write_batch(self, items: list[Item]) -> None:
        """Append rows; close the files of instruments of which no more will come."""
        with self._sink.watched():
            for key, rows in items:
                if rows.rows:
                    self.writer.write(Instrument.parse(key), rows.integer[TS], rows)
                    self.rows += rows.rows
                else:
                    self.writer.end_file(Instrument.parse(key))

    def close(self) -> None:
        """The input has ended, or something failed: the files are complete as far as this worker is concerned."""
        with self._sink.watched():
            self.writer.finish()
