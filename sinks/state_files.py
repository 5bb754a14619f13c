"""States that a resumption goes on from, in files of our own beside Bytewax's recovery store.

The store itself copies a state five times and writes it twice, on the thread of the worker, while the dataflow stands.
Here it is written once, from where it lies in memory, and the store has a reference to it: which file, where, how long,
CRC-32. A process has one file, ``state-N.bin``, which it writes over in place and holds a lock on; any process reads
any file.

What may be written over: Bytewax lets an item of an epoch into the dataflow only when all epochs before it are in the
store. So when an instrument's state is kept anew, the store resumes from the one before; at the end of the input, of
which Bytewax makes an epoch without waiting, from the one before that. Older ones are kept for the backup interval.

A reference is on the disk before it is in the store: Bytewax pickles what an operator hands it on the same thread, once
all operators have had their turn, and pickling it waits for the disk.
"""

import contextlib
import fcntl
import itertools
import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from isal import isal_zlib

from operators.feature_engine import StatePart
from sinks.disk import cannot_write, sync
from sinks.error_reporting import watched
from sinks.free_space import Extents, pages
from sources.errors import DamagedError, TickwaxError

_MAGIC = b"TWSTATE\x01"
_FORM = struct.Struct("<8sIIQQ")
_AHEAD = 16 << 20  # bytes that the disk is given before the epoch ends
_STANDING = 2  # newest states of an instrument that a resumption may need while a third is written


class Reference(NamedTuple):
    """Where a state lies."""

    file: int
    checksum: int  # CRC-32
    place: int  # bytes from the beginning of the file
    length: int

    def pack(self) -> bytes:
        """As bytes, for the recovery store."""
        return _FORM.pack(_MAGIC, *self)


def find_reference(data: bytes) -> Reference | None:
    """The reference that these bytes hold, be it pickled or not."""
    at = data.find(_MAGIC)
    return Reference._make(_FORM.unpack_from(data, at)[1:]) if 0 <= at <= len(data) - _FORM.size else None


class _Room(NamedTuple):
    file: int
    place: int
    size: int
    since: float


class _File:
    """Open for as long as anybody uses it."""

    def __init__(self, handle: int, number: int) -> None:
        self.handle = handle
        self.number = number

    def __del__(self) -> None:
        os.close(self.handle)


class _Kept:
    """What an operator hands to Bytewax; bytes once it is unpickled."""

    def __init__(self, states: "StateFiles", reference: Reference) -> None:
        self._states = states
        self._reference = reference

    def __reduce__(self) -> Any:
        self._states.sync()
        return bytes, (self._reference.pack(),)


