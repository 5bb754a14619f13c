"""A Hive-partitioned Parquet data set that appears whole or not at all.

Rows are staged beside it, in files that no reader takes for data (``.<root>.staging-…/*.part``), and renamed into
place by ``commit``, or by ``publish`` once they are finished. Files are opened, filled and closed in one background
thread, a few row groups behind the caller at the most.
"""

import contextlib
import os
import secrets
import shutil
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sinks.data_file import Arrow, DataFile, FileFormat, Part, made_by_each
from sinks.disk import cannot_write, move, staging, sweep, sync
from sinks.store_commit import together
from sources.instrument import Instrument
from sources.store.path import StorePath
from sources.tape.layout import NS_PER_DAY, data_files, date_text, instrument_dir, workplace

_IN_FLIGHT = 1  # row groups waiting for the background thread, beside the one it is at


class DatasetWriter:
    """Appends record batches to the partitions of their instruments and dates.

    One file per instrument is open at a time: a row whose date differs from the one before begins a new file, so rows
    keep their order within and, by file name, across files.
    """

    def __init__(
        self,
        root: Path,
        form: FileFormat,
        name: str,
        budget_bytes: int = 64 << 20,
        durable: bool = False,
        arrow: Arrow = made_by_each,
    ) -> None:
        """Args:
        name: begins every file's name; two writers that work side by side need different ones.
        budget_bytes: of rows that wait in memory, all instruments together.
        durable: whether files are on the disk before they appear, for whoever deletes what they were made from.
        arrow: makes batches of what `write` was given; called in the background thread, with all that waits for a row
            group.

        The staging folder comes with the first row, so that whoever holds the writer can remove it by `abort`.
        """
        self.root = root
        self._form = form
        self._row_bits = sum(field.type.bit_width for field in form.schema)
        # Of a run in a store, so that its files replace none and can be taken away; a journal's are put again.
        own = isinstance(root, StorePath) and not durable
        self.name = f"{name}-{secrets.token_hex(4)}" if own else name
        self._budget = budget_bytes
        self.durable = durable
        self._arrow = arrow
        self._open: dict[Instrument, DataFile] = {}
        self._done: list[tuple[Path, Path]] = []
        self._begun = 0  # files
        self._files: dict[Instrument, int] = {}
        self._waiting_bytes = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parquet")
        self._flight: deque[Future[None]] = deque()
        self._lock = threading.RLock()  # `abort` may come from another thread
        self.aborted = False
        with self._one_line():
            workplace(root).mkdir(parents=True, exist_ok=True)
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

    def write(self, instrument: Instrument, ts_ns: npt.NDArray[np.int64], item: Any) -> None:
        """Append rows. After `abort` they go nowhere.

        Args:
            ts_ns: shape ``(rows,)``, decides each row's date.
            item: the rows, in a form that the writer's ``arrow`` takes.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        days = ts_ns // NS_PER_DAY
        cuts = np.flatnonzero(np.diff(days)) + 1
        with self._lock, self._one_line():
            if self.aborted:
                return
            for start, stop in zip([0, *cuts], [*cuts, len(days)], strict=True):
                if start < stop:
                    span = int(ts_ns[start:stop].min()), int(ts_ns[start:stop].max())
                    part = Part(item, int(start), int(stop - start), stop - start == len(days))
                    self._write_day(instrument, int(days[start]), part, span)

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
            if self.aborted:
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
        return publish_together([(self, replace)])

    @contextlib.contextmanager
    def publishing(self) -> Iterator[list[Path]]:
        """What would appear now, in the order of the files' ends; nobody else aborts meanwhile."""
        with self._lock, self._one_line():
            yield [] if self.aborted else [final for _, final in self._done]

    def appear(self) -> None:
        """Rename every finished file into place; for within `publishing`.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        for _, final in self._done:  # whatever needs space comes first, so that a full disk shows nothing
            final.parent.mkdir(parents=True, exist_ok=True)
        for staged, final in self._done:
            move(staged, final)
        files = [final for _, final in self._done]
        if self.durable:
            for folder in sorted({folder for file in files for folder in file.relative_to(self.root).parents}):
                sync(self.root / folder)
        self._done.clear()
        shutil.rmtree(self._staging, ignore_errors=True)

    def abort(self) -> None:
        """Leave no trace of what is not committed; may come from any thread, and more than once."""
        with self._lock:
            self.aborted = True
            self._pool.shutdown(cancel_futures=True)
            for file in self._open.values():
                with contextlib.suppress(OSError, pa.ArrowException):  # the disk may be full
                    file.close()
            self._open.clear()
            shutil.rmtree(self._staging, ignore_errors=True)

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise cannot_write(self.root, e) from e

    def _write_day(self, instrument: Instrument, day: int, part: Part, span: tuple[int, int]) -> None:
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

    def _create(self, instrument: Instrument, day: int) -> DataFile:
        number = self._files[instrument] = self._files.get(instrument, -1) + 1
        date = date_text(day * NS_PER_DAY)
        final = instrument_dir(self.root, instrument) / f"date={date}" / f"{self.name}-{number:06d}.parquet"
        if not self._begun:
            self._staging.mkdir(parents=True, exist_ok=True)
        self._begun += 1
        return DataFile(instrument, day, final, self._staging / f"{self._begun:06d}.part")

    def _flush(self, file: DataFile, last: bool = False) -> None:
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

    def _append(self, file: DataFile, parts: list[Part], last: bool) -> None:
        file.append(parts, self._form, self._arrow)
        if last:
            file.finish(self._form, self.durable)

    def _submit(self, task: Any) -> None:
        self._drain(_IN_FLIGHT)
        self._flight.append(self._pool.submit(task))

    def _drain(self, leave: int) -> None:
        while len(self._flight) > leave:
            self._flight.popleft().result()


def publish_together(writers: Sequence[tuple[DatasetWriter, Sequence[Instrument]]]) -> list[Path]:
    """Let the finished files of one data set's writers appear, in a store all of them or none; returns their paths.

    Args:
        writers: each with the instruments whose older data files go.

    Raises:
        TickwaxError: the disk is full, the folder cannot be written to, or the store does not take the files.
    """
    with contextlib.ExitStack() as held:
        each = [(writer, held.enter_context(writer.publishing()), replace) for writer, replace in writers]
        each = [(writer, files, replace) for writer, files, replace in each if files or not writer.aborted]
        if not each:
            return []
        root, appeared = each[0][0].root, [file for _, files, _ in each for file in files]
        # Files that are made of a journal are made of it again: to take them away would be of no use.
        noted = [] if each[0][0].durable else appeared
        with together(root, each[0][0].name, noted) as all_there:
            for writer, _, _ in each:
                writer.appear()
            there = {old for _, _, replace in each for instrument in replace for old in data_files(root, instrument)}
            replaced = sorted(there.difference(appeared))
            all_there(replaced)
            for old in replaced:
                old.unlink()
        return appeared
