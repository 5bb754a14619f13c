"""A zip that is cut off: its members by their own headers, since the directory stood at its end.

PKWARE, "APPNOTE.TXT", sections 4.3.7 (local file header) and 4.3.9 (data descriptor). A member whose header does not
tell its length is as long as its deflate stream; one that is stored as it is ends with the header's length alone.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from isal import isal_zlib

from sources.importers.unpacking import UNPACKING, Altered

_HEADER = struct.Struct("<4sHHHHHIIIHH")
_MAGIC, _DIRECTORY, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_ENCRYPTED, _SIZES_BEHIND = 1, 8  # bits of a member's flags
_STORED, _DEFLATED = 0, 8
_UNKNOWN_SIZE = 0xFFFFFFFF  # in a field that zip64 puts elsewhere
_LONGEST_DESCRIPTOR = 24
_STEP_BYTES = 1 << 14


class LocalMember(NamedTuple):
    """What a member's own header tells."""

    name: str
    begin: int  # of its data in the file
    stored: bool
    checksum: int | None  # None where it stands behind the data
    packed: int | None  # bytes; None likewise


def begins_like_a_zip(raw: io.FileIO) -> bool:
    """Whether the first member of a file can be read; the file is at its beginning then."""
    raw.seek(0)
    there = _member_at(raw, 0) is not None
    raw.seek(0)
    return there


def local_members(raw: io.FileIO) -> Iterator[LocalMember]:
    """The members up to the one that is cut off, or cannot be told from what follows.

    Whoever asks for the next one has the one before unpacked to find where it ends.
    """
    member = _member_at(raw, 0)
    while member is not None:
        yield member
        stream = LocalStream(raw, member, 0)
        try:
            while stream.read(_STEP_BYTES):
                pass
        except (EOFError, Altered):
            return
        member = _member_at(raw, stream.end)


class LocalStream:
    """The content of a member, in small steps: all there is before a damage is given before it is told."""

    def __init__(self, raw: io.FileIO, member: LocalMember, before: int) -> None:
        """``before``: as in `unpacking.Altered`."""
        self.end = 0  # where the next header or the directory stands, once all has been read
        self._raw = raw
        self._member = member
        self._before = before
        self._at = member.begin
        self._left = member.packed
        self._checksum = 0
        self._inflate: Any = None if member.stored else isal_zlib.decompressobj(wbits=-15)
        self._error: Exception | None = None
        self._read = False  # but for what stands behind it
        self._ended = False

    def read(self, size: int) -> bytes:
        """About ``size`` bytes at the most; empty at the end.

        Raises:
            EOFError: the file ends inside of the member, or before its checksum.
            Altered: the member is damaged.
        """
        out: list[bytes] = []
        left = size
        while left > 0 and not self._ended and self._error is None:
            try:
                part = self._step()
            except EOFError as e:
                self._error = e
            except UNPACKING as e:
                self._error = Altered(f"zip member {self._member.name!r}", e, self._before)
            else:
                out.append(part)
                left -= len(part)
        if self._error is not None and left == size:
            raise self._error
        return b"".join(out)

    def _step(self) -> bytes:
        if self._read:
            self._finish()
            return b""
        self._raw.seek(self._at)
        packed = self._raw.read(_STEP_BYTES if self._left is None else min(_STEP_BYTES, self._left))
        self._at += len(packed)
        if self._left is not None:
            self._left -= len(packed)
        if self._inflate is None:
            part, ended = packed, self._left == 0
        else:
            part = self._inflate.decompress(packed)
            ended = self._inflate.eof
            self._at -= len(self._inflate.unused_data) if ended else 0
        self._checksum = isal_zlib.crc32(part, self._checksum)
        self._read = ended
        if not ended and not packed:
            if self._left == 0:
                raise ValueError("its data does not end where its header says")
            raise EOFError
        return part

    def _finish(self) -> None:
        checksum = self._member.checksum
        self.end = self._at
        if checksum is None:
            self._raw.seek(self._at)
            behind = self._raw.read(_LONGEST_DESCRIPTOR + len(_MAGIC))
            at = len(_DESCRIPTOR) if behind.startswith(_DESCRIPTOR) else 0
            if len(behind) < at + 12:
                raise EOFError
            checksum = int.from_bytes(behind[at : at + 4], "little")
            # Its sizes have 4 bytes each, or 8.
            wide = behind[at + 20 : at + 24] in (_MAGIC, _DIRECTORY)
            self.end += at + (20 if wide else 12)
        if checksum != self._checksum:
            raise ValueError("Bad CRC-32")
        self._ended = True


def _member_at(raw: io.FileIO, place: int) -> LocalMember | None:
    """The member whose header stands at a place; None where there is none that can be read."""
    raw.seek(place)
    head = raw.read(_HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(_MAGIC):
        return None
    _, _, flags, method, _, _, checksum, packed, _, name_bytes, extra_bytes = _HEADER.unpack(head)
    name = raw.read(name_bytes)
    behind = bool(flags & _SIZES_BEHIND)
    sized = not behind and packed != _UNKNOWN_SIZE
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or (method == _STORED and not sized):
        return None
    return LocalMember(
        name.decode("utf-8", "replace"),
        place + _HEADER.size + name_bytes + extra_bytes,
        method == _STORED,
        None if behind else checksum,
        packed if sized else None,
    )
