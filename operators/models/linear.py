"""A linear model, served: an expected return a horizon, quantiles at fixed distances from it (docs/forecasts.md, 3)."""

import numpy as np

from operators.models.jit import entry_kernel
from operators.models.served import QUANTILES, Forecasts, ModelHead, ModelRows, State
from sources.instrument import Instrument
from sources.model_folder import ModelFolder
from sources.tape.batch import Float64s

LIMIT = 10.0  # standard deviations beyond which an input counts as no further


@entry_kernel
def linear(
    inputs: Float64s, mean: Float64s, scale: Float64s, coefficients: Float64s, intercept: Float64s,
    offsets: Float64s, scaled: Float64s, quantiles: Float64s,
) -> None:  # fmt: skip
    """Fill ``quantiles``, shape ``(rows, horizons, 5)``; ``scaled`` is room for one row's inputs.

    Terms are added in the order of the columns. An input that is not known counts as its mean.
    """
    rows, columns = inputs.shape
    for r in range(rows):
        for c in range(columns):
            z = (inputs[r, c] - mean[c]) / scale[c]
            z = 0.0 if np.isnan(z) else z
            scaled[c] = min(max(z, -LIMIT), LIMIT)
        for h in range(len(intercept)):
            centre = intercept[h]
            for c in range(columns):
                centre += coefficients[h, c] * scaled[c]
            for q in range(offsets.shape[1]):
                quantiles[r, h, q] = centre + offsets[h, q]


class LinearModel:
    """Serves ``ridge``; it has no state."""

    def __init__(self, folder: ModelFolder, head: ModelHead) -> None:
        """Args, and raises: as of `operators.models.kinds.Maker`."""
        self._head = head
        columns, horizons = len(head.columns), len(head.horizons)
        self._mean = np.array(folder.card.mean, np.float64)
        self._scale = np.array(folder.card.scale, np.float64)
        if len(self._mean) != columns:
            raise ValueError("mean, scale: a linear model needs those of its columns")
        shapes = {"coefficients": (horizons, columns), "intercept": (horizons,), "offsets": (horizons, len(QUANTILES))}
        self._weights = [weights_of(folder, name, shape) for name, shape in shapes.items()]
        self._columns = columns

    @property
    def head(self) -> ModelHead:
        """What it is."""
        return self._head

    def start(self, instrument: Instrument) -> State:
        """Nothing."""
        return ()

    def step(self, state: State, rows: ModelRows, out: Forecasts) -> None:
        """Fill ``out`` with the quantiles of each row."""
        coefficients, intercept, offsets = self._weights
        room = np.empty(self._columns)
        linear(rows.inputs, self._mean, self._scale, coefficients, intercept, offsets, room, out.quantiles)


def weights_of(folder: ModelFolder, name: str, shape: tuple[int, ...]) -> Float64s:
    """An array of a folder, as float64.

    Raises:
        ValueError: it is missing, or has another shape.
    """
    found = folder.arrays.get(name)
    if found is None or found.shape != shape:
        there = "missing" if found is None else f"shape {found.shape}"
        raise ValueError(f"{name}: {there}; this model needs shape {shape}")
    return np.ascontiguousarray(found, np.float64)
