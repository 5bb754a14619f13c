"""The journal: rows of many instruments as they come, in one file that is only appended to; reading it back.

After eight bytes that name format and version follow frames, each of a header (CRC-32 of all that follows in the frame,
kind, length of the payload) and a payload whose length is a multiple of eight. The first frame describes the columns
(JSON), some name instruments (JSON, a list; the n-th name ever given has code n), the others hold rows: for every
instrument its code, a number of rows, and then column after column, little-endian, padded to eight bytes, the wide ones
first, so that every value is aligned. A frame that is cut off, or whose checksum does not hold, ends the journal.

Rows are raw columns and no Arrow IPC messages, because a live run appends a few rows at a time: a record batch of the
73 feature columns costs 300 µs to make and write, its four arrays as they are 3 µs.
"""

import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from sources.errors import TickwaxError
from sources.events import Int64s
from sources.jit import kernel

MAGIC = b"TWJRNL\x01\n"
FRAME = struct.Struct("<IIQ")  # CRC-32, kind, bytes of payload
ITEM = struct.Struct("<II")  # code of the instrument, rows
DESCRIPTION, NAMES, ROWS = 1, 2, 3

_CRC_BYTES = 4

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.unsignedinteger[Any]]


class Field(NamedTuple):
    """One array of an item: of shape ``(rows,)``, or ``(columns, rows)`` if ``columns`` is not 0."""

    name: str
    dtype: str
    columns: int = 0

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return np.dtype(self.dtype).itemsize * max(1, self.columns)


def checksum(frame: bytearray | memoryview) -> int:
    """CRC-32 of a whole frame but for its first field, which holds it."""
    return isal_zlib.crc32(memoryview(frame)[_CRC_BYTES:])


@kernel
def count_items(data: Bytes, starts: Int64s, ends: Int64s, row_bytes: int) -> int:
    """How many items frames of rows hold; −1 if one of them does not end where it should.

    Args:
        data: the file.
        starts, ends: of the frames' payloads.
        row_bytes: bytes of a row over all columns.
    """
    count = 0
    for f in range(len(starts)):
        at = starts[f]
        while at < ends[f]:
            rows = np.int64(0)
            for b in range(4):
                rows |= np.int64(data[at + 4 + b]) << (8 * b)
            at += 8 + ((rows * row_bytes + 7) & ~7)
            count += 1
        if at != ends[f]:
            return -1
    return count


@kernel
def find_items(
    data: Bytes, starts: Int64s, ends: Int64s, row_bytes: int, code: Int64s, rows: Int64s, at: Int64s
) -> None:
    """Code, rows and place of the first column of every item; arguments as in `count_items`."""
    n = 0
    for f in range(len(starts)):
        place = starts[f]
        while place < ends[f]:
            code[n] = rows[n] = 0
            for b in range(4):
                code[n] |= np.int64(data[place + b]) << (8 * b)
                rows[n] |= np.int64(data[place + 4 + b]) << (8 * b)
            at[n] = place + 8
            place += 8 + ((rows[n] * row_bytes + 7) & ~7)
            n += 1


@kernel
def gather(data: Values, at: Int64s, rows: Int64s, out: Values) -> None:
    """Join one array of several items.

    Args:
        data: the file, in values of the array's size.
        at: where the array begins in each item, in values.
        rows: of each item.
        out: shape ``(columns, rows of all)``.
    """
    filled = np.uint64(0)
    for i in range(len(at)):
        count = np.uint64(rows[i])  # unsigned indices: none is negative, so the copy becomes vector instructions
        start = np.uint64(at[i])
        for c in range(out.shape[0]):
            for r in range(count):
                out[c, filled + r] = data[start + r]
            start += count
        filled += count


def compile_kernels() -> None:
    """Before a run, which may read its journals first when it ends and has little time left."""
    data, none = np.frombuffer(bytes(8), np.uint8), np.empty(0, np.int64)
    count_items(data, none, none, 1)
    find_items(data, none, none, 1, none, none, none)
    for word in ("<u1", "<u8"):
        gather(data.view(word), none, none, np.empty((1, 0), word))


