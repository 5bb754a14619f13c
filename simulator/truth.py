"""The true book of an instrument at every update number, for tests that compare a recording with it."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sources.tape.batch import Float64s


class TrueBook(NamedTuple):
    """Price to size of both sides, as doubles."""

    bids: dict[float, float]
    asks: dict[float, float]

    def cut(self, levels: int | None) -> "TrueBook":
        """The best ``levels`` of either side; all of them when None."""
        if levels is None or max(len(self.bids), len(self.asks)) <= levels:
            return self
        bids = sorted(self.bids, reverse=True)[:levels]
        return TrueBook({p: self.bids[p] for p in bids}, {p: self.asks[p] for p in sorted(self.asks)[:levels]})


class _Step(NamedTuple):
    update_id: int
    time_ms: int
    bids: int
    prices: Float64s
    sizes: Float64s

    def apply(self, book: TrueBook) -> None:
        prices, sizes, n = self.prices.tolist(), self.sizes.tolist(), self.bids
        for side, rows in ((book.bids, slice(0, n)), (book.asks, slice(n, None))):
            for price, size in zip(prices[rows], sizes[rows], strict=True):
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)


@dataclass
class Truth:
    """A bounded history: the oldest book it knows and every change since.

    Attributes:
        rows: level changes that are kept; what is older becomes part of the oldest book.
    """

    rows: int
    _oldest: TrueBook = field(default_factory=lambda: TrueBook({}, {}))
    _oldest_id: int = 0
    _steps: deque[_Step] = field(default_factory=deque)
    _kept: int = 0

    def add(self, update_id: int, time_ms: int, bids: int, prices: Float64s, sizes: Float64s) -> None:
        """Remember that the book changed: the first ``bids`` rows are of its bid side, size 0 removes a level."""
        self._steps.append(_Step(update_id, time_ms, bids, prices, sizes))
        self._kept += len(prices)
        while self._kept > self.rows and len(self._steps) > 1:
            step = self._steps.popleft()
            step.apply(self._oldest)
            self._oldest_id = step.update_id
            self._kept -= len(step.prices)

    def amend(self, update_id: int, bid: bool, price: float, size: float) -> None:
        """Add one level to what changed at ``update_id``, which has not been told yet."""
        for at in range(len(self._steps) - 1, -1, -1):
            step = self._steps[at]
            if step.update_id == update_id:
                self._steps[at] = step._replace(
                    bids=step.bids + bid,
                    prices=_with(step.prices, price, bid),
                    sizes=_with(step.sizes, size, bid),
                )
                self._kept += 1
                return
        raise KeyError(update_id)

    def books(self, update_ids: Iterable[int]) -> Iterator[tuple[int, TrueBook]]:
        """The book after each of ``update_ids``, which must not fall; the same object each time, so copy to keep.

        Raises:
            KeyError: a number is older than what is remembered.
        """
        book = TrueBook(dict(self._oldest.bids), dict(self._oldest.asks))
        steps = list(self._steps)
        at = 0
        for update_id in update_ids:
            if update_id < self._oldest_id:
                raise KeyError(update_id)
            while at < len(steps) and steps[at].update_id <= update_id:
                steps[at].apply(book)
                at += 1
            yield update_id, book

    def book(self, update_id: int) -> TrueBook:
        """The book after ``update_id``.

        Raises:
            KeyError: it is older than what is remembered.
        """
        ((_, book),) = self.books([update_id])
        return book

    def id_at(self, time_ms: int) -> int:
        """The last update that had happened at ``time_ms``, or the oldest one that is remembered."""
        found = self._oldest_id or (self._steps[0].update_id if self._steps else 0)
        for step in self._steps:
            if step.time_ms > time_ms:
                break
            found = step.update_id
        return found


def _with(column: Float64s, value: float, first: bool) -> Float64s:
    return np.concatenate(([value], column) if first else (column, [value]))
