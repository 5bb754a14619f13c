"""A Hive-partitioned Parquet data set that appears whole or not at all.

Rows are staged beside it, in files that no reader takes for data (``.<root>.staging-…/*.part``), and renamed into
place by ``commit``, or by ``publish`` once they are finished. Files are opened, filled and closed in one background
thread, a few row groups behind the caller at the most.
"""

import contextlib
import json
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sinks.disk import cannot_write, move, staging, sweep, sync
from sinks.identity import SPAN, Identity
from sinks.parquet import CHECKSUMS, seal
from sources.instrument import Instrument
from sources.tape.layout import NS_PER_DAY, data_files, date_text, instrument_dir

_IN_FLIGHT = 1  # row groups waiting for the background thread, beside the one it is at
_BUFFER = 1 << 16  # bytes of a file; Parquet writes every page on its own, however small


@dataclass(frozen=True)
class FileFormat:
    """How one kind of data set is laid out inside its files."""

    schema: pa.Schema
    dictionary: Sequence[str]  # columns stored through a dictionary
    encoding: dict[str, str] = field(default_factory=dict)  # of the others
    row_group_rows: int = 1 << 19
    file_bytes: int = 1 << 30  # in memory, before compression; then a new file begins
    compression: str = "snappy"
    identity: Identity | None = None  # written into every file's metadata


class _Part(NamedTuple):
    """Rows that wait: some of those of a batch that is yet to be made."""

    arrow: Callable[[], pa.RecordBatch]
    start: int
    rows: int


@dataclass
class _Open:
    """The file that one instrument's rows go to now, and the rows that wait for it."""

    instrument: Instrument
    day: int
    final: Path
    staged: Path
    writer: pq.ParquetWriter | None = None  # the background thread's
    sink: pa.NativeFile | None = None
    waiting: list[_Part] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    written: int = 0
    first_ts: int = 0
    last_ts: int = 0


