"""A model of placement as arrays, as a folder keeps them, and the `Market` of one instrument (docs/acting.md, 6)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from operators.placement.market import SPREADS, STATES, Market, market_of
from sources.tape.batch import Float64s, Int64s

KIND = "placement"  # of the card
_BPS = 1e-4


class StepModel(NamedTuple):
    """What comes of a step, by the state that it begins in, once the order is placed.

    Attributes:
        filled: shape ``(STATES,)``: probability of a fill.
        after: shape ``(STATES, STATES)``: probability of each next state, of what is not filled; adds up to 1 with it.
        move: of the same shape: mean move of the mid in ticks, against the order, where that state follows.
        spread: shape ``(3,)``: mean spread of each class, in ticks.
        level: shape ``(1,)``: mean mid, in ticks: it makes ticks of fees. tick: shape ``(1,)``.
        steps: shape ``(STATES,)``: how often a step began there.
        filled_error, move_error: shape ``(STATES,)``: standard errors of ``filled``, and of the mean move of what is
            not filled; 0 where nothing was seen.
    """

    filled: Float64s
    after: Float64s
    move: Float64s
    spread: Float64s
    level: Float64s
    tick: Float64s
    steps: Int64s
    filled_error: Float64s
    move_error: Float64s


_SHAPES = {
    "filled": (STATES,), "after": (STATES, STATES), "move": (STATES, STATES), "spread": (SPREADS,), "level": (1,),
    "tick": (1,), "steps": (STATES,), "filled_error": (STATES,), "move_error": (STATES,),
}  # fmt: skip


def as_arrays(number: int, model: StepModel) -> dict[str, Any]:
    """The arrays of the folder for the instrument of that number."""
    return {f"{number}.{name}": array for name, array in model._asdict().items()}


def model_in(arrays: Mapping[str, Any], number: int) -> StepModel:
    """What `as_arrays` gave.

    Raises:
        ValueError: an array is missing, or of another shape.
    """
    found = {}
    for name, shape in _SHAPES.items():
        array = arrays.get(f"{number}.{name}")
        if array is None or array.shape != shape:
            raise ValueError(f"{number}.{name}: {'missing' if array is None else array.shape}; {shape} is needed")
        found[name] = np.array(array)
    return StepModel(**found)


def as_market(model: StepModel, maker: float, taker: float) -> Market:
    """The market that placement is decided on.

    Args:
        maker, taker: fees in basis points.

    Raises:
        ValueError: the numbers are none of a model.
    """
    outcomes = []
    for state in range(STATES):
        own = [(float(model.filled[state]), 1, 0.0, 0)] if model.filled[state] > 0.0 else []
        there = np.flatnonzero(model.after[state] > 0.0).tolist()
        own += [(float(model.after[state, after]), 0, float(model.move[state, after]), after) for after in there]
        outcomes.append(own)
    fee = _BPS * float(model.level[0])
    return market_of(outcomes, model.spread, maker * fee, taker * fee)
