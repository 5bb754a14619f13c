"""Whether the market changed while the rows were recorded: of inputs and of errors (docs/forecasts.md, 8)."""

from typing import NamedTuple

import numpy as np

from learning.rows import TrainingRows
from operators.models.drift import (
    BINS,
    EDGES,
    TOTAL,
    WIDTH,
    adwin,
    count_bins,
    population_stability,
    reference,
    take_all,
)
from sources.tape.batch import Float64s, Int64s


class InputDrift(NamedTuple):
    """Population stability index of the newest block of an input against the blocks before."""

    column: str
    psi: float


class ErrorDrift(NamedTuple):
    """Share of returns outside of a model's calibrated interval, by stretches as long as the horizon.

    Attributes:
        stretches: how many.
        missed: share of all; ``newest``: of those in which ADWIN sees no change.
        changes: that it has seen; ``last_ts``: ns, of the last one; None: there was none.
    """

    horizon: str
    stretches: int
    missed: float
    newest: float
    changes: int
    last_ts: int | None


def input_drift(rows: TrainingRows, blocks: int) -> list[InputDrift]:
    """Of each input, the largest first."""
    *before, newest = np.array_split(np.argsort(rows.ts, kind="stable"), blocks)
    kept = reference(rows.inputs[np.concatenate(before)])
    counts = np.zeros((len(rows.columns), BINS + 1), np.int64)
    count_bins(np.ascontiguousarray(rows.inputs[newest]), np.ascontiguousarray(kept[:, :EDGES]), counts)
    found = population_stability(kept[:, EDGES:], counts)
    each = [InputDrift(name, psi) for name, psi in zip(rows.columns, found.tolist(), strict=True)]
    return sorted(each, key=lambda one: -one.psi)


def error_drift(horizon: str, horizon_ns: int, ts: Int64s, y: Float64s, q: Float64s) -> ErrorDrift:
    """Of one horizon, all instruments together.

    Args:
        ts: ns, shape ``(n,)``, rising.
        y: returns, shape ``(n,)``; q: calibrated quantiles, shape ``(n, 5)``.
    """
    missed = (y < q[:, 0]) | (y > q[:, -1])
    _, first, stretch = np.unique((ts - ts[0]) // horizon_ns, return_index=True, return_inverse=True)
    shares = np.bincount(stretch, weights=missed) / np.bincount(stretch)
    state, seen = adwin(), np.zeros(len(shares), np.int64)
    n = take_all(state, shares, seen)
    last = int(ts[first[seen[n - 1]]]) if n else None
    newest = float(state.sums[TOTAL] / state.counts[WIDTH])
    return ErrorDrift(horizon, len(shares), float(missed.mean()), newest, n, last)
