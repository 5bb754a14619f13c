"""What may happen to one order in a step: the model that placement is decided on.

An order of one unit is seen from its own side: a buy's own side are the bids, and the mid rises against it; a sell is
mirrored. A state is the spread, the imbalance of the best sizes, and where the own order is:

- **spread**: 1, 2, or 3 ticks and more;
- **imbalance**: the own side's share of the two best sizes, in fifths;
- **place**: none; a tick behind the best; at the best, in the last, the middle or the first third of its queue; a tick
  better than the best, alone.

In a step the order is filled or not, the mid moves, and the next state follows. Probabilities are those of counted
steps (`learning.placement`). Costs are in ticks beyond the mid of the moment: paying the far price costs half the
spread and the taker's fee, a fill at the best earns half the spread and costs the maker's fee.

Source: the state is that of Cont & Kukanov 2017, "Optimal order placement in limit order markets", Quantitative
Finance 17(1), cut to the touch; a Markov decision process of a book is solved in Hult & Kiessling 2010, "Algorithmic
trading with Markov chains".
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.placement.jit import kernel
from sources.tape.batch import Float64s, Int64s

SPREADS, SHARES = 3, 5
NONE, BEHIND, LAST_THIRD, MIDDLE_THIRD, FIRST_THIRD, IMPROVED = PLACES = range(6)
STATES = SPREADS * SHARES * len(PLACES)

ACTIONS = ("wait", "join", "improve", "behind", "take")
WAIT, JOIN, IMPROVE, STEP_BACK, TAKE = range(5)


class Market(NamedTuple):
    """Outcomes of a step from each state, after the order has been placed.

    Attributes:
        first: shape ``(STATES + 1,)``: outcomes ``first[s]`` to ``first[s + 1] − 1`` are of state s; at least one.
        probability, below: shape ``(outcomes,)``, and their running sum within a state, which ends at 1.
        filled: shape ``(outcomes,)``, 1 if the order was.
        move: shape ``(outcomes,)``: of the mid, in ticks, against the order.
        after: shape ``(outcomes,)``: the next state; of a filled order it means nothing.
        spread: shape ``(3,)``: mean spread of each class, in ticks.
        maker, taker: fees in ticks.
    """

    first: Int64s
    probability: Float64s
    below: Float64s
    filled: npt.NDArray[np.int8]
    move: Float64s
    after: Int64s
    spread: Float64s
    maker: float
    taker: float


def check_market(market: Market) -> None:
    """Refuse numbers that are no model.

    Raises:
        ValueError: a shape, a probability or a state is out of range.
    """
    n = len(market.probability)
    if market.first.shape != (STATES + 1,) or market.first[0] != 0 or market.first[-1] != n:
        raise ValueError(f"first: {market.first.shape}; the outcomes of {STATES} states are needed")
    if (np.diff(market.first) < 1).any():
        raise ValueError("first: a state has no outcome")
    for name in ("below", "filled", "move", "after"):
        if getattr(market, name).shape != (n,):
            raise ValueError(f"{name}: shape {getattr(market, name).shape}, and not {(n,)}")
    sums = np.add.reduceat(market.probability, market.first[:-1])
    if not (market.probability >= 0).all() or not np.allclose(sums, 1.0, atol=1e-9):
        raise ValueError("probability: those of a state do not add up to 1")
    if (market.after < 0).any() or (market.after >= STATES).any():
        raise ValueError(f"after: not from 0 to {STATES - 1}")
    if market.spread.shape != (SPREADS,) or not (market.spread > 0).all() or not np.isfinite(market.move).all():
        raise ValueError("spread or move: not finite, or not positive")


def market_of(outcomes: list[list[tuple[float, int, float, int]]], spread: Any, maker: float, taker: float) -> Market:
    """A model from the outcomes of each state.

    Args:
        outcomes: by state: weight, 1 if filled, move in ticks, next state.
        spread, maker, taker: as of `Market`.

    Raises:
        ValueError: as of `check_market`.
    """
    first = np.concatenate([[0], np.cumsum([len(own) for own in outcomes])]).astype(np.int64)
    flat = [one for own in outcomes for one in own]
    weight = np.array([one[0] for one in flat])
    if len(outcomes) != STATES or (np.diff(first) < 1).any():
        raise ValueError(f"outcomes: of {len(outcomes)} states, or none of one; those of {STATES} are needed")
    total = np.add.reduceat(weight, first[:-1])
    probability = weight / np.repeat(total, np.diff(first))
    below = np.empty(len(flat))
    for s in range(STATES):
        below[first[s] : first[s + 1]] = np.cumsum(probability[first[s] : first[s + 1]])
        below[first[s + 1] - 1] = 1.0
    market = Market(
        first, probability, below, np.array([one[1] for one in flat], np.int8),
        np.array([one[2] for one in flat], float), np.array([one[3] for one in flat], np.int64),
        np.asarray(spread, float), float(maker), float(taker),
    )  # fmt: skip
    check_market(market)
    return market


@kernel
def state_of(spread: int, share: int, place: int) -> int:
    """Number of a state: class of the spread, fifth of the imbalance, place."""
    return (spread * SHARES + share) * 6 + place


@kernel
def place_in(state: int) -> int:
    """Where the order is."""
    return state % 6


@kernel
def spread_in(state: int) -> int:
    """Class of the spread."""
    return state // (6 * SHARES)


@kernel
def allowed(state: int, action: int) -> bool:
    """Whether there is room to improve; all else can always be done."""
    return action != IMPROVE or spread_in(state) > 0


@kernel
def placed(state: int, action: int) -> int:
    """The state once the order is where the action puts it; not for `TAKE`."""
    place = place_in(state)
    if action == JOIN:
        place = LAST_THIRD
    elif action == IMPROVE:
        place = IMPROVED
    elif action == STEP_BACK:
        place = BEHIND
    return state - place_in(state) + place


@kernel
def taking(market: Market, state: int) -> float:
    """Cost of paying the far price now, ticks beyond the mid."""
    return 0.5 * market.spread[spread_in(state)] + market.taker


@kernel
def filling(market: Market, state: int) -> float:
    """Cost of a fill where the order is, ticks beyond the mid at the beginning of the step."""
    place, half = place_in(state), 0.5 * market.spread[spread_in(state)]
    better = 1.0 if place == IMPROVED else (-1.0 if place == BEHIND else 0.0)
    return better - half + market.maker