class StateFiles:
    """The states of one process; safe for use by its workers' threads."""

    def __init__(
        self,
        folder: Path,
        backup: float,
        clock: Callable[[], float],
        on_error: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Args:
        folder: of the recovery store.
        backup: for how many units of ``clock`` a state is kept that is not needed any more.
        on_error: told of what stops the dataflow, before Bytewax is.
        """
        self._folder = folder
        self._backup = backup
        self._clock = clock
        self._on_error = on_error
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._dirty = False
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="states")
        self._early: Future[None] | None = None
        self._ahead = 0
        self._found: dict[int, list[tuple[int, int]]] = {}  # by file: place and length of what the store refers to
        self._rooms: dict[str, deque[_Room]] = {}  # by instrument, the oldest first
        self._file: _File | None = None
        self._shared = True
        self._space = Extents()

    def begin(self, references: Iterable[Reference], shared: bool) -> None:
        """Go on from a store that holds these references; files that none is to are deleted.

        For before the flow, in every process of a cluster.

        Args:
            shared: whether the folder is that of every process; otherwise one could not read what another wrote, and
                states stay in the store.

        Raises:
            TickwaxError: a file is missing or too short.
        """
        self._shared = shared
        for r in references:
            self._found.setdefault(r.file, []).append((r.place, r.length))
        for number, found in self._found.items():
            path = self._path(number)
            if not path.exists():
                raise _missing(f"{path}: is missing")
            if path.stat().st_size < max(place + length for place, length in found):
                raise _missing(f"{path}: its end is missing")
        for path in self._folder.glob("state-*.bin"):
            if path not in map(self._path, self._found):
                path.unlink(missing_ok=True)

    def keep(self, key: str, parts: Sequence[StatePart]) -> _Kept | bytes:
        """Write a state; it is in the page cache when the call returns, and on the disk when the result is pickled.

        Raises:
            TickwaxError: the disk is full, or the folder cannot be written to.
        """
        if not self._shared:
            return b"".join(parts)
        with self._watched():
            length, checksum = 0, 0
            for part in parts:
                length += len(part) if isinstance(part, bytes) else part.nbytes
                checksum = isal_zlib.crc32(part, checksum)
            with self._lock:
                file = self._file = self._file or self._first_free()
                room = self._room(file.number, key, length)
            _write(file.handle, parts, length, room.place)
            self._dirty = True
            self._ahead += length
            if self._ahead > _AHEAD and (self._early is None or self._early.done()):
                self._ahead = 0
                self._early = self._disk.submit(self.sync)
        return _Kept(self, Reference(room.file, checksum, room.place, length))

    def load(self, key: str, kept: bytes) -> bytes:
        """Read a state back.

        Raises:
            DamagedError: it is not there any more, or damaged.
        """
        r = find_reference(kept)
        if r is None:  # the state itself
            return kept
        path = self._path(r.file)
        with watched(self._on_error, lambda error: _lost(f"{path}: {error.strerror}")):
            with path.open("rb") as file:
                data = os.pread(file.fileno(), r.length, r.place)
            if len(data) != r.length or isal_zlib.crc32(data) != r.checksum:
                raise _lost(f"{path}: the state of {key} is damaged")
        with self._lock:
            self._rooms[key] = deque([_Room(r.file, r.place, pages(r.length), self._clock())])
        return data

    def sync(self) -> None:
        """fsync the states saved before.

        Raises:
            TickwaxError: it cannot be.
        """
        with self._syncing, self._watched():
            file = self._file
            if file is not None and self._dirty:
                self._dirty = False  # before: meanwhile others may write
                try:
                    os.fdatasync(file.handle)
                except OSError:
                    self._dirty = True
                    raise

    def close(self) -> None:
        """Let another take the file; may come more than once."""
        self._file = None

    def _watched(self) -> Any:
        return watched(self._on_error, lambda error: cannot_write(self._folder, error))

    def _path(self, number: int) -> Path:
        return self._folder / f"state-{number}.bin"

    def _room(self, number: int, key: str, length: int) -> _Room:
        """Where the next state of an instrument goes: over its oldest, if that is needed no more."""
        now = self._clock()
        rooms = self._rooms.setdefault(key, deque())
        place, size = -1, 0
        while len(rooms) > _STANDING and rooms[1].since + self._backup <= now:
            if size:
                self._space.give(place, size)
            oldest = rooms.popleft()
            place, size = (oldest.place, oldest.size) if oldest.file == number else (-1, 0)
        if size < length:
            if size:
                self._space.give(place, size)
            size = pages(length + length // 8)  # states grow until their windows are full
            place = self._space.take(size)
        rooms.append(_Room(number, place, size, now))
        return rooms[-1]

    def _first_free(self) -> _File:
        """The first file that nobody writes to."""
        for number in itertools.count():
            file = _File(os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644), number)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        self._space = Extents(self._found.get(number, ()))
        os.ftruncate(file.handle, self._space.end)
        sync(self._folder)
        return file


def _write(file: int, parts: Sequence[StatePart], length: int, place: int) -> None:
    written = os.pwritev(file, parts, place)
    if written < length:  # a disk that is nearly full takes a part
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            done = os.pwrite(file, rest, place + length - len(rest))
            rest = rest[done:]


def _missing(what: str) -> TickwaxError:
    return TickwaxError(f"-r: {what}; start anew with an empty recovery directory")


def _lost(what: str) -> DamagedError:
    return DamagedError(f"-r: {what}; start anew with an empty recovery directory")
