"""Consecutive rows of a CSV file of Tardis.dev, as columns, with what is wrong with each row."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sources.importers.names import Bits
from sources.tape.batch import Bools, Float64s, Int8s, Int64s

COMMON = ("exchange", "symbol", "timestamp", "local_timestamp")  # columns of every kind of file

FAULTS = (
    "",
    "another number of columns",
    "timestamp is no time in microseconds",
    "local_timestamp is no time in microseconds",
    "timestamp is more than 60 s after local_timestamp",
    "price is no decimal above 0",
    "amount is no decimal of at least 0",
    "side or is_snapshot is another word",
    "the file is damaged from here on",
)
TORN, DAMAGED = 1, len(FAULTS) - 1


class Block(NamedTuple):
    """Consecutive rows of one file, shape ``(rows,)`` each."""

    number: Int64s  # line of the file; the header is line 1
    instrument: Int64s  # a place in `Instruments`
    trade: Bools
    snapshot: Bools
    exchange_ts: Int64s  # ns
    receive_ts: Int64s  # ns; that of the row before where it cannot be read
    side: Int8s  # +1 bid or buyer-aggressor, -1 ask or seller-aggressor, 0 unknown aggressor
    price: Float64s
    size: Float64s
    trade_id: Int64s  # -1 where it is no integer
    name: Bits  # (rows, 2): then the text instead, if there is one; otherwise 0
    fault: Int64s  # what is wrong with the row, a place in FAULTS; 0 = nothing

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.number)

    @property
    def continues(self) -> Bools:
        """Whether a row belongs to the same snapshot as the row before: the exchange's time is the same.

        A torn row, whose time is not known, is by itself."""
        same = np.zeros(self.rows, np.bool_)
        same[1:] = self.snapshot[1:] & self.snapshot[:-1] & (np.diff(self.exchange_ts) == 0) & (self.fault[1:] != TORN)
        return same

    def slice(self, start: int, stop: int) -> "Block":
        """Rows ``start:stop``."""
        return Block._make(column[start:stop] for column in self)


def join(first: Block, second: Block) -> Block:
    """Rows of one block and of the next."""
    pairs: Iterator[tuple[Any, Any]] = zip(first, second, strict=True)
    return Block._make(np.concatenate(pair) for pair in pairs)


def rows_of_first_snapshot(block: Block) -> int:
    """How many rows from the first one on are of one snapshot."""
    apart = np.flatnonzero(~block.continues[1:]) + 1
    return (int(apart[0]) if len(apart) else block.rows) if block.snapshot[0] else 0
