"""What is carried from row to row, and what a row is computed in."""

from typing import NamedTuple

import numpy as np

from operators.models.tft.attention import Reading, reading
from operators.models.tft.dropout import UInt64s
from operators.models.tft.head import Judgement, judgement
from operators.models.tft.products import padded
from operators.models.tft.selection import Variables, variables
from operators.models.tft.weights import KNOWN, Size
from sources.tape.batch import Float64s, Int64s


class State(NamedTuple):
    """Of one instrument."""

    key: UInt64s  # (1,): of its masks
    seen: Int64s  # (1,): rows since the features restarted
    contexts: Float64s  # (2, d): c_s and c_e
    memory: Float64s  # (2, d): output and cell of the LSTM
    keys: Float64s  # (d · padded window,)
    values: Float64s  # (window · padded d/heads,)


class Work(NamedTuple):
    """What a row is computed in; nothing of it outlives the row."""

    inputs: Float64s  # (columns,): normalised
    known: Float64s  # (4,)
    selected: Float64s  # (d,): ξ̃
    gates: Float64s  # (4·d,)
    observed_variables: Variables
    known_variables: Variables
    reading: Reading
    judgement: Judgement


def new_state(size: Size, key: int) -> State:
    """Nothing seen yet; contexts and memory are 0."""
    d, each = size.width, size.width // size.heads
    return State(
        np.array([key], np.uint64),
        np.zeros(1, np.int64),
        np.zeros((2, d)),
        np.zeros((2, d)),
        np.zeros(d * padded(size.window)),
        np.zeros(size.window * padded(each)),
    )


def new_work(size: Size) -> Work:
    """Room for a row."""
    d = size.width
    return Work(
        np.zeros(size.columns),
        np.zeros(KNOWN),
        np.zeros(d),
        np.zeros(4 * d),
        variables(size.columns, d),
        variables(KNOWN, d),
        reading(d, size.heads, size.window),
        judgement(d, size.horizons),
    )
