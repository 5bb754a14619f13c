"""Feature rows to a Parquet data set: the features, or the books beside them (docs/features.md, 3 and 4.9)."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from operators.dictionary import describe
from operators.feature_rows import FeatureRows, concat_rows
from operators.fractal import REGIMES
from operators.schema import TS, Column
from sinks.data_file import FileFormat
from sinks.dataset import DatasetWriter
from sinks.error_reporting import watched
from sinks.format import Array, Form
from sinks.identity import Identity
from sources.balance import BY_HASH, Placement
from sources.instrument import Instrument
from sources.tape.arrow import arrow_words, to_arrow_array
from sources.tape.journal_format import Field
from sources.tape.schema import TIMESTAMP

Item = tuple[str, FeatureRows]

_TYPES: dict[str, pa.DataType] = {
    "timestamp": TIMESTAMP,
    "int64": pa.int64(),
    "float64": pa.float64(),
    "uint8": pa.uint8(),
    "regime": pa.dictionary(pa.int8(), pa.string()),
}
_REGIME_WORDS = arrow_words(REGIMES)
_COUNTS = {"integer": 4, "code": 2}  # array rows of those of which a data set may read a part
_NOTHING: Array = np.empty((0, 0))


def rows_schema(columns: Sequence[Column]) -> pa.Schema:
    """The data set's Arrow schema. Only a regime can be null: what is not known yet of a number is NaN."""
    return pa.schema(
        [
            pa.field(c.name, _TYPES[c.type], nullable=c.type == "regime", metadata=describe(c.name)._asdict())
            for c in columns
        ]
    )


def rows_format(columns: Sequence[Column], compression: str = "snappy", identity: Identity | None = None) -> FileFormat:
    """How the data set is laid out inside its files."""
    return FileFormat(
        schema=rows_schema(columns),
        dictionary=[c.name for c in columns if c.type in ("regime", "uint8")],
        row_group_rows=1 << 15,  # 18 MB in memory; the last one, which nothing overlaps, is that small, too
        compression=compression,
        identity=identity,
    )


def rows_to_arrow(rows: FeatureRows, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
    """One batch of feature rows as Arrow; numbers are not copied."""
    arrays: list[pa.Array] = []
    for column in columns:
        values: Any = getattr(rows, column.array)[column.row]
        if column.type == "regime":
            codes = to_arrow_array(values, pa.int8(), valid=values >= 0)
            arrays.append(pa.DictionaryArray.from_arrays(codes, _REGIME_WORDS))
        else:
            arrays.append(to_arrow_array(values, _TYPES[column.type]))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def rows_form(
    columns: Sequence[Column], compression: str = "snappy", identity: Identity | None = None
) -> Form[FeatureRows]:
    """How feature rows are kept in a journal and in files: of the arrays only those that the data set reads."""
    file = rows_format(columns, compression, identity)
    fields = tuple(
        Field(name, dtype, max(count, default=0))
        for name, dtype in (("integer", "<i8"), ("value", "<f8"), ("book", "<f8"), ("code", "|i1"))
        if (count := [_COUNTS.get(name, c.row + 1) for c in columns if c.array == name])
    )

    def arrow(arrays: dict[str, Array]) -> pa.RecordBatch:
        rows = FeatureRows(*(arrays.get(name, _NOTHING) for name in FeatureRows._fields))
        return rows_to_arrow(rows, columns, file.schema)

    return Form(
        data_set="rows",
        columns=[(c.name, c.type, c.array, c.row, c.section) for c in columns],
        fields=fields,
        file=file,
        arrays=lambda rows: [getattr(rows, field.name) for field in fields],
        ts=lambda arrays: arrays["integer"][TS],
        arrow=arrow,
    )


class ReplaySink(DynamicSink[Item]):
    """Writes what flows in, keyed by ``venue:SYMBOL``; nothing appears before `commit`.

    Bytewax closes a sink after a failure, too, just as at the end of its input. So `close` only finishes the files, and
    whoever runs the dataflow decides: `commit` if it returned, `abort` if it raised.
    """

    def __init__(
        self,
        root: Path,
        columns: Sequence[Column],
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
        self._columns = columns
        self._name = name
        self._on_error = on_error
        self._on_begin: Callable[[], None] | None = on_begin
        self._placement = placement
        self._form = rows_format(columns, compression, identity)
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
            writer = DatasetWriter(self.root, self._form, f"{self._name}-{worker_index}", arrow=self._arrow)
            mine = [i for i in self._replace if self._placement.home(i, worker_count) == worker_index]
            partition = _RowsPartition(self, writer, mine)
            self._open.append(partition)
        return partition

    def _arrow(self, parts: Sequence[FeatureRows]) -> list[pa.RecordBatch]:
        """One batch of many parts: 66 columns cost 140 µs, however few their rows."""
        rows = concat_rows(list(parts))
        return [] if rows is None else [rows_to_arrow(rows, self._columns, self._form.schema)]

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Tells of an exception on its way to Bytewax."""
        return watched(self._on_error)

    def commit(self) -> None:
        """Let the files of this process's workers appear.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        with self._lock:
            for partition in self._open:
                self.files += partition.writer.publish(partition.replace)
                self.rows_written += partition.rows
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
