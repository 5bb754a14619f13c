"""The journal: rows of many instruments as they come, in one file that is only appended to; reading it back.

After eight bytes that name format and version follow frames, each of a header (CRC-32 of all that follows in the frame,
kind, length of the payload) and a payload whose length is a multiple of eight. The first frame describes the columns
(JSON), some name instruments (JSON: the code of the first, and names), the others hold rows: for every instrument its
code, a number of rows, and then column after column, little-endian, padded to eight bytes, the wide ones first, so that
every value is aligned.

A write that a crash cut off is the end of a journal. Damage before the end is a hole: reading goes on at the next whole
frame. So that a hole costs no more than the rows in it, the frames that describe and name are there twice, and once
more, all of them, each time the journal has grown to 8 KiB, 64 KiB, 512 KiB …

Rows are raw columns and no Arrow IPC messages, because a live run appends a few rows at a time: a record batch of the
73 feature columns costs 300 µs to make and write, its four arrays as they are 3 µs.
"""

import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from isal import isal_zlib

from sources.errors import TickwaxError
from sources.tape.batch import Int64s
from sources.tape.journal_kernels import LAST_KIND, Bytes, count_items, find_items, gather, next_header

MAGIC = b"TWJRNL\x04\n"  # two bits from every other version, so that no flipped bit makes one of another
_FORMER = (
    b"TWJRNL\x01\n",  # names have no codes, and nothing is there twice
    b"TWJRNL\x02\n",  # rows are of features or books, whose columns are described by name, type and place alone
)
FRAME = struct.Struct("<IIQ")  # CRC-32, kind, bytes of payload
ITEM = struct.Struct("<II")  # code of the instrument, rows
NAMES, ROWS, DESCRIPTION = 2, 3, 4  # kinds
_FORMER_DESCRIPTION = 1  # a version that knows this one alone finds none, and refuses the journal

_CRC_BYTES = 4
_WORD = 8
_UNWRITTEN = 512  # zeros of that length, aligned: blocks that the disk never got


class Field(NamedTuple):
    """One array of an item: of shape ``(rows,)``, or ``(columns, rows)`` if ``columns`` is not 0."""

    name: str
    dtype: str
    columns: int = 0

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return np.dtype(self.dtype).itemsize * max(1, self.columns)


class Hole(NamedTuple):
    """Bytes that no frame can be made of, with whole frames or at least the place of one behind them."""

    start: int
    end: int


class NoJournalError(TickwaxError):
    """Nothing of the file can be read as a journal."""


def checksum(frame: bytearray | memoryview) -> int:
    """CRC-32 of a whole frame but for its first field, which holds it."""
    return isal_zlib.crc32(memoryview(frame)[_CRC_BYTES:])


