"""Whose book a REST reply is that names no symbol, in a capture that holds several: its own diffs tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from sources.errors import TickwaxError
from sources.messages import BookMessage
from sources.tape.batch import Float64s
from sources.tape.collected import Levels

_FAR = 2.0  # no change is expected beyond so many times the middle of a book, or below its so-manieth part
_KEPT = 8  # messages of another symbol


@dataclass
class Rivals:
    """What else a capture holds than the symbol that is imported."""

    several: bool = False  # streams of other symbols
    books: dict[str, list[BookMessage]] = field(default_factory=dict)  # diffs of each, the first few

    def add(self, message: BookMessage) -> None:
        """Note a diff of another symbol."""
        self.several = True
        kept = self.books.setdefault(message.symbol, [])
        if len(kept) < _KEPT:
            kept.append(message)


class Verdict(Enum):
    """Whether a book is the symbol's."""

    OURS = "ours"
    FOREIGN = "foreign"
    OPEN = "open"  # nothing tells it yet


class Undecided(TickwaxError):
    """A book may be that of several symbols."""


def judge(book: BookMessage, chain: Sequence[BookMessage], rivals: Rivals) -> Verdict:
    """Whose book it is, by what the symbol's diffs say of the same levels, else by their prices.

    Args:
        book: the REST book; its number lies in ``chain``.
        chain: diffs of the symbol, without a gap.
        rivals: what else there is.

    Raises:
        Undecided: prices alone tell, and they fit another symbol as well.
    """
    agree, differ = _compare(book, chain)
    if agree != differ:
        return Verdict.OURS if agree > differ else Verdict.FOREIGN
    fits = fits_prices(book.levels, chain)
    if fits is None:
        return Verdict.OPEN
    if not fits:
        return Verdict.FOREIGN
    for symbol, others in rivals.books.items():
        if fits_prices(book.levels, others):
            raise Undecided(
                f"the REST book {book.final} names no symbol, and fits {book.symbol} and {symbol} alike; import it "
                "from a capture of one symbol"
            )
    return Verdict.OURS


def fits_prices(book: Levels, diffs: Sequence[BookMessage]) -> bool | None:
    """Whether most levels of diffs have prices that a book's changes may have; None if there are none."""
    prices: Float64s = np.concatenate([np.zeros(0), *(diff.levels.price for diff in diffs)])
    if len(prices) == 0 or len(book.price) == 0:
        return None
    best = [side.max() if sign > 0 else side.min() for sign in (1, -1) if len(side := book.price[book.side == sign])]
    middle = float(np.mean(best))
    return bool(((prices > middle / _FAR) & (prices < middle * _FAR)).mean() >= 0.5)


def _compare(book: BookMessage, chain: Sequence[BookMessage]) -> tuple[int, int]:
    """How many levels have the size in the book that the diffs up to its number gave them, and how many another one.

    Only levels in the range of prices that the book covers count. That a removed one is missing is no evidence.
    """
    told = _sizes(diff.levels for diff in chain if diff.final <= book.final)
    for level in _sizes(diff.levels for diff in chain if diff.first <= book.final < diff.final):
        told.pop(level, None)  # changed by then, or later
    there = _sizes([book.levels])
    worst = {sign: min((sign * price for side, price in there if side == sign), default=np.inf) for sign in (1, -1)}
    agree = differ = 0
    for (side, price), size in told.items():
        if side * price >= worst[side]:
            same = there.get((side, price), 0.0) == size
            agree += same and size > 0.0
            differ += not same
    return agree, differ


def _sizes(books: Iterable[Levels]) -> dict[tuple[int, float], float]:
    """The last size of every level."""
    return {
        (side, price): size
        for levels in books
        for side, price, size in zip(*(column.tolist() for column in levels), strict=True)
    }
