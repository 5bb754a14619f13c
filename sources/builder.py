"""From checked messages to tape rows: ordinals, contiguous messages, and the rules for ``reset``."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sources.events import DELTA, RESET, SNAPSHOT, TRADE, Float64s, Int8s, TapeBatch, tape_batch


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


_NO_LEVEL = Levels(np.zeros(1, np.int8), np.zeros(1), np.zeros(1))


class TapeBuilder:
    """Collects one instrument's messages, in order, and gives them back as a batch of tape rows.

    It keeps the tape's invariants: ordinals rise by one, a message without levels leaves no row, no book row is
    written while the book is unknown, no second ``reset`` follows a first. An appended tape whose book was known, or
    whose last message is torn, begins with a ``reset``.
    """

    def __init__(self, tail: TapeTail | None = None) -> None:
        self.tail = tail or TapeTail()
        self._must_reset = self.tail.book_known or self.tail.torn
        self._levels: list[Levels] = []
        # One entry a message: kind, exchange_ts, receive_ts, sequence, number of rows.
        self._messages: list[tuple[int, int, int, int, int]] = []
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
        levels = Levels(np.array([side], np.int8), np.array([price]), np.array([size]))
        self._append(TRADE, exchange_ts, receive_ts, trade_id, levels)

    def reset(self, receive_ts: int) -> None:
        """Continuity was lost; does nothing while the book is unknown anyway (a torn message aside)."""
        if not (self.tail.book_known or self.tail.torn or self._must_reset):
            return
        self._must_reset = False
        self.tail.book_known = self.tail.torn = False
        exchange_ts = receive_ts if self.tail.exchange_ts is None else self.tail.exchange_ts
        self.resets += 1
        self._append(RESET, exchange_ts, receive_ts, self.tail.book_sequence, _NO_LEVEL)

    def take(self) -> TapeBatch | None:
        """The rows collected since the last call; None when there are none."""
        if not self._messages:
            return None
        kind, exchange_ts, receive_ts, sequence, counts = (
            np.array(column, np.int64) for column in zip(*self._messages, strict=True)
        )
        rows = int(counts.sum())
        last = np.zeros(rows, np.bool_)
        last[np.cumsum(counts) - 1] = True
        side, price, size = (np.concatenate(column) for column in zip(*self._levels, strict=True))
        first = self.tail.next_ordinal
        batch = tape_batch(
            ordinal=np.arange(first, first + rows, dtype=np.int64),
            exchange_ts=np.repeat(exchange_ts, counts),
            receive_ts=np.repeat(receive_ts, counts),
            sequence=np.repeat(sequence, counts),
            kind=np.repeat(kind.astype(np.int8), counts),
            side=side,
            price=price,
            size=size,
            last=last,
        )
        self.tail.next_ordinal += rows
        self.rows += rows
        self._messages.clear()
        self._levels.clear()
        return batch

    def _before(self, receive_ts: int) -> None:
        if self._must_reset:
            self.reset(receive_ts)

    def _append(self, kind: int, exchange_ts: int, receive_ts: int, sequence: int, levels: Levels) -> None:
        self.tail.exchange_ts = exchange_ts
        self._messages.append((kind, exchange_ts, receive_ts, sequence, len(levels.price)))
        self._levels.append(levels)
