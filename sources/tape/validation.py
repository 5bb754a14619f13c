"""What must hold of every tape row before a kernel reads it, and which deltas have no snapshot before them."""

from sources.jit import kernel
from sources.tape.batch import (
    DELTA,
    FUNDING,
    KINDS,
    LIQUIDATION,
    OPEN_INTEREST,
    RESET,
    SNAPSHOT,
    TRADE,
    Bools,
    Int8s,
    TapeBatch,
    is_derivative,
)
from sources.tape.bounds import LARGEST, is_price, is_rate, is_sequence, is_size, is_time

UNKNOWN_BOOK = "a delta without a snapshot before it; until the next snapshot there is no book"

_PRICES = {OPEN_INTEREST: "price {} of an open interest is not 0", FUNDING: "funding rate {} is beyond {:g}"}

GOOD, ORDINAL, EXCHANGE_TS, RECEIVE_TS, SEQUENCE, KIND, SIDE, PRICE, SIZE = range(9)


@kernel
def first_fault(batch: TapeBatch, ordinal: int) -> tuple[int, int]:
    """The first row that breaks the tape's rules and which one it breaks; ``(rows, GOOD)`` if none does.

    Ordinals follow one another; only a ``reset`` may come after rows that are missing, for it tells of the hole.

    Args:
        ordinal: of the row before the batch, −1 if there is none.
    """
    for i in range(len(batch.ordinal)):
        ordinal += 1
        if batch.ordinal[i] != ordinal:
            if batch.ordinal[i] < ordinal or batch.kind[i] != RESET:
                return i, ORDINAL
            ordinal = batch.ordinal[i]
        if not is_time(batch.exchange_ts[i]):
            return i, EXCHANGE_TS
        if not is_time(batch.receive_ts[i]):
            return i, RECEIVE_TS
        if not is_sequence(batch.sequence[i]):
            return i, SEQUENCE
        kind, side, price, size = batch.kind[i], batch.side[i], batch.price[i], batch.size[i]
        if kind < 0 or kind >= len(KINDS):
            return i, KIND
        if kind == RESET:
            if side != 0:
                return i, SIDE
            continue
        if is_derivative(kind) and kind != LIQUIDATION:
            if side != 0:
                return i, SIDE
            if not (price == 0.0 if kind == OPEN_INTEREST else is_rate(price) if kind == FUNDING else is_price(price)):
                return i, PRICE
            if not is_size(size):
                return i, SIZE
            continue
        if side != 1 and side != -1:
            return i, SIDE
        if not is_price(price):
            return i, PRICE
        if not is_size(size) or (kind in (TRADE, LIQUIDATION) and size == 0.0):
            return i, SIZE
    return len(batch.ordinal), GOOD


def describe(batch: TapeBatch, row: int, fault: int, ordinal: int) -> str:
    """The fault of `first_fault` in words: the value, and what is allowed."""
    before = batch.ordinal[row - 1] if row else ordinal
    return {
        ORDINAL: f"ordinal {batch.ordinal[row]} does not follow {before}; rows are missing, repeated or out of order",
        EXCHANGE_TS: f"exchange_ts {batch.exchange_ts[row]} ns is not between 1970 and 2116",
        RECEIVE_TS: f"receive_ts {batch.receive_ts[row]} ns is not between 1970 and 2116",
        SEQUENCE: f"sequence {batch.sequence[row]} is negative",
        KIND: f"kind is none of {', '.join(KINDS)}",
        SIDE: f"side {batch.side[row]} is not +1 or -1 (0 on a reset, a mark price, a funding rate, an open interest)",
        PRICE: _PRICES.get(int(batch.kind[row]), "price {} is not above 0 and at most {:g}").format(
            batch.price[row], LARGEST
        ),
        SIZE: f"size {batch.size[row]} is not between 0 and {LARGEST:g}, or a trade's is 0",
    }[fault]


class BookWatch:
    """Finds the first delta of a tape that comes while the book is unknown: it is of no book (docs/tape.md, 2.3)."""

    def __init__(self, known: bool = False) -> None:
        """``known``: rows before those that will be shown have made the book known, or have been judged."""
        self._known = known
        self._found = False

    def first(self, batch: TapeBatch) -> int | None:
        """Row of that delta, once; None if the batch has none, or one was found before."""
        if self._found:
            return None
        row, self._known = _first_unknown(batch.kind, batch.last, self._known)
        self._found = row < batch.rows
        return row if self._found else None


@kernel
def _first_unknown(kind: Int8s, last: Bools, known: bool) -> tuple[int, bool]:
    """The first delta of an unknown book, or the number of rows; and whether the book is known behind it."""
    for i in range(len(kind)):
        if kind[i] == DELTA:
            if not known:
                return i, known
        elif kind[i] == SNAPSHOT:
            known = last[i]  # not before its last row
        elif kind[i] == RESET:
            known = False
    return len(kind), known
