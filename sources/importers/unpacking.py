"""Packed content, and how far its checksums prove it.

A checksum stands behind the member that it covers. Where it is wrong, or the packed data cannot be read on, some byte
of the member is not what was written, and nothing tells which: the last proved point is the end of the member before.
A file that merely ends inside of a member is another matter: nothing speaks against what is there.
Behind an altered member the next one that agrees with its checksum goes on.
"""

import io
import lzma
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Sequence
from typing import IO, Any, Self

from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_MEMBER = GZIP_MAGIC + b"\x08"  # deflate is the only method there is

_PACKED_BYTES = 1 << 12
_STEP_BYTES = 1 << 14
_SEARCH_BYTES = 1 << 20
_MOST_TRIES = 4  # times a file's size
_ISAL: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub takes it for an instance
# What unpacking may raise.
UNPACKING: tuple[type[Exception], ...] = (
    EOFError, ValueError, zlib.error, _ISAL, zipfile.BadZipFile, lzma.LZMAError, struct.error,
)  # fmt: skip
_WRONG_SUM = ("Error -6", "Bad CRC-32")  # of isal and of zipfile

# By first bytes: what a file is, and who takes it.
_PACKINGS = (
    (GZIP_MAGIC, "gzip data inside of gzip; unpack it once"),
    (b"PK\x03\x04", "a zip archive inside of a packed file; unpack it once"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data; unpack it (zstd -d)"),
    (b"BZh", "bzip2 data; unpack it (bunzip2)"),
    (b"\xfd7zXZ\x00", "xz data; unpack it (unxz)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"PAR1", "a Parquet file; a tape of tickwax needs no import"),
    (b"\xff\xfe", "text in UTF-16; UTF-8 is read"),
    (b"\xfe\xff", "text in UTF-16; UTF-8 is read"),
)


class Altered(ValueError):
    """Some byte of a member is not what was written."""

    def __init__(self, part: str, error: Exception, before: int) -> None:
        """Args:
        part: what the member is called.
        before: how many bytes of content stand in the members before it, which are proved.
        """
        self.begin = self.lost = 0  # of a gzip member: its place in the file, and how many bytes until the next one
        self.next: int | None = None  # the place of the next proved member, if there is one
        wrong_sum = any(text in str(error) for text in _WRONG_SUM)
        super().__init__(f"{part}: {'its checksum is wrong' if wrong_sum else f'it cannot be unpacked ({error})'}")
        self.before = before


def packing(head: bytes) -> str | None:
    """What content that begins so is, if it is no text."""
    return next((what for magic, what in _PACKINGS if head.startswith(magic)), None)


class InSteps:
    """A member of a zip, read in small steps, so that all there is before a damage is given before it is told."""

    def __init__(self, stream: IO[bytes], part: str, before: int) -> None:
        """``part`` and ``before``: as in `Altered`."""
        self._stream = stream
        self._part = part
        self._before = before
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """As of any stream.

        Raises:
            Altered: the member is damaged.
        """
        out: list[bytes] = []
        left = size
        while left > 0 and self._error is None:
            try:
                part = self._stream.read(min(left, _STEP_BYTES))
            except UNPACKING as e:
                self._error = Altered(self._part, e, self._before)
                break
            except OSError as e:
                if e.errno is not None:  # of the disk; bzip2 has none
                    raise
                self._error = Altered(self._part, e, self._before)
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

    def __init__(self, raw: IO[bytes], known: Sequence[Altered] = ()) -> None:
        """``known``: of `alterations`; nothing of the altered members is given then."""
        self._raw = raw
        self._known = deque(known)
        self._member: Any = None  # the one being unpacked
        self._number = 0  # of members begun
        self._given = self._proved = 0  # bytes in all, and up to the end of the last whole member
        self._packed = b""  # read, not yet unpacked
        self._ended = False
        self._error: Exception | None = None  # to be raised once what came before it has been given
        self._begin_at = 0  # place of the member in the file

    def go_on(self, place: int) -> None:
        """Read on with the member at a place of the file, once an error has been raised."""
        self._raw.seek(place)
        self._member, self._error, self._packed = None, None, b""
        self._given = self._proved

    def read(self, size: int) -> bytes:
        """At least a byte and about ``size`` bytes at the most; empty at the end.

        Raises:
            EOFError: the file ends inside a member.
            Altered: a member is damaged; of a known one, behind which another is proved, `read` goes on there.
            ValueError: what follows a member is not one.
        """
        out: list[bytes] = []
        left = size
        while left > 0 and not self._ended and self._error is None:
            try:
                part = self._step(left)
            except (EOFError, ValueError) as e:
                self._error = e
                break
            except UNPACKING as e:
                self._error = Altered(f"gzip member {self._number}", e, self._proved)
                self._error.begin = self._begin_at
                break
            out.append(part)
            left -= len(part)
        if self._error is not None and left == size:
            error = self._error
            if isinstance(error, Altered) and error.next is not None:
                self.go_on(error.next)
            raise error
        return b"".join(out)

    def _step(self, most: int) -> bytes:
        if self._member is None:
            if self._known and self._given == self._known[0].before:
                raise self._known.popleft()
            if not self._begin():
                self._ended = True
                return b""
        elif not self._packed and not self._member.unconsumed_tail:
            self._packed = self._raw.read(_PACKED_BYTES)
            if not self._packed:
                raise EOFError
        packed, self._packed = self._member.unconsumed_tail + self._packed, b""
        part: bytes = self._member.decompress(packed, most)
        self._given += len(part)
        if self._member.eof:
            self._packed = self._member.unused_data
            self._member = None
            self._proved = self._given
        return part

    def _begin(self) -> bool:
        """Find the next member behind zeros; False at the end of the file."""
        while True:
            self._packed = self._packed.lstrip(b"\0") if self._number else self._packed
            if len(self._packed) >= len(GZIP_MAGIC):
                break
            more = self._raw.read(_PACKED_BYTES)
            if not more and not self._packed:
                return False
            if not more:
                break
            self._packed += more
        if not self._packed.startswith(GZIP_MAGIC):
            if not self._number:
                raise EOFError  # one byte of it
            raise ValueError("other bytes follow the last whole gzip member")
        self._begin_at = self._raw.tell() - len(self._packed)
        self._member = isal_zlib.decompressobj(wbits=31)
        self._number += 1
        return True


def alterations(raw: IO[bytes], stop_at_first: bool = False) -> list[Altered]:
    """What is wrong with the altered members of a gzip file; none where it is whole, or merely cut off.

    Reads the file from its beginning, and goes back there.
    """
    raw.seek(0)
    members = Members(raw)
    found: list[Altered] = []
    try:
        while True:
            try:
                while members.read(_STEP_BYTES):
                    pass
                return found
            except Altered as e:
                found.append(e)
                size = raw.seek(0, io.SEEK_END)
                e.next = _next_member(raw, e.begin + 1, size)
                e.lost = (size if e.next is None else e.next) - e.begin
                if e.next is None or stop_at_first:
                    return found
                members.go_on(e.next)
    except (EOFError, ValueError):
        return found
    finally:
        raw.seek(0)


def _next_member(raw: IO[bytes], begin: int, size: int) -> int | None:
    """Place of the first member from ``begin`` on that agrees with its checksum.

    What else begins like one is unpacked until it fails; of all of these, not much more than the file is read.
    """
    left = _MOST_TRIES * size  # bytes that may be read in vain
    at = begin
    while at < size and left > 0:
        raw.seek(at)
        chunk = raw.read(_SEARCH_BYTES)
        place = chunk.find(_GZIP_MEMBER)
        if place < 0:
            at += max(1, len(chunk) - len(_GZIP_MEMBER) + 1)
            continue
        if _is_whole(raw, at + place):
            return at + place
        left -= raw.tell() - at
        at += place + 1
    return None


def _is_whole(raw: IO[bytes], place: int) -> bool:
    """Whether a whole member stands at a place."""
    raw.seek(place)
    member = isal_zlib.decompressobj(wbits=31)
    try:
        while not member.eof:
            packed = member.unconsumed_tail or raw.read(_PACKED_BYTES)
            if not member.decompress(packed, _STEP_BYTES) and not packed:
                return False
    except UNPACKING:
        return False
    return True
