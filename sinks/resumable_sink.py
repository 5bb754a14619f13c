"""Rows of a run that can be resumed: each is written once, however often the run was killed.

Rows go to journals, one a partition, and the recovery state says up to where they count. Going on, a partition cuts off
what is beyond. At the end of the run all of it becomes Parquet at once; a partition is marked as done before its
journal goes, so that a run that is killed in between and started once more has nothing left to do.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.row_batch import RowSchema
from sinks.compaction import stage
from sinks.counted import FOLDER, CountedRows, counted, read_counted
from sinks.dataset import DatasetWriter
from sinks.disk import cannot_write, sync
from sinks.error_reporting import watched
from sinks.identity import Identity
from sinks.journal import JournalWriter
from sinks.replay_sink import Item
from sinks.row_format import row_form
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.placement import shard, shard_names
from sources.tape.journal_format import Journal
from sources.tape.layout import beside, data_files

_AHEAD = 32 << 20  # bytes in all journals that the disk is given before the epoch ends
_SYNCS = 8  # files at a time: the file system writes its own journal once for all of them


class ResumableSink(FixedPartitionedSink[Item, bytes]):
    """Writes what flows in, as pairs of ``venue:SYMBOL`` and the same pair again; nothing appears before `commit`."""

    def __init__(
        self,
        root: Path,
        schema: RowSchema,
        name: str,
        compression: str = "snappy",
        chosen: Sequence[Instrument] = (),
        overwrite: bool = False,
        on_error: Callable[[Exception], None] = lambda error: None,
        identity: Identity | None = None,
        replacing: str = "features.overwrite",
    ) -> None:
        """Args:
        name: begins every file's name, and is the same when the run is resumed.
        chosen: instruments that rows may come of; ``overwrite``: their older files go when the new appear.
        on_error: called with the exception that stops the sink, before it propagates.
        identity: is written into the files.
        replacing: the setting of ``overwrite``, for what is said.
        """
        self.root = root
        self.replacing = replacing
        self.form = row_form(schema, compression, identity)
        self.name = name
        self.chosen = chosen
        self.overwrite = overwrite
        self._on_error = on_error
        self._lock = threading.RLock()  # workers may be threads; a signal may interrupt one
        self._open: list[_Partition] = []
        self._disk = ThreadPoolExecutor(_SYNCS, thread_name_prefix="sync")
        self._ahead = 0
        self.rows_written = 0
        self.files: list[Path] = []

    def list_parts(self) -> list[str]:
        """All of them: any worker can write any file."""
        return shard_names()

    def part_fn(self, item_key: str) -> int:
        """The shard."""
        return shard(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_Partition":
        """One partition.

        Raises:
            TickwaxError: the journal that the state speaks of is not there, or there are files already that a new run
                must not add to.
        """
        with self.watched():
            state = read_counted(resume_state) if resume_state else None
            mine = [instrument for instrument in self.chosen if shard(str(instrument)) == int(for_part)]
            partition = _Partition(self, for_part, mine, state)
        with self._lock:
            self._open.append(partition)
        return partition

    def wrote(self, count: int) -> None:
        """So many bytes went to a partition's journal; now and then the disk gets what is there."""
        self._ahead += count  # if threads lose count, it is later
        if self._ahead > _AHEAD:
            self.begin_sync()

    def begin_sync(self) -> None:
        """Have what is in the journals written to the disk, all of them side by side."""
        self._ahead = 0
        with self._lock:
            for partition in self._open:
                partition.begin_sync(self._disk)

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Tells of an exception on its way to Bytewax."""
        return watched(self._on_error, lambda error: cannot_write(self.root, error))

    def commit(self) -> None:
        """Let the rows of this process's partitions appear.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        try:
            with self._lock:
                for partition in self._open:
                    self.files += partition.publish()
                    self.rows_written += partition.rows
                self._open.clear()
        except OSError as e:
            raise cannot_write(self.root, e) from e

    @property
    def rows_pending(self) -> int:
        """Rows that `commit` will let appear, or that have appeared."""
        with self._lock:
            return self.rows_written + sum(partition.rows for partition in self._open)

    def abort(self) -> None:
        """Go no further; what is in the journals is for the next start."""
        with self._lock:
            for partition in self._open:
                partition.abort()
            self._open.clear()


