"""From checked messages to tape rows: ordinals, contiguous messages, and the rules for ``reset``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np

from sources.jit import CACHE
from sources.tape.batch import (
    DELTA,
    RESET,
    SNAPSHOT,
    TRADE,
    Float64s,
    Int8s,
    Int64s,
    TapeBatch,
    concat,
    is_derivative,
)
from sources.tape.bounds import is_time


class Levels(NamedTuple):
    """Price levels of one book message, shape ``(levels,)`` each, bids first or in the order the venue sent."""

    side: Int8s
    price: Float64s
    size: Float64s


@dataclass
class TapeTail:
    """What must be known of an existing tape to append to it (and of this one, while it grows)."""

    next_ordinal: int = 0
    exchange_ts: int | None = None  # of the last row; None on an empty tape
    book_sequence: int = 0  # the last known one
    book_known: bool = False  # a snapshot has come since the last reset
    torn: bool = False  # the last row does not close its message
    receive_ts: int | None = field(default=None, compare=False)  # the latest, as the tape was found; ns


NO_LEVELS = Levels(np.zeros(0, np.int8), np.zeros(0), np.zeros(0))
_RESET_ROW = Levels(np.zeros(1, np.int8), np.zeros(1), np.zeros(1))


class Messages:
    """Consecutive messages of one instrument that are not yet in rows."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, int, int, int]] = []  # kind, exchange_ts, receive_ts, sequence, rows
        self.levels: list[Levels] = []  # of the messages of the book
        self.singles: list[tuple[int, float, float]] = []  # of the others, a row each: side, price, size
        self.rows = 0


class Collected(NamedTuple):
    """Consecutive rows and messages of one instrument."""

    ordinal: int  # of the first row
    parts: list[TapeBatch | Messages]  # ordinals of rows are not read

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)


def batches(collected: Sequence[Collected]) -> list[TapeBatch | None]:
    """What was collected of each of many instruments, in rows; None where there is nothing.

    The messages of all of them become rows together, since in small batches it is the calls that cost.
    """
    parts = [(ordinal, part) for ordinal, parts in collected for part in parts if isinstance(part, Messages)]
    rows = iter(_in_rows(parts))
    out: list[TapeBatch | None] = []
    for ordinal, of_one in collected:
        if len(of_one) == 1 and isinstance(of_one[0], Messages):
            out.append(next(rows))
            continue
        whole = concat([part if isinstance(part, TapeBatch) else next(rows) for part in of_one])
        numbers = np.arange(ordinal, ordinal + whole.rows, dtype=np.int64)
        out.append(whole._replace(ordinal=numbers) if whole.rows else None)
    return out


def _in_rows(parts: Sequence[tuple[int, Messages]]) -> list[TapeBatch]:
    """Rows of messages, the first of each part with the given ordinal; the columns may not be written to."""
    if not parts:
        return []
    stops = list(accumulate(part.rows for _, part in parts))
    rows = stops[-1]
    whole, codes, real = np.empty((4, rows), np.int64), np.empty((3, rows), np.int8), np.empty((2, rows))
    levels = chain((NO_LEVELS,), *(part.levels for _, part in parts))
    side, price, size = (np.concatenate(columns) for columns in zip(*levels, strict=True))
    # `np.array` of a list of tuples takes three times as long.
    groups = np.array([(len(part.entries), ordinal) for ordinal, part in parts])
    entries = np.fromiter(_flat(part.entries for _, part in parts), np.int64).reshape(-1, 5)
    singles = np.fromiter(_flat(part.singles for _, part in parts), np.float64).reshape(-1, 3)
    _fill(groups, entries, side, price, size, singles, whole, codes, real)
    for array in (whole, codes, real):
        array.flags.writeable = False
    kind, side, last = codes
    columns = (*whole, kind, side, *real, last.view(np.bool_))
    if len(parts) == 1:
        return [TapeBatch._make(columns)]
    return [
        TapeBatch._make([column[start:stop] for column in columns])
        for start, stop in zip([0, *stops], stops, strict=False)
    ]


def _flat(parts: Iterable[Iterable[Iterable[Any]]]) -> Iterator[Any]:
    return chain.from_iterable(chain.from_iterable(parts))


@CACHE.short_kernel
def _fill(
    groups: Int64s, entries: Int64s, side: Int8s, price: Float64s, size: Float64s, singles: Float64s,
    whole: Int64s, codes: Int8s, real: Float64s,
) -> None:  # fmt: skip
    """Write columns: ``whole`` the four of integers, ``codes`` kind, side and last, ``real`` price and size."""
    row = level = single = m = 0
    for g in range(len(groups)):
        ordinal = groups[g, 1]
        for _ in range(groups[g, 0]):
            kind = entries[m, 0]
            for i in range(row, row + entries[m, 4]):
                whole[0, i] = ordinal
                whole[1, i] = entries[m, 1]
                whole[2, i] = entries[m, 2]
                whole[3, i] = entries[m, 3]
                ordinal += 1
                codes[0, i] = kind
                codes[2, i] = 0
                if kind == TRADE or is_derivative(kind):
                    codes[1, i] = int(singles[single, 0])
                    real[0, i] = singles[single, 1]
                    real[1, i] = singles[single, 2]
                    single += 1
                else:
                    codes[1, i] = side[level]
                    real[0, i] = price[level]
                    real[1, i] = size[level]
                    level += 1
            row += entries[m, 4]
            codes[2, row - 1] = 1
            m += 1


