"""What a model says of rows of a data set, as a run would be told."""

from collections.abc import Iterator

import numpy as np

from learning.rows import Rows, TrainingRows
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
    place = np.full(len(rows), -1)
    place[wanted] = np.arange(len(wanted))
    for stretch in _stretches(model, rows, wanted):
        state = model.start(rows.instruments[rows.instrument[stretch[0]]])
        for start in range(0, len(stretch), _AT_ONCE):
            part = stretch[start : start + _AT_ONCE]
            found = forecasts(len(part), len(rows.horizons))
            shown = ModelRows(rows.ts[part], rows.ordinal[part], np.ascontiguousarray(rows.inputs[part]))
            model.step(state, shown, found)
            kept = place[part] >= 0
            at = place[part][kept]
            out.quantiles[at] = np.sort(found.quantiles[kept], axis=2)
            out.epistemic[at], out.classes[at] = found.epistemic[kept], found.classes[kept]
    return out


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
