"""Intervals that are calibrated, and adapted to what came (docs/forecasts.md, 5).

Romano, Patterson & Candès 2019, "Conformalized Quantile Regression"; Gibbs & Candès 2021, "Adaptive Conformal Inference
Under Distribution Shift".
"""

from typing import NamedTuple

import numpy as np

from operators.models.jit import kernel
from sources.tape.batch import Float64s, Int64s

COVERAGE = 0.9
STEP = 0.05  # of the level, a horizon: `gamma` of Gibbs & Candès, shared by the rows that wait at one time

HEAD, TAIL = range(2)  # of `Pending.at`: the oldest row that is kept, and the one after the newest


class Pending(NamedTuple):
    """What is remembered of an instrument's rows until their horizons have passed. Rings of one power of two."""

    at: Int64s  # (2,)
    resolved: Int64s  # (2, horizons): next row whose entry price, and whose label, is to be known
    ts: Int64s  # (ring,): ns
    mid: Float64s  # (ring,)
    entry: Float64s  # (horizons, ring): price that a row's return begins at
    low: Float64s  # (horizons, ring): interval that was told; NaN: none was
    high: Float64s  # (horizons, ring)
    level: Float64s  # (horizons,): share of returns that the next interval may miss


def pending(horizons: int, ring: int = 64) -> Pending:
    """Before the first row."""
    wide = (horizons, ring)
    return Pending(
        np.zeros(2, np.int64), np.zeros((2, horizons), np.int64), np.zeros(ring, np.int64), np.zeros(ring),
        np.zeros(wide), np.zeros(wide), np.zeros(wide), np.full(horizons, 1 - COVERAGE),
    )  # fmt: skip


@kernel
def offset(scores: Float64s, level: float) -> float:
    """How far an interval that misses a share of ``level`` reaches beyond the quantiles; infinite where no score of the
    calibration is large enough.

    Args:
        scores: rising.
    """
    n = len(scores)
    if level <= 0.0:
        return np.inf
    rank = int(np.ceil((n + 1) * (1.0 - level)))
    if rank > n:
        return np.inf
    return scores[max(rank, 1) - 1]
