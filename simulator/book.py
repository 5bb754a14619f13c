"""A book whose levels are the texts that go into frames."""

from heapq import nlargest, nsmallest
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", int, float)  # a price: ticks of a synthetic market, or the number a recorded text stands for


class Change(NamedTuple, Generic[Key]):
    """One change of a book: the levels that differ from the state before, each side in no particular order."""

    time_ms: int  # matching time
    first_id: int  # of the update numbers that it covers
    update_id: int  # the last of them
    bids: int  # so many of the rows are bids, and come first
    keys: list[Key]
    texts: list[bytes]  # `["price","size"]`
    present: list[int]  # 0: the level is gone


class TextBook(Generic[Key]):
    """Both sides, price to text."""

    def __init__(self) -> None:
        self.bids: dict[Key, bytes] = {}
        self.asks: dict[Key, bytes] = {}
        self.update_id = 0  # of the last change
        self.time_ms = 0  # of the last change

    def apply(self, change: Change[Key]) -> None:
        """Bring the book to the state after ``change``."""
        n = change.bids
        self.update_id, self.time_ms = change.update_id, change.time_ms
        for side, rows in ((self.bids, slice(0, n)), (self.asks, slice(n, None))):
            for key, text, present in zip(change.keys[rows], change.texts[rows], change.present[rows], strict=True):
                if present:
                    side[key] = text
                else:
                    side.pop(key, None)

    def top(self, levels: int) -> tuple[list[bytes], list[bytes]]:
        """The best ``levels`` of both sides, best first."""
        bids, asks = self.bids, self.asks
        return [bids[k] for k in best(bids, levels, True)], [asks[k] for k in best(asks, levels, False)]


def best(side: dict[Key, bytes], levels: int, bid: bool) -> list[Key]:
    """The best ``levels`` prices of a side, best first."""
    if levels == 1:
        return [max(side) if bid else min(side)] if side else []
    if 4 * levels < len(side):
        return (nlargest if bid else nsmallest)(levels, side)
    return sorted(side, reverse=bid)[:levels]


def parts(text: bytes) -> tuple[bytes, bytes]:
    """Price and size of a level's text."""
    fields = text.split(b'"')
    return fields[1], fields[3]
