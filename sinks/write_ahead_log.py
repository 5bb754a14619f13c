"""The journals of one worker: one that is written to, and full ones that become Parquet in the background."""

import contextlib
import errno
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinks.compaction import NOTHING, Compacted, compact
from sinks.disk import cannot_write
from sinks.format import Array, Form
from sinks.journal import JournalWriter
from sources.store.path import StoreAway, StoreRefusal
from sources.tape.layout import JOURNALS, beside, workplace

_NICE = 10  # compaction gives way to the dataflow
_PAUSE = 1.0  # seconds after the first failure of a store; twice as long after each further one, up to …
_LONGEST = 60.0
_LOOK = 1.0  # seconds between two looks at whether the files are still in their place


@dataclass(frozen=True)
class Rotation:
    """When a journal is full, and when it is safe."""

    seconds: float = 3600.0
    bytes: int = 1 << 30
    sync_seconds: float = 10.0  # what is older has been given to the disk and survives a power cut


class WriteAheadLog:
    """Appends rows; they are in the page cache when `append` returns, and in files some time later."""

    def __init__(
        self,
        root: Path,
        form: Form[Any],
        name: str,
        rotation: Rotation,
        clock: Callable[[], float],
        on_files: Callable[[Compacted], None] = lambda done: None,
        on_store: Callable[[Exception | None, bool], None] = lambda error, first: None,
    ) -> None:
        """Args:
        name: begins the name of every journal and file; no two runs or workers may share one.
        clock: the time in seconds, from any beginning.
        on_files: told of what has appeared, from another thread.
        on_store: told why a store did not take rows, and whether it did before; with None once it does again.
        """
        self._root = root
        self._form = form
        self._name = name
        self._rotation = rotation
        self._clock = clock
        self._on_files = on_files
        self._on_store = on_store
        self._journal: JournalWriter | None = None  # comes with the first row
        self._number = 0
        self._began = clock()
        self._closing = threading.Event()  # a store that does not answer is asked once more
        self._stop = threading.Event()
        self._compaction = ThreadPoolExecutor(1, "compaction", initializer=_give_way)
        self._compacting: list[Future[None]] = []
        self._kept = False  # a journal is damaged, and waits for the next start
        self._disk: threading.Thread | None = None
        self._disk_error: Exception | None = None
        self._unsynced: dict[JournalWriter, float] = {}  # since when a journal has rows that the disk has not
        self._place: os.stat_result | None = None  # the folder, as it was when the first row came
        self._looked = -math.inf

    def append(self, items: Iterable[tuple[str, Sequence[Array]]]) -> None:
        """Append rows: instruments, and one array a field of the form.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to; of an earlier compaction, too.
        """
        self._raise()
        try:
            journal = self._journal or self._begin()
            journal.append(items)
            now = self._clock()
            self._unsynced.setdefault(journal, now)
            if now - self._looked >= _LOOK:
                self._looked = now
                self._look(journal)
        except OSError as e:
            raise cannot_write(self._root, e) from e
        if journal.position >= self._rotation.bytes or now - self._began >= self._rotation.seconds:
            self._rotate()

    def unsynced(self) -> float:
        """For how many seconds the oldest row has waited for the disk; may be asked from any thread."""
        return max((self._clock() - since for since in list(self._unsynced.values())), default=0.0)

    def close(self, timeout: float | None = None) -> bool:
        """Let all rows appear. False if that would take longer than ``timeout`` seconds, a journal is damaged, or a
        store does not take its rows: what is left stays in journals until the data set is next opened for writing.

        Raises:
            TickwaxError: as `append`.
        """
        try:
            if self._journal is not None:
                self._rotate()
            self._closing.set()
            in_time = not wait(self._compacting, timeout).not_done
        finally:
            self._stop.set()
            self._compaction.shutdown(cancel_futures=True)
            if self._disk is not None:
                self._disk.join()
        self._raise()
        return in_time and not self._kept

    def _begin(self) -> JournalWriter:
        path = beside(self._root, JOURNALS) / f"{self._name}-{self._number:06d}.journal"
        self._journal = JournalWriter(path, self._form.description)
        self._number += 1
        self._began = self._clock()
        if self._disk is None:
            self._disk = threading.Thread(target=self._sync, name="journal", daemon=True)
            self._disk.start()
        return self._journal

    def _sync(self) -> None:
        """In a thread of its own, so that no row waits for the disk."""
        while not self._stop.wait(self._rotation.sync_seconds):
            journal = self._journal
            try:
                if journal is not None:
                    self._give_to_disk(journal)
            except Exception as e:
                self._disk_error = e

    def _give_to_disk(self, journal: JournalWriter) -> None:
        """Sync; rows that come meanwhile wait from now on."""
        begun = self._clock()
        journal.sync()
        if journal.synced == journal.position:
            self._unsynced.pop(journal, None)
        else:
            self._unsynced[journal] = begun

    def _look(self, journal: JournalWriter) -> None:
        """Whether folder and journal are still where they were: what is written to a file that has no name is lost."""
        try:
            place = os.stat(workplace(self._root))
            self._place = self._place or place
            there = os.path.samestat(place, self._place) and journal.in_place
        except FileNotFoundError:
            there = False
        if not there:
            raise OSError(errno.ENOENT, "the folder was removed or replaced while it was written to")

    def _rotate(self) -> None:
        journal, self._journal = self._journal, None
        assert journal is not None

        def finish() -> None:
            self._give_to_disk(journal)  # others may wait before it to become files
            journal.close()
            done = self._compacted(journal.path)
            self._kept |= bool(done.damage.journals)
            self._on_files(done)

        self._compacting.append(self._compaction.submit(finish))

    def _compacted(self, path: Path) -> Compacted:
        """Compact a journal, again and again while a store does not take its rows, until the log is closed."""
        pause = _PAUSE
        while True:
            try:
                done = compact(self._root, path, self._stop.is_set)
            except (StoreAway, StoreRefusal) as e:
                self._on_store(e, pause == _PAUSE)
                if self._closing.is_set():
                    self._kept = True
                    return NOTHING
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST)
            else:
                if pause > _PAUSE:
                    self._on_store(None, False)
                return done

    def _raise(self) -> None:
        if self._disk_error is not None:
            raise self._in_words(self._disk_error) from self._disk_error
        done = [future for future in self._compacting if future.done() and not future.cancelled()]
        self._compacting = [future for future in self._compacting if future not in done]
        for future in done:
            if (error := future.exception()) is not None:
                raise self._in_words(error) from error

    def _in_words(self, error: BaseException) -> BaseException:
        return cannot_write(self._root, error) if isinstance(error, OSError) else error


def _give_way() -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