class TapeBuilder:
    """Collects one instrument's messages, in order, and gives them back as a batch of tape rows.

    It keeps the tape's invariants: ordinals rise by one, a message without levels leaves no row, no book row is
    written while the book is unknown, no second ``reset`` follows a first. An appended tape whose book was known, or
    whose last message is torn, begins with a ``reset``.
    """

    def __init__(self, tail: TapeTail | None = None) -> None:
        self.tail = tail or TapeTail()
        self._must_reset = self.tail.book_known or self.tail.torn
        self.received: int | None = None  # when the newest row was, ns
        self._messages = Messages()
        self._parts: list[TapeBatch | Messages] = []
        self.resets = 0
        self.rows = 0

    def snapshot(self, exchange_ts: int, receive_ts: int, sequence: int, levels: Levels) -> None:
        """A whole book; without levels it is a loss of continuity."""
        self._before(receive_ts)
        if len(levels.price) == 0:
            self.reset(receive_ts)
            return
        self.tail.book_known = True
        self.tail.book_sequence = sequence
        self._append(SNAPSHOT, exchange_ts, receive_ts, sequence, levels)

    def delta(self, exchange_ts: int, receive_ts: int, sequence: int, levels: Levels) -> None:
        """Changed levels; the caller has checked the sequence.

        Raises:
            ValueError: the book is unknown, so a snapshot was due first.
        """
        self._before(receive_ts)
        if not self.tail.book_known:
            raise ValueError("a delta before the snapshot of its book")
        self.tail.book_sequence = sequence
        if len(levels.price):
            self._append(DELTA, exchange_ts, receive_ts, sequence, levels)

    def trade(self, exchange_ts: int, receive_ts: int, trade_id: int, side: int, price: float, size: float) -> None:
        """One print; ``side`` is the aggressor's."""
        self._append_single(TRADE, exchange_ts, receive_ts, trade_id, side, price, size)

    def derivative(
        self, kind: int, exchange_ts: int, receive_ts: int, sequence: int, side: int, price: float, size: float
    ) -> None:
        """A mark price, a funding rate, an open interest or a liquidation, in the columns of docs/tape.md, 2.3."""
        self._append_single(kind, exchange_ts, receive_ts, sequence, side, price, size)

    def reset(self, receive_ts: int) -> None:
        """Continuity was lost; does nothing while the book is unknown anyway (a torn message aside).

        Args:
            receive_ts: when that was noticed. What has no time of its own, such as a line that cannot be read, was
                noticed with the row before; before the first row of an appended tape it says no more than that row
                will.
        """
        if not (self.tail.book_known or self.tail.torn or self._must_reset):
            return
        if not is_time(receive_ts):
            if self.received is None:
                return
            receive_ts = self.received
        self._must_reset = False
        self.tail.book_known = self.tail.torn = False
        exchange_ts = receive_ts if self.tail.exchange_ts is None else self.tail.exchange_ts
        self.resets += 1
        self._append(RESET, exchange_ts, receive_ts, self.tail.book_sequence, _RESET_ROW)

    def extend(self, rows: TapeBatch, book_sequence: int | None) -> None:
        """Whole messages at once, already in rows: trades, and deltas that continue the book.

        Args:
            rows: their ordinals are not read.
            book_sequence: that of the last delta, which may have no row; None when there is no delta.

        Raises:
            ValueError: there is a delta, and the book is unknown.
        """
        if rows.rows:
            self._before(int(rows.receive_ts[0]))
        if book_sequence is not None:
            if not self.tail.book_known:
                raise ValueError("a delta before the snapshot of its book")
            self.tail.book_sequence = book_sequence
        if rows.rows:
            self._close_part()
            self._parts.append(rows)
            self.tail.exchange_ts = int(rows.exchange_ts[-1])
            self.received = int(rows.receive_ts[-1])

    def take(self) -> TapeBatch | None:
        """The rows collected since the last call; None when there are none."""
        return batches([self.cut()])[0]

    def cut(self) -> Collected:
        """What was collected since the last call, not yet in rows: quick, for whoever holds a lock."""
        self._close_part()
        collected = Collected(self.tail.next_ordinal, self._parts)
        self._parts = []
        rows = collected.rows
        self.tail.next_ordinal += rows
        self.rows += rows
        return collected

    def _close_part(self) -> None:
        if self._messages.entries:
            self._parts.append(self._messages)
            self._messages = Messages()

    def _before(self, receive_ts: int) -> None:
        if self._must_reset:
            self.reset(receive_ts)
        self.received = receive_ts

    def _append_single(
        self, kind: int, exchange_ts: int, receive_ts: int, sequence: int, side: int, price: float, size: float
    ) -> None:
        self._before(receive_ts)
        self.tail.exchange_ts = exchange_ts
        self._messages.entries.append((kind, exchange_ts, receive_ts, sequence, 1))
        self._messages.singles.append((side, price, size))
        self._messages.rows += 1

    def _append(self, kind: int, exchange_ts: int, receive_ts: int, sequence: int, levels: Levels) -> None:
        self.tail.exchange_ts = exchange_ts
        self._messages.entries.append((kind, exchange_ts, receive_ts, sequence, len(levels.price)))
        self._messages.levels.append(levels)
        self._messages.rows += len(levels.price)
