"""The loops of `sources.tape.journal_format` over a file's bytes, compiled."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sources.jit import kernel
from sources.tape.batch import Int64s

LAST_KIND = 4  # of a frame

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.unsignedinteger[Any]]
Words = npt.NDArray[np.uint64]


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


@kernel
def next_header(words: Words, start: int) -> int:
    """The first place at ``start`` or later where a frame's header may stand; the number of words if there is none.

    Args:
        words: the file, in words of eight bytes; places are counted in them, too.
    """
    last = np.uint64(LAST_KIND)
    for i in range(start, len(words) - 1):
        kind = words[i] >> np.uint64(32)
        if kind == 0 or kind > last:
            continue
        length = words[i + 1]
        if length & np.uint64(7) == 0 and length >> np.uint64(3) <= np.uint64(len(words) - i - 2):
            return i
    return len(words)


def compile_kernels() -> None:
    """Before a run, which may read its journals first when it ends and has little time left."""
    data, none = np.frombuffer(bytes(8), np.uint8), np.empty(0, np.int64)
    next_header(data.view("<u8"), 0)
    count_items(data, none, none, 1)
    find_items(data, none, none, 1, none, none, none)
    for word in ("<u1", "<u8"):
        gather(data.view(word), none, none, np.empty((1, 0), word))
