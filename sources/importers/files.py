"""Bytes of capture files: plain or gzip, in blocks of whole lines, read ahead by a thread."""

import hashlib
import io
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Full, Queue
from typing import IO, Any, NamedTuple, TypeVar

from isal import igzip, igzip_lib

from sources.errors import TickwaxError

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 26  # the longest real line, a full book, is about 100 kB
_AHEAD = 4  # items that the thread may be ahead of the caller
_GZIP_MAGIC = b"\x1f\x8b"
_POLL_S = 0.05

_ISAL: type[Exception] = igzip_lib.error  # type: ignore[assignment]  # its stub takes it for an instance
DAMAGED: tuple[type[Exception], ...] = (OSError, zlib.error, _ISAL)  # what reading may raise

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
        TickwaxError: the file cannot be read, is truncated or damaged, or has a line without end.
    """
    with opened(path) as raw:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        stream: Any = igzip.GzipFile(fileobj=raw) if packed else raw
        yield from cut_lines(path, stream, raw.tell, progress)


def cut_lines(
    path: Path, stream: IO[bytes], position: Callable[[], int], progress: Progress
) -> Generator[bytes, None, None]:
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
        except EOFError as e:
            raise TickwaxError(f"{path}: is truncated: the compressed data has no end") from e
        except DAMAGED as e:
            raise TickwaxError(f"{path}: cannot be read: {e}") from e
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
