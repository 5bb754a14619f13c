"""From checked messages to tape rows: ordinals, contiguous messages, and the rules for ``reset``."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.events import DELTA, RESET, SNAPSHOT, TRADE, Float64s, Int8s, Int64s, TapeBatch, concat, tape_batch


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


NO_LEVELS = Levels(np.zeros(0, np.int8), np.zeros(0), np.zeros(0))
_RESET_ROW = Levels(np.zeros(1, np.int8), np.zeros(1), np.zeros(1))


class TapeBuilder:
    """Collects one instrument's messages, in order, and gives them back as a batch of tape rows.

    It keeps the tape's invariants: ordinals rise by one, a message without levels leaves no row, no book row is
    written while the book is unknown, no second ``reset`` follows a first. An appended tape whose book was known, or
    whose last message is torn, begins with a ``reset``.
    """

    def __init__(self, tail: TapeTail | None = None) -> None:
        self.tail = tail or TapeTail()
        self._must_reset = self.tail.book_known or self.tail.torn
        # One entry a message: kind, exchange_ts, receive_ts, sequence, number of rows.
        self._messages: list[tuple[int, int, int, int, int]] = []
        self._levels: list[Levels] = []  # of all messages but trades
        self._trades: list[tuple[int, float, float]] = []  # side, price, size
        self._parts: list[TapeBatch] = []  # finished rows, but for their ordinals
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
        self._before(receive_ts)
        self.tail.exchange_ts = exchange_ts
        self._messages.append((TRADE, exchange_ts, receive_ts, trade_id, 1))
        self._trades.append((side, price, size))

    def reset(self, receive_ts: int) -> None:
        """Continuity was lost; does nothing while the book is unknown anyway (a torn message aside)."""
        if not (self.tail.book_known or self.tail.torn or self._must_reset):
            return
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

    def take(self) -> TapeBatch | None:
        """The rows collected since the last call; None when there are none."""
        self._close_part()
        if not self._parts:
            return None
        rows = concat(self._parts)
        self._parts.clear()
        first = self.tail.next_ordinal
        self.tail.next_ordinal += rows.rows
        self.rows += rows.rows
        return rows._replace(ordinal=np.arange(first, first + rows.rows, dtype=np.int64))

    def _close_part(self) -> None:
        """Turn the messages into rows."""
        if not self._messages:
            return
        kind, exchange_ts, receive_ts, sequence, counts = np.array(self._messages, np.int64).T
        ends = np.cumsum(counts)
        rows = int(ends[-1])
        last = np.zeros(rows, np.bool_)
        last[ends - 1] = True
        side, price, size = self._columns(rows, ends[kind == TRADE] - 1)
        self._parts.append(
            tape_batch(
                ordinal=np.zeros(rows, np.int64),
                exchange_ts=np.repeat(exchange_ts, counts),
                receive_ts=np.repeat(receive_ts, counts),
                sequence=np.repeat(sequence, counts),
                kind=np.repeat(kind.astype(np.int8), counts),
                side=side,
                price=price,
                size=size,
                last=last,
            )
        )
        self._messages.clear()
        self._levels.clear()
        self._trades.clear()

    def _columns(self, rows: int, at: Int64s) -> Levels:
        """Side, price and size of every row; the trades stand at rows ``at``, the levels fill the others."""
        out = Levels(np.empty(rows, np.int8), np.empty(rows), np.empty(rows))
        columns: tuple[npt.NDArray[Any], ...] = out
        levels = np.ones(rows, np.bool_)
        levels[at] = False
        if self._levels:
            for column, parts in zip(columns, zip(*self._levels, strict=True), strict=True):
                column[levels] = np.concatenate(parts)
        if self._trades:
            for column, values in zip(columns, zip(*self._trades, strict=True), strict=True):
                column[at] = values
        return out

    def _before(self, receive_ts: int) -> None:
        if self._must_reset:
            self.reset(receive_ts)

    def _append(self, kind: int, exchange_ts: int, receive_ts: int, sequence: int, levels: Levels) -> None:
        self.tail.exchange_ts = exchange_ts
        self._messages.append((kind, exchange_ts, receive_ts, sequence, len(levels.price)))
        self._levels.append(levels)
