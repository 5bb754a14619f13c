"""Packed content, and how far its checksums prove it.

A checksum stands behind the member that it covers. Where it is wrong, or the packed data cannot be read on, some byte
of the member is not what was written, and nothing tells which: the last proved point is the end of the member before.
A file that merely ends inside of a member is another matter: nothing speaks against what is there.
"""

import lzma
import struct
import zipfile
import zlib
from typing import IO, Any, Self

from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b"

_PACKED_BYTES = 1 << 12
_STEP_BYTES = 1 << 14
_ISAL: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub takes it for an instance
# What unpacking may raise.
UNPACKING: tuple[type[Exception], ...] = (
    EOFError, ValueError, zlib.error, _ISAL, zipfile.BadZipFile, lzma.LZMAError, struct.error,
)  # fmt: skip
_WRONG_SUM = ("Error -6", "Bad CRC-32")  # of isal and of zipfile

# By first bytes: what a file is, and who takes it.
_PACKINGS = (
    (GZIP_MAGIC, "gzip data inside of gzip; unpack it once"),
    (b"PK\x03\x04", "a zip archive; bybit-archive and binance-vision take zips, for the other kinds unpack it"),
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

    def __init__(self, raw: IO[bytes], known: Altered | None = None) -> None:
        """``known``: of `first_alteration`; nothing of the altered member is given then."""
        self._raw = raw
        self.known = known
        self._member: Any = None  # the one being unpacked
        self._number = 0  # of members begun
        self._given = self._proved = 0  # bytes in all, and up to the end of the last whole member
        self._packed = b""  # read, not yet unpacked
        self._ended = False
        self._error: Exception | None = None  # to be raised once what came before it has been given

    def read(self, size: int) -> bytes:
        """At least a byte and about ``size`` bytes at the most; empty at the end.

        Raises:
            EOFError: the file ends inside a member.
            Altered: a member is damaged.
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
                break
            out.append(part)
            left -= len(part)
        if self._error is not None and left == size:
            raise self._error
        return b"".join(out)

    def _step(self, most: int) -> bytes:
        if self._member is None:
            if self.known is not None and self._given == self.known.before:
                raise self.known
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
        self._member = isal_zlib.decompressobj(wbits=31)
        self._number += 1
        return True


def first_alteration(raw: IO[bytes]) -> Altered | None:
    """What is wrong with the first altered member of a gzip file; None where the file is whole, or merely cut off.

    Reads the file from its beginning, and goes back there.
    """
    raw.seek(0)
    members = Members(raw)
    try:
        while members.read(_STEP_BYTES):
            pass
    except Altered as e:
        return e
    except (EOFError, ValueError):
        return None
    finally:
        raw.seek(0)
    return None
