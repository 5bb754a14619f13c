"""A trained network as a run serves it (`operators.models.served`)."""

from typing import NamedTuple

import numpy as np

from operators.models.served import Forecasts, ModelHead, ModelRows
from operators.models.tft.dropout import STEPS, key_of
from operators.models.tft.state import State, Work, new_state, new_work
from operators.models.tft.step import Model, Seen, new_static_work, start_state, step_rows
from operators.models.tft.weights import KNOWN, Size, kernel_weights
from operators.packed_arguments import Packed
from sources.instrument import Instrument
from sources.model_folder import ModelFolder

SIZE, UNIT, DROPOUT = "size", "unit", "dropout"  # arrays of a folder beside the weights
_MOST = Size(4096, 256, 256, 10_000, 64, 1024, 100_000)
_MOST_SAMPLES = 1024


class Codes(NamedTuple):
    """Numbers of the venues and symbols that training has seen, from 1 on."""

    venues: dict[str, int]
    symbols: dict[str, int]

    @classmethod
    def of(cls, instruments: tuple[str, ...]) -> "Codes":
        """Of instruments, as ``venue:SYMBOL``: in the order of their names."""
        pairs = [name.partition(":")[::2] for name in instruments]
        venues, symbols = (sorted({pair[part] for pair in pairs}) for part in range(2))
        return cls({v: i + 1 for i, v in enumerate(venues)}, {s: i + 1 for i, s in enumerate(symbols)})

    def find(self, instrument: str) -> tuple[int, int]:
        """Codes of venue and symbol; 0 for one that is not known."""
        venue, _, symbol = instrument.partition(":")
        return self.venues.get(venue, 0), self.symbols.get(symbol, 0)


class TemporalFusionModel:
    """Serves forecasts, a row at a time: quantiles sorted within each horizon, doubt from passes with dropout.

    A row costs one step of the recurrent layer, one query, and a head for each pass. The state of an instrument is the
    LSTM's, and a ring of the last rows' keys and values.
    """

    def __init__(self, model: Model, head: ModelHead, codes: Codes) -> None:
        self.head = head
        self.size = model.size
        self._codes = codes
        self._model = Packed(model)
        self._idle: list[Packed[Work]] = []  # rooms that no thread works in
        self._nothing = self._room(0)

    def start(self, instrument: Instrument) -> State:
        """The state before the first row: what venue and symbol say, nothing seen."""
        name = str(instrument)
        state = new_state(self.size, key_of(self.head.identity, name))
        start_state(self._model.handle, *self._codes.find(name), state, new_static_work(self.size))
        return state

    def step(self, state: State, rows: ModelRows, out: Forecasts) -> None:
        """Fill ``out`` for each row, and carry ``state`` on, in place."""
        self._step(state, rows, out, self._nothing)

    def tell(self, state: State, rows: ModelRows, out: Forecasts) -> Seen:
        """As `step`, and returns what the forecasts were made of: context vector, variables' weights, attention."""
        seen = self._room(len(rows.ts))
        self._step(state, rows, out, seen)
        return seen

    def _step(self, state: State, rows: ModelRows, out: Forecasts, seen: Seen) -> None:
        try:
            work = self._idle.pop()
        except IndexError:
            work = Packed(new_work(self.size))
        inputs = (rows.ts, rows.ordinal, rows.inputs)
        step_rows(self._model.handle, work.handle, state, *inputs, out.quantiles, out.epistemic, seen)
        self._idle.append(work)

    def _room(self, rows: int) -> Seen:
        size = self.size
        shapes = (size.width, size.columns + KNOWN, size.window)
        return Seen(*(np.zeros((rows, columns)) for columns in shapes))


def make(folder: ModelFolder, head: ModelHead) -> TemporalFusionModel:
    """The model of a folder of kind ``tft``.

    Raises:
        ValueError: its numbers do not fit together.
    """
    card, arrays = folder.card, folder.arrays
    for name, length in ((SIZE, len(Size._fields)), (UNIT, len(head.horizons)), (DROPOUT, 2)):
        there = arrays[name].shape if name in arrays else "none"
        if there != (length,):
            raise ValueError(f"{name}: shape {there}; {(length,)} is needed")
    size = Size(*map(int, arrays[SIZE]))
    for field, value, most in zip(Size._fields, size, _MOST, strict=True):
        if not 1 <= value <= most:
            raise ValueError(f"{SIZE}: {field} is {value}; 1 to {most:,}")
    if size.width % 4 or size.width % size.heads:
        raise ValueError(f"{SIZE}: width is {size.width}; a multiple of 4 and of heads, {size.heads}")
    samples, rate = map(int, arrays[DROPOUT])
    if not (0 <= samples <= _MOST_SAMPLES and 0 <= rate < STEPS):
        raise ValueError(f"{DROPOUT}: {samples}, {rate}; up to {_MOST_SAMPLES} passes, a rate below {STEPS}")
    codes = Codes.of(card.instruments)
    wanted = (len(head.columns), len(head.horizons), len(codes.venues) + 1, len(codes.symbols) + 1)
    if (size.columns, size.horizons, size.venues, size.symbols) != wanted:
        raise ValueError(f"{SIZE}: {size}; columns, horizons, venues and symbols of the card are {wanted}")
    if len(card.mean) != size.columns:
        raise ValueError(f"mean: {len(card.mean)} of {size.columns} columns")
    mean, scale, unit = (np.array(x, np.float64) for x in (card.mean, card.scale, arrays[UNIT]))
    model = Model(size, mean, scale, unit, samples, rate, kernel_weights(arrays, size))
    return TemporalFusionModel(model, head, codes)
