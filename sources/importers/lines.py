"""Lines of a raw capture, ``<receive time> <JSON>``, told apart without decoding them.

Most lines of a capture may belong to streams that the tape does not record (a best-price stream is two thirds of a
futures capture). One kernel finds every line's receive time and stream name, so that only the others are decoded.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sources.jit import kernel
from sources.tape.batch import Bools, Int64s
from sources.tape.bounds import is_time

MAX_STREAMS = 4096
_MAX_NAME = 64  # bytes of a stream's name that the table holds
_PREFIX = np.frombuffer(b'{"stream":"', np.uint8)

_NEWLINE = 10
UNKNOWN = -1  # stream of a line whose JSON does not begin with a plain stream name

Bytes = npt.NDArray[np.uint8]


class StreamTable(NamedTuple):
    """The stream names seen so far; a line's stream is its name's place here."""

    names: Bytes  # (MAX_STREAMS, _MAX_NAME)
    lengths: Int64s  # (MAX_STREAMS,)
    used: Int64s  # (1,)

    def name(self, stream: int) -> str:
        """A stream's name."""
        return self.names[stream, : self.lengths[stream]].tobytes().decode("utf-8", "replace")


class Lines(NamedTuple):
    """A block of text and what its non-empty lines are, every array of shape ``(lines,)``."""

    text: bytes
    lines: int  # empty ones too
    number: Int64s  # line number in the block, from 0; empty lines count
    receive_ts: Int64s  # ns; -1 when the line begins with no time
    start: Int64s  # of the JSON
    stop: Int64s
    stream: Int64s  # place in the table, or UNKNOWN
    closed: Bools  # it ends like a whole frame


def stream_table() -> StreamTable:
    """An empty table."""
    return StreamTable(
        np.zeros((MAX_STREAMS, _MAX_NAME), np.uint8), np.zeros(MAX_STREAMS, np.int64), np.zeros(1, np.int64)
    )


def index_lines(text: bytes, table: StreamTable) -> Lines:
    """Find the lines of ``text``; streams that are new get a place in ``table``.

    A receive time of 16 digits is in microseconds, one of 19 in nanoseconds.
    """
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(characters == _NEWLINE)
    if not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    number, receive_ts, start, stop, stream = (np.empty(len(ends), np.int64) for _ in range(5))
    closed = np.empty(len(ends), np.bool_)
    count = _index(characters, ends, table, number, receive_ts, start, stop, stream, closed)
    columns = (number, receive_ts, start, stop, stream)
    return Lines._make([text, len(ends), *(column[:count] for column in columns), closed[:count]])


@kernel
def _index(
    text: Bytes,
    ends: Int64s,
    table: StreamTable,
    number: Int64s,
    receive_ts: Int64s,
    start: Int64s,
    stop: Int64s,
    stream: Int64s,
    closed: Bools,
) -> int:
    row = 0
    begin = 0
    for line in range(len(ends)):
        end = ends[line]
        if end > begin and text[end - 1] == 13:
            end -= 1
        if end > begin:
            time, at = _time(text, begin, end)
            number[row] = line
            receive_ts[row] = time
            start[row] = at
            stop[row] = end
            stream[row] = _stream(text, at, end, table) if time >= 0 else UNKNOWN
            closed[row] = end - begin > 1 and text[end - 1] == 125 and text[end - 2] in (93, 125)  # `]}` or `}}`
            row += 1
        begin = ends[line] + 1
    return row


@kernel
def _time(text: Bytes, begin: int, end: int) -> tuple[int, int]:
    """The receive time that a line begins with, in ns, and where its JSON begins; -1 and ``begin`` without one."""
    time = 0
    at = begin
    while at < end and at - begin < 19 and 48 <= text[at] <= 57:
        time = time * 10 + (int(text[at]) - 48)
        at += 1
    digits = at - begin
    if (digits != 16 and digits != 19) or at >= end or text[at] != 32:
        return -1, begin
    if digits == 16:
        time *= 1000
    if not is_time(time):  # too large for 64 bits comes out negative
        return -1, begin
    return time, at + 1


@kernel
def _stream(text: Bytes, at: int, stop: int, table: StreamTable) -> int:
    """Place in the table of the stream name that the JSON ``text[at:stop]`` begins with."""
    if at + len(_PREFIX) >= stop:
        return UNKNOWN
    for i in range(len(_PREFIX)):
        if text[at + i] != _PREFIX[i]:
            return UNKNOWN
    at += len(_PREFIX)
    end = at
    while end < stop and end - at <= _MAX_NAME and text[end] != 34:
        if text[end] == 92:  # an escaped character: not the plain name
            return UNKNOWN
        end += 1
    length = end - at
    if length == 0 or length > _MAX_NAME or end >= stop:
        return UNKNOWN
    known = table.used[0]
    for place in range(known):
        if table.lengths[place] == length:
            same = True
            for i in range(length):
                if table.names[place, i] != text[at + i]:
                    same = False
                    break
            if same:
                return int(place)
    if known == len(table.lengths):
        return UNKNOWN
    table.names[known, :length] = text[at:end]
    table.lengths[known] = length
    table.used[0] = known + 1
    return int(known)