class Journal:
    """What a journal holds, up to the last frame that is whole. Later frames are not seen, and nothing is changed."""

    def __init__(self, path: Path, end: int | None = None) -> None:
        """Find every item.

        Args:
            end: read no further than this position; None: the end of the file.

        Raises:
            TickwaxError: the file is no journal, or one of another version.
            OSError: it cannot be read.
        """
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, 2) if end is None else min(end, file.seek(0, 2))
            # A map outlives the file's name: a journal may be compacted and removed while somebody reads it.
            view: Any = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        self._data: Bytes = np.frombuffer(view, np.uint8)
        self.keys: list[str] = []
        self.description: dict[str, Any] | None = None  # None: not even the first frame is whole
        self.fields: tuple[Field, ...] = ()  # of its items
        self.end = 0  # just after the last whole frame
        head = bytes(self._data[: len(MAGIC)])
        if not MAGIC.startswith(head.rstrip(b"\0")):  # zeros: the power went before anything was on the disk
            raise TickwaxError(f"{path}: is no journal of this version of tickwax")
        starts, ends = self._frames(memoryview(view))
        row_bytes = self.row_bytes
        count = count_items(self._data, starts, ends, row_bytes)
        if count < 0:
            raise TickwaxError(f"{path}: a frame does not hold what it says")
        self.code, self.rows, self.at = np.empty((3, count), np.int64)  # of every item, in order
        find_items(self._data, starts, ends, row_bytes, self.code, self.rows, self.at)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row over all fields."""
        return sum(field.row_bytes for field in self.fields)

    def _frames(self, view: memoryview) -> tuple[Int64s, Int64s]:
        """Where the payloads with rows begin and end; reads the others on the way."""
        starts: list[int] = []
        ends: list[int] = []
        at, size = len(MAGIC), len(view)
        if view[:at] != MAGIC:
            size = 0
        else:
            self.end = at
        while at + FRAME.size <= size:
            crc, kind, length = FRAME.unpack_from(view, at)
            start = at + FRAME.size
            if length > size - start or crc != checksum(view[at : start + length]):
                break
            at = start + length
            if kind == ROWS:
                starts.append(start)
                ends.append(at)
            elif kind == NAMES:
                self.keys += json.loads(bytes(view[start:at]))
            elif kind == DESCRIPTION:
                self.description = json.loads(bytes(view[start:at]))
                self.fields = tuple(Field(*field) for field in self.description["fields"])
                sizes = [np.dtype(field.dtype).itemsize for field in self.fields]
                if sizes != sorted(sizes, reverse=True):
                    raise TickwaxError(f"{self.path}: its columns do not begin with the wide ones")
            self.end = at
        return np.array(starts, np.int64), np.array(ends, np.int64)

    def items(self, code: int) -> Int64s:
        """The numbers of an instrument's items, in order."""
        return np.flatnonzero(self.code == code)

    def by_key(self) -> Iterator[tuple[str, Int64s]]:
        """Every instrument with the numbers of its items."""
        order = np.argsort(self.code, kind="stable")
        cuts = np.searchsorted(self.code[order], np.arange(len(self.keys) + 1))
        for code, key in enumerate(self.keys):
            if cuts[code] < cuts[code + 1]:
                yield key, order[cuts[code] : cuts[code + 1]]

    def parts(self, items: Int64s, most_rows: int) -> Iterator[Int64s]:
        """The same items in groups of about ``most_rows`` rows."""
        group = np.cumsum(self.rows[items]) // most_rows
        yield from np.split(items, np.flatnonzero(np.diff(group)) + 1)

    def read(self, items: Int64s, name: str) -> Any:
        """One field of these items, joined: shape ``(rows,)`` or ``(columns, rows)``."""
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
