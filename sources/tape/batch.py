"""The tape's events in columns: what every source hands over and every operator reads."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.instrument import Instrument
from sources.tape.bounds import in_kernels

Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]
Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Codes of ``kind`` in memory; the tape's files hold the words.
SNAPSHOT, DELTA, TRADE, RESET = 0, 1, 2, 3
MARK, FUNDING, OPEN_INTEREST, LIQUIDATION = 4, 5, 6, 7  # derivatives: what there is beside the book and its trades
KINDS = ("snapshot", "delta", "trade", "reset", "mark", "funding", "open_interest", "liquidation")


@in_kernels
def is_book(kind: Any) -> Any:
    """Whether rows of a kind tell of the book; rows of other kinds are a whole message each.

    Args:
        kind: a code or an array of codes.

    >>> [word for code, word in enumerate(KINDS) if is_book(code)]
    ['snapshot', 'delta', 'reset']
    """
    return (kind <= DELTA) | (kind == RESET)


@in_kernels
def is_derivative(kind: Any) -> Any:
    """Whether rows of a kind are beside the book and its trades: they move no clock (docs/tape.md, 2.3).

    Args:
        kind: a code or an array of codes.

    >>> [word for code, word in enumerate(KINDS) if is_derivative(code)]
    ['mark', 'funding', 'open_interest', 'liquidation']
    """
    return kind > RESET


class TapeBatch(NamedTuple):
    """Consecutive rows of one instrument's tape, every column of shape ``(rows,)``.

    Columns, units and invariants are those of the tape itself: times are nanoseconds since the epoch, ``side`` is
    +1 bid or buyer-aggressor, −1 ask or seller-aggressor, 0 on a reset; a book size is absolute and 0 removes the
    level; ``last`` closes an exchange message. What derivatives hold in them: docs/tape.md, 2.3.
    """

    ordinal: Int64s
    exchange_ts: Int64s
    receive_ts: Int64s
    sequence: Int64s
    kind: Int8s
    side: Int8s
    price: Float64s
    size: Float64s
    last: Bools

    @property
    def rows(self) -> int:
        """Number of rows; ``len()`` of a named tuple is its number of columns."""
        return len(self.ordinal)

    def slice(self, start: int, stop: int) -> "TapeBatch":
        """Rows ``start:stop`` as views."""
        return TapeBatch._make(column[start:stop] for column in self)


def market_rows(batch: TapeBatch) -> TapeBatch:
    """The rows of the book and its trades, without derivatives; the same batch where it has none."""
    beside = is_derivative(batch.kind)
    return TapeBatch._make(column[~beside] if len(column) else column for column in batch) if beside.any() else batch


class InstrumentBatch(NamedTuple):
    """Rows with the instrument they belong to: the item that flows from a source, keyed by ``str(instrument)``."""

    instrument: Instrument
    batch: TapeBatch
    ended: bool = False  # no more rows of the instrument will come
    cut_levels: int = 0  # levels a side that every book was cut to before it was recorded; 0: to none


DTYPES: dict[str, type[np.generic]] = {
    "ordinal": np.int64,
    "exchange_ts": np.int64,
    "receive_ts": np.int64,
    "sequence": np.int64,
    "kind": np.int8,
    "side": np.int8,
    "price": np.float64,
    "size": np.float64,
    "last": np.bool_,
}


def tape_batch(**columns: Any) -> TapeBatch:
    """Build a batch from sequences, one keyword a column; each becomes a contiguous array of its type.

    Raises:
        ValueError: the columns differ in length.
    """
    arrays = {name: np.ascontiguousarray(columns[name], dtype=dtype) for name, dtype in DTYPES.items()}
    if len({len(a) for a in arrays.values()}) != 1:
        raise ValueError("columns of a tape batch differ in length")
    return TapeBatch(**arrays)


def concat(batches: "list[TapeBatch]") -> TapeBatch:
    """Join consecutive batches; an empty list gives an empty batch."""
    if not batches:
        return tape_batch(**{name: [] for name in DTYPES})
    if len(batches) == 1:
        return batches[0]
    return TapeBatch._make(np.concatenate(columns) for columns in zip(*batches, strict=True))
