"""A price whose predictability is a parameter (docs/learning.md, 5).

The best prices are one tick apart, and no order moves them. Once a step, in the moment before a book message tells of
it, the whole touch moves: ``n`` ticks, ``P(n ≥ k) = e^(−k)``, upwards with probability ``(1 + edge·s)/2``. The signal s
lies in (−1, 1), lasts 10 s in the mean and is then drawn anew, uniformly. Order flow leans with s whatever the edge is.

So with an edge of 0 the side of every move is a fair coin that knows nothing of the past: no function of what was told
up to a time says anything about the direction of the mid after it. With an edge, s is all that there is to know:
``E[move over n steps | past] = edge·E[n]·s·(1 + φ + … + φ^(n−1))``, φ the probability that s stays.
"""

from math import e
from typing import Any

import numpy as np

from sources.tape.batch import Float64s, Int64s
from synthetic.jit import kernel
from synthetic.levels import set_level, standing_at
from synthetic.randomness import FLOW, REFERENCE, exponential, uniform
from synthetic.state import Book, UInt64s

LIMIT_LOTS = 200.0  # mean
MAX_LEAN = 0.35  # how far the side of an order leans at most
DWELL_MS = 10_000.0  # mean time that a signal lasts
_MOST_TICKS = 10  # of one move, which a book of 20 levels a side has room for
_RATIO = 1.0 / e
_SIZES = np.arange(_MOST_TICKS + 1)
_CHANCES = np.append(_RATIO ** _SIZES[:-1] * (1.0 - _RATIO), _RATIO**_MOST_TICKS)
MEAN_TICKS, MEAN_SQUARE = float(_CHANCES @ _SIZES), float(_CHANCES @ _SIZES**2)  # of a move
SIGNAL_VARIANCE = 1.0 / 3.0


@kernel
def draw_move(signal: float, edge: float, rng: UInt64s) -> int:
    """Ticks of one move, with their side."""
    ticks = min(int(exponential(rng, REFERENCE)), _MOST_TICKS)
    return ticks if uniform(rng, REFERENCE) < 0.5 * (1.0 + edge * signal) else -ticks


@kernel
def draw_signal(signal: float, stay: float, rng: UInt64s) -> float:
    """The signal after a step; ``stay``: probability that it is the one before."""
    return signal if uniform(rng, REFERENCE) < stay else 2.0 * uniform(rng, REFERENCE) - 1.0


@kernel
def move_price(s: Any, p: Any, book: Book, rng: UInt64s) -> None:
    """One step: the touch moves, and the signal may change. Levels that it passes are gone, those behind it are new."""
    move = draw_move(s.signal, p.edge, rng)
    s.signal = draw_signal(s.signal, p.stay, rng)
    if s.best_bid + move < 3 * p.levels:  # of a price of 0 nobody would learn anything
        move = -move
    side = 1 if move > 0 else -1  # that of the levels behind the move
    first = s.best_bid if side > 0 else s.best_ask
    ahead = first + move + side
    if move == 0:
        return
    if standing_at(book, ahead) == 0:  # first, for neither side may lose its last level
        set_level(s, book, ahead, -side * _new_lots(rng))
    for k in range(1, abs(move) + 1):
        if standing_at(book, first + side * k) != 0:
            set_level(s, book, first + side * k, 0)
    for k in range(1, abs(move) + 1):
        set_level(s, book, first + side * k, side * _new_lots(rng))


@kernel
def _new_lots(rng: UInt64s) -> int:
    return 1 + int(LIMIT_LOTS * exponential(rng, FLOW))


@kernel
def path(edge: float, stay: float, bid: int, floor: int, rng: UInt64s, bids: Int64s, signals: Float64s) -> None:
    """The best bid and the signal after each step, without the market around them; `rng` as of a new market.

    Args:
        bid: in ticks, before the first step; ``floor``: the lowest that it can be.
        bids, signals: written, shape ``(steps,)``.
    """
    signal = 0.0
    for step in range(len(bids)):
        if step == 0:
            signal = draw_signal(signal, 0.0, rng)
        move = draw_move(signal, edge, rng)
        signal = draw_signal(signal, stay, rng)
        bid += -move if bid + move < floor else move
        bids[step] = bid
        signals[step] = signal
