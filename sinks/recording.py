"""What a live run writes: small batches of many instruments, collected into large ones, and shown every so often."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from sinks.dataset import DatasetWriter, FileFormat
from sources.instrument import Instrument

T = TypeVar("T")

_ROWS_AT_ONCE = 2048  # of an instrument, turned into Arrow together: per batch it costs more than the rows do


@dataclass(frozen=True)
class Rows(Generic[T]):
    """How batches of one kind become rows of a data set."""

    form: FileFormat
    count: Callable[[T], int]
    join: Callable[[list[T]], T]
    ts: Callable[[T], npt.NDArray[np.int64]]  # decides the date, ns
    arrow: Callable[[T], pa.RecordBatch]


class RecordingSink(DynamicSink[tuple[str, T]]):
    """Writes what flows in, keyed by ``venue:SYMBOL``, into files that appear every ``interval`` and at the end.

    What has reached the sink is shown even when the run ends by an error: rows are complete in themselves.
    """

    def __init__(
        self,
        root: Path,
        rows: Rows[T],
        name: str,
        interval: float,
        clock: Callable[[], float],
        on_rows: Callable[[T], None] = lambda batch: None,
        on_error: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Args:
        name: begins every file's name; no two runs may share one.
        interval: seconds of ``clock`` from one appearance of files to the next.
        on_rows: told of each batch when it is handed to the sink.
        on_error: told of what stops the sink, before Bytewax is.
        """
        self.root = root
        self.rows = rows
        self.name = name
        self.interval = interval
        self.clock = clock
        self.on_rows = on_rows
        self.on_error = on_error
        self.rows_written = 0  # rows, and the files that have appeared
        self.files: list[Path] = []
        self._lock = threading.Lock()  # workers may be threads

    def appeared(self, rows: int, files: list[Path]) -> None:
        """A worker's files have appeared."""
        with self._lock:
            self.rows_written += rows
            self.files += files

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_RecordingPartition[T]":
        """The part of one worker."""
        try:
            writer = DatasetWriter(self.root, self.rows.form, f"{self.name}-{worker_index}")
        except Exception as e:
            self.on_error(e)
            raise
        return _RecordingPartition(self, writer)


class _RecordingPartition(StatelessSinkPartition[tuple[str, T]]):
    def __init__(self, sink: RecordingSink[T], writer: DatasetWriter) -> None:
        self._sink = sink
        self._writer = writer
        self._waiting: dict[str, list[T]] = {}
        self._counts: dict[str, int] = {}
        self._unseen = 0
        self._shown = sink.clock()

    def write_batch(self, items: list[tuple[str, T]]) -> None:
        """Collect rows; those of an instrument are written once there are enough."""
        sink = self._sink
        try:
            for key, batch in items:
                sink.on_rows(batch)
                self._waiting.setdefault(key, []).append(batch)
                rows = sink.rows.count(batch)
                self._unseen += rows
                count = self._counts[key] = self._counts.get(key, 0) + rows
                if count >= _ROWS_AT_ONCE:
                    self._write(key)
            if sink.clock() - self._shown >= sink.interval:
                self._show()
        except Exception as e:
            sink.on_error(e)
            raise

    def close(self) -> None:
        """Everything that came appears."""
        try:
            self._show()
        except Exception as e:
            self._sink.on_error(e)
            raise
        self._writer.commit()

    def _write(self, key: str) -> None:
        rows = self._sink.rows
        joined: Any = rows.join(self._waiting.pop(key))
        self._counts[key] = 0
        self._writer.write(Instrument.parse(key), rows.ts(joined), rows.arrow(joined))

    def _show(self) -> None:
        for key in list(self._waiting):
            self._write(key)
        self._sink.appeared(self._unseen, self._writer.roll())
        self._unseen = 0
        self._shown = self._sink.clock()
