"""From checked messages to tape rows: ordinals, contiguous messages, and the rules for ``reset``."""

from dataclasses import dataclass, field

import numpy as np

from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch
from sources.tape.bounds import is_time
from sources.tape.collected import ROWS, Collected, Levels, Messages, batches, rows_of

_RESET_ROW = Levels(np.zeros(1, np.int8), np.zeros(1), np.zeros(1))


@dataclass
class TapeTail:
    """What must be known of an existing tape to append to it (and of this one, while it grows)."""

    next_ordinal: int = 0
    exchange_ts: int | None = None  # of the last row; None on an empty tape
    book_sequence: int = 0  # the last known one
    book_known: bool = False  # a snapshot has come since the last reset
    torn: bool = False  # the last row does not close its message
    receive_ts: int | None = field(default=None, compare=False)  # the latest, as the tape was found; ns


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

    def prints(self, rows: TapeBatch, start: int, stop: int) -> None:
        """The trades ``start:stop`` of many, at least one; of few at once quicker than `extend`.

        Args:
            rows: not to be written to until these are taken; ordinals are not read.
        """
        self._before(int(rows.receive_ts[start]))
        messages = self._messages
        place = messages.places.get(id(rows))
        if place is None:
            place = messages.places[id(rows)] = rows_of(messages.blocks)
            messages.blocks.append(rows)
        messages.entries.append((ROWS, place + start, 0, 0, stop - start))
        messages.rows += stop - start
        self.tail.exchange_ts = int(rows.exchange_ts[stop - 1])
        self.received = int(rows.receive_ts[stop - 1])

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
