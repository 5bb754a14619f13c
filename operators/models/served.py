"""What a run asks of a model: rows in, quantiles out, and a state carried from row to row (docs/forecasts.md, 2)."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from operators.labels.config import Horizons
from sources.instrument import Instrument
from sources.tape.batch import Float64s, Int64s

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of every forecast, in this order

CLASSES = ("down", "flat", "up")  # of the barrier: -1, 0, +1

State = Any  # a named tuple of C-contiguous arrays of numbers, nested as one likes: see `operators.models.state_bytes`


@dataclass(frozen=True)
class ModelHead:
    """What a model is, whatever its kind.

    Attributes:
        identity: hash of the folder (`sources.model_folder`), 64 hexadecimal digits.
        kind: ``ridge``, ``gbm``, …
        columns: of the features, in the order of `ModelRows.inputs`.
        horizons: of the forecasts.
        latency_ns: from a row to the price that a return begins at.
        trained_until: ns; rows before it were known to the training.
        calibration: shape ``(horizons, scores)``, each row rising: `operators.models.conformal`.
        classes: whether it tells the chances of the barrier as well.
        reference: what its training inputs were (`operators.models.drift.reference`), shape ``(columns, 20)``; empty
            where the folder does not tell.
    """

    identity: str
    kind: str
    columns: tuple[str, ...]
    horizons: Horizons
    latency_ns: int
    trained_until: int
    calibration: Float64s
    classes: bool = False
    reference: Float64s = field(default_factory=lambda: np.empty((0, 0)))


class ModelRows(NamedTuple):
    """Consecutive warm rows of one instrument, none of them beyond a restart of the features. C-contiguous."""

    ts: Int64s  # (rows,): ns
    ordinal: Int64s  # (rows,)
    inputs: Float64s  # (rows, columns): as the features have them, NaN where one is not known


class Forecasts(NamedTuple):
    """What a model says of each row. C-contiguous."""

    quantiles: Float64s  # (rows, horizons, 5): log returns at `QUANTILES`; may cross, what serves them sorts
    epistemic: Float64s  # (rows, horizons): log return, NaN of a model that does not know its doubt
    classes: Float64s = np.empty((0, 3))  # (rows, 3): chances of `CLASSES`, of a model that tells them


def forecasts(rows: int, horizons: int) -> Forecasts:
    """Room for the forecasts of so many rows: quantiles 0, doubt and chances NaN."""
    doubt, chances = np.full((rows, horizons), np.nan), np.full((rows, len(CLASSES)), np.nan)
    return Forecasts(np.zeros((rows, horizons, len(QUANTILES))), doubt, chances)


class ServedModel(Protocol):
    """A model that a run serves. It is shared by all instruments and changes with nothing that it is shown.

    Any split of the rows into calls of `step` gives the same bits.
    """

    @property
    def head(self) -> ModelHead:
        """What it is."""

    def start(self, instrument: Instrument) -> State:
        """The state of an instrument before its first row, and after each restart of the features.

        What it depends on of the instrument, such as its venue, is part of the state. A model without a state returns
        an empty tuple.
        """

    def step(self, state: State, rows: ModelRows, out: Forecasts) -> None:
        """Fill ``out`` with the forecasts of each row, and carry ``state`` on, in place."""