class Journal:
    """What a journal holds, up to the last frame that is whole now. Nothing is changed."""

    def __init__(self, path: Path, end: int | None = None) -> None:
        """Find every item.

        Args:
            end: read no further than this position; None: the end of the file.

        Raises:
            TickwaxError: the file is no journal, or one of another version.
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            self._read(path, file, end, None)

    @classmethod
    def tail(cls, path: Path, file: BinaryIO, before: Self | None) -> Self:
        """What has come behind the last whole frame of an earlier look at the same file; None: all there is.

        Raises:
            TickwaxError: as the constructor.
        """
        self = cls.__new__(cls)
        self._read(path, file, None, before)
        return self

    def _read(self, path: Path, file: BinaryIO, end: int | None, before: Self | None) -> None:
        self.path = path
        size = file.seek(0, 2) if end is None else min(end, file.seek(0, 2))
        # A map outlives the file's name: a journal may be compacted and removed while somebody reads it.
        view: Any = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        self._data: Bytes = np.frombuffer(view, np.uint8)
        self._view = memoryview(view)
        self._names: dict[int, str] = dict(before._names) if before else {}  # by code
        self.description: dict[str, Any] | None = before.description if before else None  # None: none is whole
        self.fields: tuple[Field, ...] = before.fields if before else ()  # of its items
        self.end: int = before.end if before else 0  # just after the last whole frame
        self.holes: list[Hole] = []  # where it is damaged
        starts, ends = self._frames()
        if self.description is None:
            if starts.size:
                raise NoJournalError(f"{path}: is damaged: nothing in it says what its rows are")
            starts = ends = np.empty(0, np.int64)
        count = count_items(self._data, starts, ends, self.row_bytes)
        if count < 0:
            raise TickwaxError(f"{path}: a frame does not hold what it says")
        self.code, self.rows, self.at = np.empty((3, count), np.int64)  # of every item, in order
        find_items(self._data, starts, ends, self.row_bytes, self.code, self.rows, self.at)
        self._drop_unnamed()

    @property
    def keys(self) -> list[str]:
        """Every instrument by its code; one whose name was lost is empty."""
        return [self._names.get(code, "") for code in range(max(self._names, default=-1) + 1)]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row over all fields."""
        return sum(field.row_bytes for field in self.fields)

    @property
    def cut_off(self) -> int:
        """Bytes at the end of a write that a crash cut off."""
        return len(self._view) - max(self.end, *(hole.end for hole in self.holes), 0)

    @property
    def damaged_bytes(self) -> int:
        """Bytes in holes."""
        return sum(hole.end - hole.start for hole in self.holes)

    @property
    def lost_rows(self) -> int:
        """How many rows the holes may have held, at the most."""
        if not self.fields:
            return 0
        return self.unnamed_rows + sum((hole.end - hole.start) // self.row_bytes for hole in self.holes)

    @property
    def damage(self) -> str:
        """Of what is not whole, in words; empty if there is none. A write that a crash cut off is none."""
        if not (self.holes or self.unnamed_rows):
            return ""
        size, places = self.damaged_bytes, len(self.holes)
        return f"{size:,} bytes in {places} place{'s'[: places != 1]}, with up to {self.lost_rows:,} rows"

    def _drop_unnamed(self) -> None:
        """Leave out items of instruments whose names are in holes."""
        named = np.isin(self.code, np.fromiter(self._names, np.int64))
        self.unnamed_rows = int(self.rows[~named].sum())
        if not named.all():
            self.code, self.rows, self.at = self.code[named], self.rows[named], self.at[named]

    def _frames(self) -> tuple[Int64s, Int64s]:
        """Where the payloads with rows begin and end; reads the others on the way."""
        starts: list[int] = []
        ends: list[int] = []
        head, size = bytes(self._view[: len(MAGIC)]), len(self._view)
        at = begin = max(len(MAGIC), self.end)
        sound = head in (MAGIC, *_FORMER)
        while at < size:
            stop = self._whole(at)
            if not stop:
                found = self._next_whole(at)
                if found is None:
                    if not self._is_cut_off(at):
                        self.holes.append(Hole(at, size))
                    break
                self.holes.append(Hole(at, found))
                at = found
                continue
            self._take(at, stop, starts, ends)
            at = self.end = stop
        if sound:
            self.end = max(self.end, begin)
        elif self.description is None:
            if head.startswith(MAGIC[:6]) and head.endswith(MAGIC[7:]) and len(head) == begin:
                raise TickwaxError(f"{self.path}: is not a journal of this version of tickwax")
            begins = any(known.startswith(head.rstrip(b"\0")) for known in (MAGIC, *_FORMER))
            if self.holes or not begins:  # zeros: the power went before all of it came
                raise NoJournalError(f"{self.path}: is not a journal of this version of tickwax")
        elif begin == len(MAGIC):
            self.holes.insert(0, Hole(0, begin))
        return np.array(starts, np.int64), np.array(ends, np.int64)

    def _take(self, at: int, stop: int, starts: list[int], ends: list[int]) -> None:
        """Read a whole frame."""
        kind, start = FRAME.unpack_from(self._view, at)[1], at + FRAME.size
        if kind == ROWS:
            starts.append(start)
            ends.append(stop)
        elif kind == NAMES:
            found = json.loads(bytes(self._view[start:stop]))
            if isinstance(found, list):  # of the former version: after a hole nobody knows whose turn it is
                found = {"first": len(self._names), "names": [] if self.holes else found}
            self._names.update(enumerate(found["names"], found["first"]))
        elif kind in (DESCRIPTION, _FORMER_DESCRIPTION) and self.description is None:
            self.description = json.loads(bytes(self._view[start:stop]))
            self.fields = tuple(Field(*field) for field in self.description["fields"])
            sizes = [np.dtype(field.dtype).itemsize for field in self.fields]
            if sizes != sorted(sizes, reverse=True):
                raise TickwaxError(f"{self.path}: its columns do not begin with the wide ones")

    def _whole(self, at: int) -> int:
        """Where the frame at a place ends, if it is whole; otherwise 0."""
        start = at + FRAME.size
        if start > len(self._view):
            return 0
        crc, _, length = FRAME.unpack_from(self._view, at)
        if length > len(self._view) - start or crc != checksum(self._view[at : start + length]):
            return 0
        return start + int(length)

    def _next_whole(self, at: int) -> int | None:
        """The place of the first whole frame behind one that is not."""
        words = self._data[: len(self._data) // _WORD * _WORD].view("<u8")
        place = at // _WORD
        while True:
            place = next_header(words, place + 1)
            if place >= len(words):
                return None
            if self._whole(place * _WORD):
                return place * _WORD

    def _is_cut_off(self, at: int) -> bool:
        """Whether the end looks as a crash leaves it: less of a frame than its header says, or blocks not written."""
        start = at + FRAME.size
        if start > len(self._view):
            return True
        _, kind, length = FRAME.unpack_from(self._view, at)
        if _FORMER_DESCRIPTION <= kind <= LAST_KIND and length > len(self._view) - start:
            return True
        blocks = self._data[-(-at // _UNWRITTEN) * _UNWRITTEN :]
        whole = len(blocks) // _UNWRITTEN * _UNWRITTEN
        empty = whole and not blocks[:whole].reshape(-1, _UNWRITTEN).any(axis=1).all()
        return bool(empty or not self._data[at:].any())

    def items(self, code: int) -> Int64s:
        """The numbers of an instrument's items, in order."""
        return np.flatnonzero(self.code == code)

    def by_key(self) -> Iterator[tuple[str, Int64s]]:
        """Every instrument with the numbers of its items."""
        order = np.argsort(self.code, kind="stable")
        keys = self.keys
        cuts = np.searchsorted(self.code[order], np.arange(len(keys) + 1))
        for code, key in enumerate(keys):
            if cuts[code] < cuts[code + 1]:
                yield key, order[cuts[code] : cuts[code + 1]]

    def parts(self, items: Int64s, most_rows: int) -> Iterator[Int64s]:
        """The same items in groups of about ``most_rows`` rows."""
        group = np.cumsum(self.rows[items]) // most_rows
        yield from np.split(items, np.flatnonzero(np.diff(group)) + 1)

    def read(self, items: Int64s, name: str) -> Any:
        """One field of these items, joined: shape ``(rows,)`` or ``(columns, rows)``.

        Raises:
            KeyError: the journal has no such field.
        """
        before = 0
        for field in self.fields:
            if field.name == name:
                break
            before += field.row_bytes
        else:
            raise KeyError(name)
        dtype = np.dtype(field.dtype)
        word = np.dtype(f"<u{dtype.itemsize}")
        at, rows = self.at[items], self.rows[items]
        out = np.empty((max(1, field.columns), int(rows.sum())), dtype)
        whole = len(self._data) // dtype.itemsize * dtype.itemsize
        gather(self._data[:whole].view(word), (at + rows * before) // dtype.itemsize, rows, out.view(word))
        return out if field.columns else out[0]
