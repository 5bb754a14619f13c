"""What a live run writes: small batches of many instruments, journaled at once and turned into files later."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from sinks.compaction import Compacted, Damage
from sinks.error_reporting import watched
from sinks.format import Form
from sinks.write_ahead_log import Rotation, WriteAheadLog

T = TypeVar("T")


class LiveSink(DynamicSink[tuple[str, T]]):
    """Writes what flows in, keyed by ``venue:SYMBOL``. What `write_batch` was given survives the process."""

    def __init__(
        self,
        root: Path,
        form: Form[T],
        name: str,
        rotation: Rotation,
        clock: Callable[[], float],
        on_rows: Callable[[T], None] = lambda batch: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        patience: Callable[[], float | None] = lambda: None,
        on_damage: Callable[[Damage, str], None] = lambda damage, line: None,
        on_store: Callable[[Exception | None, bool], None] = lambda error, first: None,
    ) -> None:
        """Args:
        name: begins every file's name; no two runs may share one.
        clock: the time in seconds, from any beginning.
        on_rows: told of each batch when it is handed to the sink.
        on_error: called with the exception that stops the sink, before it propagates.
        patience: at the end, how many seconds may be spent on files; None: as many as it takes.
        on_damage: told of a journal that was damaged before it became files, with a line; from another thread.
        on_store: as of `WriteAheadLog`.
        """
        self.root = root
        self.form = form
        self.name = name
        self.rotation = rotation
        self.clock = clock
        self.on_rows = on_rows
        self.on_error = on_error
        self.patience = patience
        self.on_damage = on_damage
        self.on_store = on_store
        self.rows_written = 0  # rows, and the files that have appeared
        self.files: list[Path] = []
        self.all_appeared = True
        self._logs: list[WriteAheadLog] = []
        self._lock = threading.Lock()  # workers may be threads

    def appeared(self, done: Compacted) -> None:
        """A worker's files have appeared."""
        with self._lock:
            self.rows_written += done.rows
            self.files += done.files
        if done.line:
            self.on_damage(done.damage, done.line)

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_LivePartition[T]":
        """The part of one worker."""
        name = f"{self.name}-{worker_index}"
        with watched(self.on_error):
            log = WriteAheadLog(self.root, self.form, name, self.rotation, self.clock, self.appeared, self.on_store)
        self._logs.append(log)
        return _LivePartition(self, log)

    def unsynced(self) -> float:
        """For how many seconds the oldest row has waited for the disk; may be asked from any thread."""
        return max((log.unsynced() for log in list(self._logs)), default=0.0)


class _LivePartition(StatelessSinkPartition[tuple[str, T]], Generic[T]):
    def __init__(self, sink: LiveSink[T], log: WriteAheadLog) -> None:
        self._sink = sink
        self._log = log

    def write_batch(self, items: list[tuple[str, T]]) -> None:
        """Append rows."""
        sink = self._sink
        with watched(sink.on_error):
            for _, batch in items:
                sink.on_rows(batch)
            self._log.append((key, sink.form.arrays(batch)) for key, batch in items)

    def close(self) -> None:
        """Everything that came appears, if there is time."""
        with watched(self._sink.on_error):
            if not self._log.close(self._sink.patience()):
                self._sink.all_appeared = False
