"""The levels of the synthetic market's book."""

from typing import Any

from synthetic.jit import kernel
from synthetic.state import Book


@kernel
def slot_of(book: Book, tick: int) -> int:
    """Where a tick stands in the rings."""
    return tick & (len(book.lots) - 1)


@kernel
def standing_at(book: Book, tick: int) -> int:
    """Lots at a tick: positive for bids, negative for asks."""
    lots: int = book.lots[slot_of(book, tick)]
    return lots


@kernel
def set_level(s: Any, book: Book, tick: int, lots: int) -> None:
    """Change a level; the best prices follow. Neither side may lose its last level."""
    slot = slot_of(book, tick)
    before = book.lots[slot]
    book.lots[slot] = lots
    s.update_id += 1
    if book.stamp[slot] != s.book_messages:
        book.stamp[slot] = s.book_messages
        book.changed[s.changed] = tick
        s.changed += 1
    if before == 0:
        if lots > 0:
            s.bids += 1
            s.best_bid = max(s.best_bid, tick)
        else:
            s.asks += 1
            s.best_ask = min(s.best_ask, tick)
    elif lots == 0:
        if before > 0:
            s.bids -= 1
            while standing_at(book, s.best_bid) == 0:
                s.best_bid -= 1
        else:
            s.asks -= 1
            while standing_at(book, s.best_ask) == 0:
                s.best_ask += 1
