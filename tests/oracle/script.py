"""Tapes written down by hand, message by message."""

from collections.abc import Sequence

import numpy as np

from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, tape_batch

Levels = Sequence[tuple[float, float]]


class Script:
    """Collects rows; every method returns the script, so that a tape reads as one expression."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, float, float, bool]] = []

    def row(self, ts: int, kind: int, side: int, price: float, size: float, last: bool = True) -> "Script":
        self.rows.append((ts, kind, side, price, size, last))
        return self

    def message(self, ts: int, kind: int, bids: Levels, asks: Levels, torn: bool = False) -> "Script":
        levels = [(1, *level) for level in bids] + [(-1, *level) for level in asks]
        for n, (side, price, size) in enumerate(levels, 1):
            self.row(ts, kind, side, price, size, n == len(levels) and not torn)
        return self

    def snapshot(self, ts: int, bids: Levels, asks: Levels, torn: bool = False) -> "Script":
        return self.message(ts, SNAPSHOT, bids, asks, torn)

    def delta(self, ts: int, bids: Levels = (), asks: Levels = (), torn: bool = False) -> "Script":
        return self.message(ts, DELTA, bids, asks, torn)

    def trade(self, ts: int, side: int, price: float, size: float) -> "Script":
        return self.row(ts, TRADE, side, price, size)

    def reset(self, ts: int) -> "Script":
        return self.row(ts, RESET, 0, 0.0, 0.0)

    def batch(self) -> TapeBatch:
        """The tape; a row is received 5 ns after it happened and numbered from 0."""
        ts, kind, side, price, size, last = zip(*self.rows, strict=True) if self.rows else ([],) * 6
        numbers = np.arange(len(self.rows))
        return tape_batch(
            ordinal=numbers,
            exchange_ts=ts,
            receive_ts=np.asarray(ts, np.int64) + 5,
            sequence=numbers,
            kind=kind,
            side=side,
            price=price,
            size=size,
            last=last,
        )
