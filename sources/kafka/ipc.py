"""Arrow IPC streams of whoever may write to a topic: bounded before Arrow reads them, valid before anything uses them.

Arrow takes sizes and places in a stream at their word: numbers that do not fit end a process with a signal as soon as a
column is read. And buffers may be compressed: each begins with the size that it says it will have.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

from sources.tape.arrow import ODD

MESSAGE_BYTES = 16 << 20  # of a message; those that are sent here have half a megabyte
INFLATED_BYTES = 64 << 20  # of its buffers in memory
_WORDS = 1 << 7  # of a dictionary, whose codes have 8 bits

_U16, _U32, _I32, _I64 = (struct.Struct(f"<{sign}") for sign in "HIiq")
_CONTINUES = 0xFFFFFFFF  # begins a frame, before its length
_DICTIONARY, _BATCH = 2, 3  # kinds of frame
_USUAL = 4096  # bytes of a frame without its body
_BUFFER = 16  # bytes of an entry that tells where a buffer lies


class MalformedError(ValueError):
    """It is no such stream; the text says why, in a line."""


def read_batch(value: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of a stream, whole and valid.

    Raises:
        MalformedError: it is no stream of this schema, is damaged, has no rows or is too large.
    """
    try:
        _check_sizes(value)
        with pa.ipc.open_stream(value) as stream:
            if stream.schema != schema:
                raise MalformedError(f"its columns are not {', '.join(schema.names)}")
            batches = []
            for batch in stream:
                batch.validate(full=True)
                batches.append(batch)
    except MalformedError:
        raise
    except (*ODD, struct.error) as e:
        raise MalformedError(f"cannot be read: {(str(e).splitlines() or [type(e).__name__])[0]}") from None
    for column in (column for batch in batches for column in batch.columns):
        if pa.types.is_dictionary(column.type) and len(column.dictionary) > _WORDS:
            raise MalformedError(f"a dictionary of {len(column.dictionary):,} words; {_WORDS} are allowed")
    filled = [batch for batch in batches if batch.num_rows]
    if not filled:
        raise MalformedError("it has no rows")
    return filled[0] if len(filled) == 1 else pa.Table.from_batches(filled).combine_chunks().to_batches()[0]


def _check_sizes(value: bytes) -> None:
    """Whether a stream would take no more memory than is allowed; reads of its frames what tells that."""
    if len(value) > MESSAGE_BYTES:
        raise MalformedError(f"{len(value):,} bytes; {MESSAGE_BYTES:,} are allowed")
    at = inflated = 0
    while at < len(value):
        (size,) = _U32.unpack_from(value, at)
        at += _U32.size
        if size == _CONTINUES:
            (size,) = _U32.unpack_from(value, at)
            at += _U32.size
        if not size:
            return
        body = at + size
        if body > len(value):
            raise MalformedError("cannot be read: it ends within a frame")
        length, buffers = (_usual_frame if size <= _USUAL else _frame)(value[at:body])
        if not 0 <= length <= len(value) - body:
            raise MalformedError("cannot be read: it ends within a frame")
        for start, stored in buffers:
            if stored:
                if not 0 <= start <= length - _I64.size:
                    raise MalformedError("cannot be read: a buffer lies outside its frame")
                inflated += max(0, _I64.unpack_from(value, body + start)[0])
        if inflated > INFLATED_BYTES:
            raise MalformedError(f"{inflated:,} bytes in memory; {INFLATED_BYTES:,} are allowed")
        at = body + length


def _frame(data: bytes) -> tuple[int, Sequence[tuple[int, int]]]:
    """Length of a frame's body and, if they are compressed, place and length of the buffers in it."""
    message = _follow(data, 0)
    kind, header, length = (_field(data, message, n) for n in (1, 2, 3))
    body = _I64.unpack_from(data, length)[0] if length else 0
    if not (kind and header and data[kind] in (_DICTIONARY, _BATCH)):
        return body, ()
    batch = _follow(data, header)
    if data[kind] == _DICTIONARY:
        inner = _field(data, batch, 1)
        if not inner:
            return body, ()
        batch = _follow(data, inner)
    buffers, compression = _field(data, batch, 2), _field(data, batch, 3)
    if not (buffers and compression):
        return body, ()
    first = _follow(data, buffers)
    end = first + _U32.size + _BUFFER * _U32.unpack_from(data, first)[0]
    if end > len(data):
        raise MalformedError("cannot be read: it has more buffers than bytes")
    return body, tuple(struct.iter_unpack("<qq", data[first + _U32.size : end]))


_usual_frame = lru_cache(64)(_frame)  # a producer's messages begin alike


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a FlatBuffers table lies; 0 if it is not there."""
    fields = table - _I32.unpack_from(data, table)[0]
    if fields < 0:
        raise MalformedError("cannot be read: a table lies outside its frame")
    slot = 2 * (2 + number)  # after the sizes of this list and of the table
    if slot + _U16.size > _U16.unpack_from(data, fields)[0]:
        return 0
    offset: int = _U16.unpack_from(data, fields + slot)[0]
    return table + offset if offset else 0


def _follow(data: bytes, at: int) -> int:
    """Where what is referred to lies."""
    place: int = at + _U32.unpack_from(data, at)[0]
    return place
