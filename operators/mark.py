"""How far a step has come with an instrument: kept with its state, so that a resumption can hold it against how far the
source and the sinks have come."""

import struct
from collections.abc import Sequence
from typing import NamedTuple, Self

from operators.row_batch import TS
from operators.schema import ROW_ORDINAL
from sources.tape.batch import Int64s, TapeBatch

_FORM = struct.Struct("<qqq40x")  # a cache line, so that what follows stays aligned
_TRADED = struct.Struct("<qqqqqq16x")
MARK_BYTES = _FORM.size
assert _TRADED.size == MARK_BYTES


class Mark(NamedTuple):
    """Of features, after the rows that were processed."""

    next_ordinal: int = 0  # of the tape
    row_ts: int = 0  # newest feature row
    row_ordinal: int = -1  # its ordinal; −1: there is none yet

    def after(self, batch: TapeBatch, rows: Sequence[Int64s]) -> Self:
        """With a batch that was processed, and the integers of the feature rows that it completed."""
        ts, ordinal = self.row_ts, self.row_ordinal
        for integer in rows:
            if integer.shape[1]:
                ts, ordinal = int(integer[TS, -1]), int(integer[ROW_ORDINAL, -1])
        return type(self)(int(batch.ordinal[-1]) + 1 if batch.rows else self.next_ordinal, ts, ordinal)

    def pack(self) -> bytes:
        """As the first `MARK_BYTES` of what is kept."""
        return _FORM.pack(*self)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """As `pack` gave it."""
        return cls(*_FORM.unpack_from(data))


class TradeMark(NamedTuple):
    """Of trading, after the rows that were processed."""

    next_ordinal: int = 0  # of the tape
    orders: int = 0  # rows given so far, and so below
    fills: int = 0
    equity: int = 0
    applied: int = 0
    placements: int = 0

    def pack(self) -> bytes:
        """As the first `MARK_BYTES` of what is kept."""
        return _TRADED.pack(*self)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """As `pack` gave it."""
        return cls(*_TRADED.unpack_from(data))