class DatasetWriter:
    """Appends record batches to the partitions of their instruments and dates.

    One file per instrument is open at a time: a row whose date differs from the one before begins a new file, so rows
    keep their order within and, by file name, across files.
    """

    def __init__(
        self, root: Path, form: FileFormat, name: str, budget_bytes: int = 64 << 20, durable: bool = False
    ) -> None:
        """Args:
        name: begins every file's name; two writers that work side by side need different ones.
        budget_bytes: of rows that wait in memory, all instruments together.
        durable: whether files are on the disk before they appear, for whoever deletes what they were made from.

        The staging folder comes with the first row, so that whoever holds the writer can remove it by `abort`.
        """
        self.root = root
        self._form = form
        self._row_bits = sum(field.type.bit_width for field in form.schema)
        self._name = name
        self._budget = budget_bytes
        self._durable = durable
        self._open: dict[Instrument, _Open] = {}
        self._done: list[tuple[Path, Path]] = []
        self._begun = 0  # files
        self._files: dict[Instrument, int] = {}
        self._waiting_bytes = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parquet")
        self._flight: deque[Future[None]] = deque()
        self._lock = threading.RLock()  # `abort` may come from another thread
        self._aborted = False
        with self._one_line():
            root.mkdir(parents=True, exist_ok=True)
            sweep(root)
            self._staging = staging(root, f"{os.getpid()}-{name}")
            shutil.rmtree(self._staging, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: Any, *_: Any) -> None:
        try:
            if failure is None:
                self.commit()
        finally:
            self.abort()

    def write(self, instrument: Instrument, ts_ns: npt.NDArray[np.int64], arrow: Callable[[], pa.RecordBatch]) -> None:
        """Append rows. After `abort` they go nowhere.

        Args:
            ts_ns: shape ``(rows,)``, decides each row's date.
            arrow: makes the batch; called in the background thread, once a date.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        days = ts_ns // NS_PER_DAY
        cuts = np.flatnonzero(np.diff(days)) + 1
        with self._lock, self._one_line():
            if self._aborted:
                return
            for start, stop in zip([0, *cuts], [*cuts, len(days)], strict=True):
                if start < stop:
                    span = int(ts_ns[start:stop].min()), int(ts_ns[start:stop].max())
                    self._write_day(instrument, int(days[start]), _Part(arrow, int(start), int(stop - start)), span)

    def end_file(self, instrument: Instrument) -> None:
        """Further rows of the instrument, if there are any, go to a new file.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        with self._lock, self._one_line():
            if instrument in self._open:
                self._finish(instrument)

    def commit(self, replace: Sequence[Instrument] = ()) -> list[Path]:
        """Finish every file and let all of them appear: `finish` and `publish` in one."""
        self.finish()
        return self.publish(replace)

    def finish(self) -> None:
        """Write out all that waits and close every file, still unseen.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        with self._lock, self._one_line():
            if self._aborted:
                return
            for instrument in list(self._open):
                self._finish(instrument)
            self._drain(0)
            self._pool.shutdown()

    def publish(self, replace: Sequence[Instrument] = ()) -> list[Path]:
        """Let the finished files appear; returns their paths. Older data files of the instruments in ``replace`` go.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        with self._lock, self._one_line():
            if self._aborted:
                return []
            files = self._appear()
            for old in {old for instrument in replace for old in data_files(self.root, instrument)}.difference(files):
                old.unlink()
            shutil.rmtree(self._staging, ignore_errors=True)
            return files

    def abort(self) -> None:
        """Leave no trace of what is not committed; may come from any thread, and more than once."""
        with self._lock:
            self._aborted = True
            self._pool.shutdown(cancel_futures=True)
            for file in self._open.values():
                with contextlib.suppress(OSError, pa.ArrowException):  # the disk may be full
                    _close(file)
            self._open.clear()
            shutil.rmtree(self._staging, ignore_errors=True)

    def _appear(self) -> list[Path]:
        """Rename every finished file into place."""
        for _, final in self._done:  # whatever needs space comes first, so that a full disk shows nothing
            final.parent.mkdir(parents=True, exist_ok=True)
        for staged, final in self._done:
            move(staged, final)
        files = [final for _, final in self._done]
        if self._durable:
            for folder in sorted({folder for file in files for folder in file.relative_to(self.root).parents}):
                sync(self.root / folder)
        self._done.clear()
        return files

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise cannot_write(self.root, e) from e

    def _write_day(self, instrument: Instrument, day: int, part: _Part, span: tuple[int, int]) -> None:
        file = self._open.get(instrument)
        if file is not None and (file.day != day or file.written >= self._form.file_bytes):
            self._finish(instrument)
            file = None
        if file is None:
            file = self._open[instrument] = self._create(instrument, day)
            file.first_ts, file.last_ts = span
        file.first_ts, file.last_ts = min(file.first_ts, span[0]), max(file.last_ts, span[1])
        size = part.rows * self._row_bits // 8
        file.waiting.append(part)
        file.rows += part.rows
        file.bytes += size
        self._waiting_bytes += size
        if file.rows >= self._form.row_group_rows:
            self._flush(file)
        while self._waiting_bytes > self._budget:
            self._flush(max(self._open.values(), key=lambda f: f.bytes))

    def _create(self, instrument: Instrument, day: int) -> _Open:
        number = self._files[instrument] = self._files.get(instrument, -1) + 1
        date = date_text(day * NS_PER_DAY)
        final = instrument_dir(self.root, instrument) / f"date={date}" / f"{self._name}-{number:06d}.parquet"
        if not self._begun:
            self._staging.mkdir(parents=True, exist_ok=True)
        self._begun += 1
        return _Open(instrument, day, final, self._staging / f"{self._begun:06d}.part")

    def _flush(self, file: _Open, last: bool = False) -> None:
        """Hand what waits to the background thread; ``last``: nothing more will come."""
        parts = file.waiting
        self._waiting_bytes -= file.bytes
        file.written += file.bytes
        file.waiting, file.rows, file.bytes = [], 0, 0
        self._submit(lambda: self._append(file, parts, last))

    def _finish(self, instrument: Instrument) -> None:
        file = self._open.pop(instrument)
        self._flush(file, last=True)
        self._done.append((file.staged, file.final))

    def _append(self, file: _Open, parts: list[_Part], last: bool) -> None:
        form = self._form
        if file.writer is None:
            file.sink = pa.BufferedOutputStream(pa.OSFile(str(file.staged), "wb"), _BUFFER)
            file.writer = pq.ParquetWriter(
                file.sink,
                form.schema if form.identity is None else self._described(file.instrument),
                compression=form.compression,
                use_dictionary=list(form.dictionary),
                column_encoding=form.encoding or None,
                write_statistics=True,
                **CHECKSUMS,
            )
        if parts:
            table = pa.Table.from_batches([part.arrow().slice(part.start, part.rows) for part in parts])
            file.writer.write_table(table, row_group_size=form.row_group_rows)
        if last:
            if form.identity is not None:
                span = {"from": str(np.datetime64(file.first_ts, "ns")), "to": str(np.datetime64(file.last_ts, "ns"))}
                file.writer.add_key_value_metadata({SPAN: json.dumps(span)})
            _close(file)
            seal(file.staged)
            if self._durable:
                sync(file.staged)

    def _described(self, instrument: Instrument) -> pa.Schema:
        assert self._form.identity is not None
        schema = self._form.schema
        return schema.with_metadata({**(schema.metadata or {}), **self._form.identity.metadata(instrument)})

    def _submit(self, task: Any) -> None:
        self._drain(_IN_FLIGHT)
        self._flight.append(self._pool.submit(task))

    def _drain(self, leave: int) -> None:
        while len(self._flight) > leave:
            self._flight.popleft().result()


def _close(file: _Open) -> None:
    for each in (file.writer, file.sink):
        if each is not None:
            each.close()
