"""Bytes of capture files: plain or gzip, in blocks of whole lines, read ahead by a thread."""

import hashlib
import io
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Full, Queue
from typing import Any, NamedTuple, TypeVar

from sources.errors import TickwaxError
from sources.importers.unpacking import GZIP_MAGIC, UNPACKING, Altered, Members, alterations, packing

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 26  # the longest real line, a full book, is about 100 kB
_AHEAD = 4  # items that the thread may be ahead of the caller
_POLL_S = 0.05
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class DamagedFile(TickwaxError):
    """A file ends, or becomes unreadable, inside its content; whatever came before has been read."""

    def __init__(self, text: str, error: Exception, given: bool, behind: bool = False, lost: int = 0) -> None:
        """Args:
        error: one of `UNPACKING`.
        given: whether whole lines of the file have been read.
        behind: whether a member behind the damage is proved.
        lost: how many packed bytes are not taken; 0: nobody knows.
        """
        super().__init__(text)
        self.before = given and (not isinstance(error, Altered) or error.before > 0)
        self.behind = behind
        self.lost = lost
        self.all_of_it = False  # of a file among others that are read beside it: nothing of it is taken
        self.altered = isinstance(error, Altered)  # some byte is wrong, and nothing tells which
        self.cut = isinstance(error, EOFError)  # the file ends too soon; nothing speaks against what is there
        self.salvageable = self.before or self.behind

    @property
    def sides(self) -> str:
        """Where what can be taken stands."""
        return " and ".join(["before"] * (self.before or not self.behind) + ["behind"] * self.behind)

    @property
    def taken(self) -> str:
        """What of the file is taken if it is salvaged."""
        proved = "and no checksum proves the last of it" if self.cut else "which is proved"
        if self.all_of_it:
            return "nothing of it is taken, but the files beside it in the zip; a reset stands at the end"
        lost = f"; lost are {self.lost:,} bytes of the packed file" if self.lost else ""
        where = "in its place" if self.behind else "where it ends"
        return f"taken is what stands {self.sides} that, {proved}{lost}; a reset stands {where}"


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


def line_blocks(path: Path, progress: Progress, salvage: bool = False) -> Generator[bytes | DamagedFile, None, None]:
    """A file's content, unpacked if it is gzip, cut at line ends; the last block may lack its own.

    Args:
        path: the file.
        progress: told about every part of the file that was read, in bytes.
        salvage: give nothing of a member that is damaged, but what is wrong with it, where blocks follow behind it;
            without, what can be read of it.

    Raises:
        DamagedFile: its compressed data is truncated or damaged; every whole line before has been given, and nothing
            is to be had behind.
        TickwaxError: the file cannot be read, is packed otherwise, or has a line without end.
    """
    with opened(path) as raw:
        stream: Any = gzip_members(raw, salvage) or raw
        try:
            yield from cut_lines(path, stream, raw.tell, progress)
        except DamagedFile as e:
            if salvage or not e.altered:
                raise
            # What `salvage` would take behind it, too.
            raise damaged(path, alterations(raw, stop_at_first=True)[0], e.before) from e


def gzip_members(raw: io.FileIO, salvage: bool) -> Members | None:
    """The content of a gzip file, which is at its beginning; None of another. ``salvage``: as in `line_blocks`."""
    head = raw.read(len(GZIP_MAGIC))
    raw.seek(0)
    if not head or not GZIP_MAGIC.startswith(head):
        return None
    return Members(raw, alterations(raw) if salvage else ())


def text_blocks(blocks: Iterable[bytes | DamagedFile]) -> Iterator[bytes]:
    """The blocks but for what is said of damage between them."""
    return (block for block in blocks if not isinstance(block, DamagedFile))


def damaged(path: Path, error: Exception, given: bool = True, behind: bool = False) -> DamagedFile:
    """The line that says what is wrong with packed data; arguments as in `DamagedFile`."""
    if isinstance(error, EOFError):
        return DamagedFile(f"{path}: is truncated: the compressed data has no end", error, given)
    if isinstance(error, Altered):
        text = f"{path}: is damaged: {error}, so nothing of that member is proved"
        return DamagedFile(text, error, given, behind or error.next is not None, error.lost)
    return DamagedFile(f"{path}: is damaged: {error}", error, given)


def begun(path: Path, content: bytes) -> bytes:
    """The first bytes of a text, without a byte order mark.

    Raises:
        TickwaxError: they are of no text.
    """
    if what := packing(content):
        raise TickwaxError(f"{path}: is {what}")
    return content.removeprefix(_BYTE_ORDER_MARK)


def cut_lines(
    path: Path, stream: Any, position: Callable[[], int], progress: Progress
) -> Generator[bytes | DamagedFile, None, None]:
    """What ``stream`` gives, in blocks of whole lines.

    Args:
        path: named in errors.
        stream: unpacked bytes.
        position: how many bytes of the file have been read.
        progress: called with it when it grows.

    Raises:
        DamagedFile: the stream is damaged. If it goes on behind that, this is given instead, as what is wrong; a line
            that may lack its beginning is left out there.
        TickwaxError: a line is longer than a block may be.
    """
    told = 0
    rest = b""
    first, given = True, False
    torn = False  # the next line may lack its beginning
    while True:
        try:
            block = stream.read(BLOCK_BYTES)
        except UNPACKING as e:
            damage = damaged(path, e, given)
            if not (isinstance(e, Altered) and e.next is not None):
                raise damage from e
            yield damage
            torn, rest = bool(rest) or not given, b""
            continue
        except OSError as e:
            raise TickwaxError(f"{path}: cannot be read: {e.strerror}") from e
        at = position()
        progress(at - told)
        told = at
        if not block:
            break
        if first:
            block, first = begun(path, block), False
        if torn:
            _, end_of_line, block = block.partition(b"\n")
            torn = not end_of_line
        end = block.rfind(b"\n") + 1
        if end:
            given = True
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
        if len(rest) > MAX_LINE_BYTES:
            raise TickwaxError(f"{path}: no line end in {MAX_LINE_BYTES >> 20} MiB: this is no capture")
    if rest:
        yield rest


def read_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items, produced by a thread a few ahead of the caller.

    Raises:
        Exception: whatever ``items`` raises, in the place of the item that was not made.
    """
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
