"""A book topic of fixed depth: the best levels of either side, what changed every so often, a snapshot first."""

from typing import Any, NamedTuple

from typing_extensions import override

from simulator.book import Change, TextBook, best, parts
from simulator.connection import Connection
from simulator.topic import Outlet, Topic


class _Side(NamedTuple):
    """What the subscribers have of one side."""

    bid: bool
    waiting: dict[Any, bytes]  # changes that were not told yet

    def shows(self, key: Any, bound: Any) -> bool:
        return bound is None or (key >= bound if self.bid else key <= bound)


class DepthBooks(Topic):
    """The best levels of either side. What a better level pushes out is told as removed."""

    def __init__(self, venue: str, symbol: str, stream: str, outlet: Outlet, depth: int, interval_ms: int) -> None:
        super().__init__(venue, symbol, stream, outlet)
        self.depth = depth
        self.book: TextBook[Any] = TextBook()
        self._interval = interval_ms
        self._next = 0
        self._sides = (_Side(True, {}), _Side(False, {}))
        self._bounds: list[Any] = [None, None]  # the worst price shown; None: all prices are

    @override
    def begin(self, book: TextBook[Any]) -> None:
        self.book = book
        self.forget()

    @override
    def join(self, connection: Connection, book: TextBook[Any]) -> None:
        if self.subscribers:
            self.tell()  # the snapshot has the number of what the others have been told
        super().join(connection, book)
        self.snapshot(connection)

    @override
    def on_change(self, change: Change[Any], book: TextBook[Any]) -> None:
        n = change.bids
        for side, rows in zip(self._sides, (slice(0, n), slice(n, None)), strict=True):
            side.waiting.update(zip(change.keys[rows], change.texts[rows], strict=True))
        if change.time_ms >= self._next:
            self._next = change.time_ms - change.time_ms % self._interval + self._interval
            self.tell()

    def tell(self) -> None:
        """Send what changed since the last message; nothing, if nothing that is shown did."""
        raise NotImplementedError

    def snapshot(self, only: Connection | None = None) -> None:
        """Send the whole book, to all or to one."""
        raise NotImplementedError

    def changes(self) -> tuple[list[bytes], list[bytes]]:
        """Levels of either side that the subscribers do not have yet, which they are taken to have from now on."""
        bids, asks = (
            self._changes(place, side, levels)
            for place, (side, levels) in enumerate(zip(self._sides, (self.book.bids, self.book.asks), strict=True))
        )
        return bids, asks

    def forget(self) -> None:
        """Take the subscribers to have the book as it is."""
        for place, (side, levels) in enumerate(zip(self._sides, (self.book.bids, self.book.asks), strict=True)):
            side.waiting.clear()
            self._bounds[place] = self._bound(side, levels)

    def _changes(self, place: int, side: _Side, levels: dict[Any, bytes]) -> list[bytes]:
        old, waiting = self._bounds[place], side.waiting
        new = self._bounds[place] = self._bound(side, levels)
        out = []
        for key, text in waiting.items():
            if key in levels and side.shows(key, new):
                out.append(text)
            elif side.shows(key, old):
                out.append(_removed(text))
        if new != old:
            for key, text in levels.items():
                was, shown = side.shows(key, old), side.shows(key, new)
                if was != shown and key not in waiting:
                    out.append(text if shown else _removed(text))
        waiting.clear()
        return out

    def _bound(self, side: _Side, levels: dict[Any, bytes]) -> Any:
        return None if len(levels) <= self.depth else best(levels, self.depth, side.bid)[-1]


def _removed(text: bytes) -> bytes:
    return b'["%b","0"]' % parts(text)[0]
