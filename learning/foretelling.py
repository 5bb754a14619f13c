"""What a model says of rows of a data set, as a run would be told."""

from collections.abc import Iterator

import numpy as np

from learning.rows import Rows, TrainingRows
from learning.scores import misses
from operators.models.served import Forecasts, ModelRows, ServedModel, forecasts
from sources.tape.batch import Float64s

_AT_ONCE = 1 << 15  # rows that are forecast together


def predicted(model: ServedModel, rows: TrainingRows, wanted: Rows) -> Float64s:
    """Quantiles of some rows, shape ``(wanted, horizons, 5)``, rising, as a run would serve them."""
    return foretold(model, rows, wanted).quantiles


def foretold(model: ServedModel, rows: TrainingRows, wanted: Rows) -> Forecasts:
    """All that a model says of some rows, its quantiles rising.

    A model with a state is shown every row of a segment up to the last one wanted.
    """
    out = forecasts(len(wanted), len(rows.horizons))
    for at, found in _parts(model, rows, wanted):
        out.quantiles[at], out.epistemic[at], out.classes[at] = found
    return out


def outside(model: ServedModel, rows: TrainingRows, wanted: Rows) -> Float64s:
    """`misses` of some rows, without a memory of what was foretold of them; shape ``(wanted, horizons)``."""
    out = np.empty((len(wanted), len(rows.horizons)))
    for at, found in _parts(model, rows, wanted):
        out[at] = misses(rows.returns[wanted[at]], found.quantiles)
    return out


def _parts(model: ServedModel, rows: TrainingRows, wanted: Rows) -> Iterator[tuple[Rows, Forecasts]]:
    """A bounded number of rows at a time: where they are among those wanted, and what is said of them."""
    for stretch in _stretches(model, rows, wanted):
        state = model.start(rows.instruments[rows.instrument[stretch[0]]])
        for start in range(0, len(stretch), _AT_ONCE):
            part = stretch[start : start + _AT_ONCE]
            found = forecasts(len(part), len(rows.horizons))
            shown = ModelRows(rows.ts[part], rows.ordinal[part], np.ascontiguousarray(rows.inputs[part]))
            model.step(state, shown, found)
            at = np.searchsorted(wanted, part)
            kept = at < len(wanted)
            kept[kept] = wanted[at[kept]] == part[kept]
            quantiles, epistemic, classes = (each[kept] for each in found)
            yield at[kept], Forecasts(np.sort(quantiles, axis=2), epistemic, classes)


def _stretches(model: ServedModel, rows: TrainingRows, wanted: Rows) -> Iterator[Rows]:
    """Rows that a model is shown one after the other, from a start to the last one wanted."""
    stateless = model.start(rows.instruments[0]) == ()
    for number in range(len(rows.instruments)):
        mine = wanted[rows.instrument[wanted] == number]
        if stateless:
            if len(mine):
                yield mine
            continue
        for group in np.unique(rows.group[mine]):
            last = mine[rows.group[mine] == group][-1]
            every = np.flatnonzero((rows.instrument == number) & (rows.group == group))
            yield every[every <= last]
