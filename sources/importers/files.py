"""Bytes of capture files: plain or gzip, in blocks of whole lines, read ahead by a thread."""

import hashlib
import io
import threading
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Full, Queue
from typing import IO, Any, NamedTuple, TypeVar

from isal import isal_zlib

from sources.errors import TickwaxError

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 26  # the longest real line, a full book, is about 100 kB
_AHEAD = 4  # items that the thread may be ahead of the caller
_GZIP_MAGIC = b"\x1f\x8b"
_POLL_S = 0.05

_PACKED_BYTES = 1 << 12
_STEP_BYTES = 1 << 14
_ISAL: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub takes it for an instance
# What unpacking may raise.
UNPACKING: tuple[type[Exception], ...] = (EOFError, ValueError, zlib.error, _ISAL, zipfile.BadZipFile)


class DamagedFile(TickwaxError):
    """A file ends, or becomes unreadable, inside its content; whatever came before has been read."""


T = TypeVar("T")
Progress = Callable[[int], object]  # told how many bytes more of the input files have been read


def sha256(path: Path) -> str:
    """Fingerprint of a file's content.

    Raises:
        TickwaxError: it is no file, or cannot be read.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[io.FileIO]:
    """A file open for reading.

    Raises:
        TickwaxError: it is missing, a folder, or may not be read.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as e:
        raise TickwaxError(f"{path}: {e.strerror}") from e
    with file:
        yield file


def line_blocks(path: Path, progress: Progress) -> Generator[bytes, None, None]:
    """A file's content, unpacked if it is gzip, cut at line ends; the last block may lack its own.

    Raises:
        DamagedFile: its compressed data is truncated or damaged; every whole line before has been given.
        TickwaxError: the file cannot be read, or has a line without end.
    """
    with opened(path) as raw:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        stream: Any = Members(raw) if packed else raw
        yield from cut_lines(path, stream, raw.tell, progress)


class InSteps:
    """A stream that is read in small steps, so that all there is before a damage is given before it is told."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._error: Exception | None = None

    def read(self, size: int) -> bytes:
        """As of any stream.

        Raises:
            Exception: one of `UNPACKING`.
        """
        out: list[bytes] = []
        left = size
        while left > 0 and self._error is None:
            try:
                part = self._stream.read(min(left, _STEP_BYTES))
            except UNPACKING as e:
                self._error = e
                break
            if not part:
                break
            out.append(part)
            left -= len(part)
        if self._error is not None and left == size:
            raise self._error
        return b"".join(out)


class Members:
    """The unpacked content of a gzip file of one member or several, padded with zeros or not (RFC 1952, section 2.2).

    A member is unpacked in small steps, so that all there is before a damage is given before it is told.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._member: Any = None  # the one being unpacked
        self._packed = b""  # read, not yet unpacked
        self._begun = self._ended = False
        self._error: Exception | None = None  # to be raised once what came before it has been given

    def read(self, size: int) -> bytes:
        """At least a byte and about ``size`` bytes at the most; empty at the end.

        Raises:
            EOFError: the file ends inside a member.
            ValueError: what follows a member is not one.
            isal.isal_zlib.error: a member is damaged.
        """
        out: list[bytes] = []
        left = size
        while left > 0 and not self._ended and self._error is None:
            try:
                part = self._step(left)
            except UNPACKING as e:
                self._error = e
                break
            out.append(part)
            left -= len(part)
        if self._error is not None and left == size:
            raise self._error
        return b"".join(out)

    def _step(self, most: int) -> bytes:
        if self._member is None:
            if not self._begin():
                self._ended = True
                return b""
        elif not self._packed and not self._member.unconsumed_tail:
            self._packed = self._raw.read(_PACKED_BYTES)
            if not self._packed:
                raise EOFError
        packed, self._packed = self._member.unconsumed_tail + self._packed, b""
        part: bytes = self._member.decompress(packed, most)
        if self._member.eof:
            self._packed = self._member.unused_data
            self._member = None
        return part

    def _begin(self) -> bool:
        """Find the next member behind zeros; False at the end of the file."""
        while True:
            self._packed = self._packed.lstrip(b"\0") if self._begun else self._packed
            if len(self._packed) >= len(_GZIP_MAGIC):
                break
            more = self._raw.read(_PACKED_BYTES)
            if not more and not self._packed:
                return False
            if not more:
                break
            self._packed += more
        if not self._packed.startswith(_GZIP_MAGIC):
            raise ValueError("other bytes follow the last whole gzip member")
        self._member = isal_zlib.decompressobj(wbits=31)
        self._begun = True
        return True


def damaged(path: Path, error: Exception) -> DamagedFile:
    """The line that says what is wrong with compressed data; ``error`` is one of `UNPACKING`."""
    if isinstance(error, EOFError):
        return DamagedFile(f"{path}: is truncated: the compressed data has no end")
    return DamagedFile(f"{path}: is damaged: {error}")


def cut_lines(path: Path, stream: Any, position: Callable[[], int], progress: Progress) -> Generator[bytes, None, None]:
    """What ``stream`` gives, in blocks of whole lines.

    Args:
        path: named in errors.
        stream: unpacked bytes.
        position: how many bytes of the file have been read.
        progress: told when it grows.
    """
    told = 0
    rest = b""
    while True:
        try:
            block = stream.read(BLOCK_BYTES)
        except UNPACKING as e:
            raise damaged(path, e) from e
        except OSError as e:
            raise TickwaxError(f"{path}: cannot be read: {e.strerror}") from e
        at = position()
        progress(at - told)
        told = at
        if not block:
            break
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
        if len(rest) > MAX_LINE_BYTES:
            raise TickwaxError(f"{path}: no line end in {MAX_LINE_BYTES >> 20} MiB: this is no capture")
    if rest:
        yield rest


def read_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items, produced by a thread a few ahead of the caller; an error comes where its item would have."""
    queue: Queue[T | _End] = Queue(_AHEAD)
    stop = threading.Event()

    def put(entry: T | _End) -> None:
        while not stop.is_set():
            try:
                queue.put(entry, timeout=_POLL_S)
                return
            except Full:
                continue

    def produce() -> None:
        end = _End(None)
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    break
            items.close()
        except Exception as e:  # handed over, to be raised where the caller sees it
            end = _End(e)
        put(end)

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


class _End(NamedTuple):
    error: Exception | None
