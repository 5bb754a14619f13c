"""The levels that rows of a tape leave in the book, written as the snapshot with which a part of the tape begins."""

import numpy as np

from sources.tape.batch import DELTA, RESET, SNAPSHOT, TapeBatch, tape_batch


class KnownLevels:
    """Absolute sizes by level, folded a batch at a time; for a book that is wanted once, not after every message."""

    def __init__(self) -> None:
        self._key = np.empty(0)  # side · price, rising
        self._size = np.empty(0)
        self._known = False
        self._open = False  # a snapshot message goes on in the next batch
        self._clock = 0

    def apply(self, batch: TapeBatch) -> None:
        """Take the rows that follow those of the call before."""
        if not batch.rows:
            return
        of_snapshot = batch.kind == SNAPSHOT
        goes_on = np.concatenate([[self._open], of_snapshot[:-1] & ~batch.last[:-1]])
        self._open = bool(of_snapshot[-1] and not batch.last[-1])
        begins = np.flatnonzero((of_snapshot & ~goes_on) | (batch.kind == RESET))
        start = 0
        if len(begins):
            start = int(begins[-1])
            self._key, self._size = np.empty(0), np.empty(0)
            self._known, self._clock = bool(of_snapshot[start]), 0
        if not self._known:
            return
        rows = start + np.flatnonzero(batch.kind[start:] <= DELTA)
        self._clock = max(self._clock, int(batch.exchange_ts[rows].max(initial=0)))
        key = np.concatenate([self._key, batch.side[rows] * batch.price[rows]])
        size = np.concatenate([self._size, batch.size[rows]])
        key, newest = np.unique(key[::-1], return_index=True)
        size = size[::-1][newest]
        self._key, self._size = key[size > 0.0], size[size > 0.0]

    def snapshot(self, ordinal: int, exchange_ts: int, receive_ts: int) -> TapeBatch:
        """The levels as one message, bids before asks, best first; no rows while the book is unknown.

        Args:
            ordinal: of every row: that of the newest row applied.
            exchange_ts: ns; the message has this time, or the latest of the book's own if that is earlier.
            receive_ts: ns.
        """
        key, size = self._key[::-1], self._size[::-1]
        rows = len(key)
        return tape_batch(
            ordinal=np.full(rows, ordinal),
            exchange_ts=np.full(rows, min(exchange_ts, self._clock)),
            receive_ts=np.full(rows, receive_ts),
            sequence=np.zeros(rows),
            kind=np.full(rows, SNAPSHOT),
            side=np.sign(key),
            price=np.abs(key),
            size=size,
            last=np.arange(rows) == rows - 1,
        )
