"""Rows as the network is trained on them: stretches of a segment, each with the window before it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from learning.ridge import AT_ONCE, Scaling, scaled, scaling_of
from learning.rows import Rows, TrainingRows
from operators.models.tft.phase import DAY, HOUR
from operators.models.tft.serve import Codes
from sources.errors import TickwaxError
from sources.tape.batch import Float64s, Int64s

Float32s = npt.NDArray[np.float32]


class Sequences(NamedTuple):
    """Rows one segment after the other, each in the order of time.

    A segment is a maximal run of rows to learn from, without one left out in between.
    """

    inputs: Float32s  # (n, columns), normalised
    known: Float32s  # (n, 4)
    targets: Float32s  # (n, horizons), in units of ``unit``
    weight: Float32s  # (n,): of the loss; 0 for rows that are only read
    held: Float32s  # (n,): of the loss that decides when to stop; the rows of the other loss have none
    code: Int64s  # (n, 2): of venue and symbol
    first: npt.NDArray[np.bool_]  # (n,): a segment's first row
    mean: Float64s  # (columns,)
    scale: Float64s  # (columns,)
    unit: Float64s  # (horizons,): log return


def sequences_of(rows: TrainingRows, train: Rows, codes: Codes, held: float) -> Sequences:
    """Lay out the rows to learn from.

    Normalisation is that of the rows whose loss is trained on, and of no others.

    Args:
        train: numbers of the rows, rising.
        held: share of the rows, the newest, that decide when to stop. Of the rows before them, those whose labels end
            after the first of these begins are read but not trained on.

    Raises:
        TickwaxError: no row is left to train on.
    """
    at = min(max(round(len(train) * (1 - held)), 1), len(train) - 1)
    begin = rows.ts[train[at]]
    trains = np.zeros(len(rows), bool)
    trains[train[rows.end[train] < begin]] = True
    stops = np.zeros(len(rows), bool)
    stops[train[rows.ts[train] >= begin]] = True
    learned = np.flatnonzero(trains)
    if not len(learned):
        raise TickwaxError(
            "dataset.path: no rows are left for training, after purging from those that decide when to stop: a longer "
            "tape, shorter horizons, or a smaller train.held"
        )
    scaling = scaling_of(rows.inputs, learned)
    deviation = rows.returns[learned].std(axis=0)
    unit = np.where(deviation > 0, deviation, 1.0)
    order, first = _segments(rows, train)
    ts = rows.ts[order]
    turns = [2 * np.pi * (ts % period) / period for period in (DAY, HOUR)]
    pairs = np.array([codes.find(str(instrument)) for instrument in rows.instruments]).reshape(-1, 2)
    return Sequences(
        inputs=_normalised(rows, order, scaling),
        known=np.stack([f(turn) for turn in turns for f in (np.sin, np.cos)], axis=1).astype(np.float32),
        targets=(rows.returns[order] / unit).astype(np.float32),
        weight=np.where(trains[order], rows.weight[order], 0.0).astype(np.float32),
        held=np.where(stops[order], rows.weight[order], 0.0).astype(np.float32),
        code=pairs[rows.instrument[order]],
        first=first,
        mean=scaling.mean,
        scale=scaling.scale,
        unit=unit,
    )


def _normalised(rows: TrainingRows, order: Rows, scaling: Scaling) -> Float32s:
    """Inputs as the network reads them, a bounded number of rows at a time, wherever they are kept."""
    out = np.empty((len(order), rows.inputs.shape[1]), np.float32)
    for start in range(0, len(order), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        out[part] = scaled(rows.inputs[order[part]], scaling)
    return out


def _segments(rows: TrainingRows, train: Rows) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Row numbers, segment after segment, and which of them begin one."""
    every = np.lexsort((np.arange(len(rows)), rows.group, rows.instrument))
    place = np.empty(len(rows), np.int64)
    place[every] = np.arange(len(rows))
    order = train[np.argsort(place[train])]
    same = (np.diff(rows.instrument[order]) == 0) & (np.diff(rows.group[order]) == 0)
    goes_on = same & (np.diff(place[order]) == 1)
    return order, np.concatenate([[True], ~goes_on])


class Stretches(NamedTuple):
    """Where stretches lie: shape ``(stretches, window − 1 + targets)``, numbers of rows, −1 where there is none."""

    rows: Int64s
    fresh: npt.NDArray[np.bool_]  # (stretches,): no row of the segment lies before it


def stretches_of(first: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_], window: int, length: int) -> Stretches:
    """Cut segments into stretches of ``length`` targets, each after the rows that its first one attends to.

    Args:
        first: a segment's first rows.
        wanted: rows that have a loss; stretches without one are left out.
    """
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], len(first))
    rows, fresh = [], []
    offsets = np.arange(-(window - 1), length)
    for start, end in zip(starts, ends, strict=True):
        for at in range(int(start), int(end), length):
            if not wanted[at : min(at + length, int(end))].any():
                continue
            numbers = at + offsets
            rows.append(np.where((numbers >= start) & (numbers < end), numbers, -1))
            fresh.append(at - (window - 1) <= start)
    return Stretches(np.array(rows, np.int64).reshape(-1, len(offsets)), np.array(fresh, bool))