class _Partition(StatefulSinkPartition[Item, bytes]):
    def __init__(self, sink: ResumableSink, part: str, mine: Sequence[Instrument], state: CountedRows | None) -> None:
        self._sink = sink
        self._mine = mine
        self._name = f"{sink.name}-{part}"
        folder = beside(sink.root, FOLDER)
        self._path = folder / f"{part}.journal"
        self._mark = folder / f"{part}.done"
        self._writer: JournalWriter | None = None
        self._syncing: Future[None] | None = None
        self._files: DatasetWriter | None = None
        self._begun = 0 if state is None else state.position
        self._before = 0 if state is None else state.rows
        self._done = False
        if state is None or not state.position:
            self._check_new()
        elif self._mark.exists():
            if self._mark.read_text(errors="replace") != str(state.position):
                raise TickwaxError(
                    f"{self._mark}: is damaged, or the data set was completed beyond what the recovery directory "
                    f"knows; start anew with an empty one and {sink.replacing}=true"
                )
            self._done = True
            self._path.unlink(missing_ok=True)
        else:
            journal = counted(self._path, state)
            if journal.fields != sink.form.fields:
                raise TickwaxError(
                    f"{self._path}: has rows of another form; start anew with an empty recovery directory"
                )
            self._writer = JournalWriter(self._path, sink.form.description, state.position, journal.keys)

    @property
    def rows(self) -> int:
        """Rows of all runs together."""
        return self._before + (self._writer.rows if self._writer else 0)

    def write_batch(self, values: list[Item]) -> None:
        """Append rows."""
        with self._sink.watched():
            if self._done:
                raise TickwaxError(f"{self._sink.root}: is complete, and more rows come: the tape has grown since")
            if self._writer is None:
                self._writer = JournalWriter(self._path, self._sink.form.description)
            before = self._writer.position
            self._writer.append((key, self._sink.form.arrays(rows)) for key, rows in values)
            self._sink.wrote(self._writer.position - before)

    def begin_sync(self, disk: ThreadPoolExecutor) -> None:
        """Have it written to the disk, by another thread."""
        if self._writer is not None and self._writer.synced < self._writer.position:
            if self._syncing is not None:
                if not self._syncing.done():
                    return
                self._syncing.result()
            self._syncing = disk.submit(self._writer.sync)

    def snapshot(self) -> bytes:
        """What was written is on the disk; up to here it counts."""
        with self._sink.watched():
            self._sync()
        return msgspec.json.encode(CountedRows(self._position, self.rows))

    def close(self) -> None:
        """The input has ended, or something failed: the files are written, still unseen."""
        if self._done or self._files is not None:
            return
        with self._sink.watched():
            self._files = DatasetWriter(self._sink.root, self._sink.form.file, self._name, durable=True)
            if self._writer is not None:
                self._sync()
                staged = stage(self._files, Journal(self._path, self._position), self._sink.form)
                if staged != self.rows:
                    raise TickwaxError(
                        f"{self._path}: {staged:,} rows can be read of the {self.rows:,} that the recovery directory "
                        "counts: it is damaged; start anew with an empty recovery directory and "
                        f"{self._sink.replacing}=true"
                    )
            self._files.finish()

    def _sync(self) -> None:
        if self._writer is not None and self._writer.synced < self._writer.position:
            self._sink.begin_sync()  # of the other partitions, too: their turn comes next
            if self._syncing is not None:
                self._syncing.result()
            self._writer.sync()  # if that one began before the last rows

    def abort(self) -> None:
        """Leave the journal alone."""
        if self._files is not None:
            self._files.abort()
        if self._writer is not None:
            self._writer.close()

    def publish(self) -> list[Path]:
        """Let the files appear, and forget the journal."""
        if self._files is None:  # they did in an earlier run
            return [f for i in self._mine for f in data_files(self._sink.root, i) if f.name.startswith(self._name)]
        files = self._files.publish(self._mine if self._sink.overwrite else ())
        if self._writer is not None:
            draft = self._mark.with_suffix(".part")
            draft.write_text(str(self._position))
            sync(draft)
            os.replace(draft, self._mark)
            sync(self._mark.parent)
            self._writer.remove()
        return files

    @property
    def _position(self) -> int:
        return self._writer.position if self._writer else self._begun

    def _check_new(self) -> None:
        """The partition begins; what an earlier run left in journals counts no more."""
        if not self._sink.overwrite:
            for instrument in self._mine:
                if data_files(self._sink.root, instrument):
                    raise already_there(self._sink.root, instrument, self._sink.replacing)
        for path in (self._path, self._mark):
            path.unlink(missing_ok=True)


def begun(root: Path) -> bool:
    """Whether a resumable run has written to the data set, or was about to."""
    return root.is_dir() and any(beside(root, FOLDER).glob("*"))


def already_there(root: Path, instrument: Instrument, key: str = "features.overwrite") -> TickwaxError:
    """The line that says so; ``key``: of the setting that replaces them."""
    return TickwaxError(f"{root}: holds rows of {instrument} already; name another folder, or set {key}=true")
