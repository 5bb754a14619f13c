"""What leaks: the same learner under shuffled folds and under purged ones.

The learner remembers: it answers with what followed the training rows that look most alike. Under shuffled folds those
are the rows just before and after, whose labels are about the same move. Where only the first column shows skill, the
skill is the fold's and not the market's.
"""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor

from learning.evaluation.errors import Measured, stretches
from learning.evaluation.metrics import rank_correlation
from learning.ridge import scaled, scaling_of
from learning.rows import TrainingRows
from learning.splits import PurgedKFold
from sources.tape.batch import Float64s

_NEIGHBOURS = 5
_MOST_ROWS = 20_000  # the nearest of more are not looked for


class Leak(NamedTuple):
    """Of one horizon: rank correlation of forecasts with returns, and the correlation of signs (Matthews 1975)."""

    horizon: str
    shuffled: Measured
    purged: Measured
    shuffled_sign: float
    purged_sign: float


def leakage(
    rows: TrainingRows, horizon_ns: tuple[int, ...], folds: int = 5, embargo: str = "0s", seed: int = 0
) -> list[Leak]:
    """Judge the learner of the nearest rows both ways, horizon by horizon.

    Of more than 20,000 rows the first are taken: thinned out, they would leak less.

    Args:
        horizon_ns: of the horizons of ``rows``.
    """
    n = min(len(rows), _MOST_ROWS)
    ts, end = rows.ts[:n], rows.end[:n]
    inputs = scaled(rows.inputs[:n], scaling_of(rows.inputs[:n]))  # for both alike, so it explains no difference
    y = rows.returns[:n]
    shuffled = _foretold(inputs, y, KFold(folds, shuffle=True, random_state=seed))
    purged = _foretold(inputs, y, PurgedKFold(folds, ts, end, embargo))
    out = []
    for h, (name, ns) in enumerate(zip(rows.horizons, horizon_ns, strict=True)):
        stretch = stretches(ts, ns)
        each = [rank_correlation(found[:, h], y[:, h], stretch) for found in (shuffled, purged)]
        signs = [sign_correlation(found[:, h], y[:, h]) for found in (shuffled, purged)]
        out.append(Leak(name, each[0], each[1], *signs))
    return out


def _foretold(inputs: Float64s, y: Float64s, splitter: KFold | PurgedKFold) -> Float64s:
    out = np.zeros_like(y)
    for train, test in splitter.split(inputs):
        out[test] = KNeighborsRegressor(_NEIGHBOURS).fit(inputs[train], y[train]).predict(inputs[test])
    return out


def sign_correlation(x: Float64s, y: Float64s) -> float:
    """Matthews' correlation of two signs, rows of a 0 left out; 0 where either side does not vary."""
    there = (x != 0) & (y != 0)
    a, b = x[there] > 0, y[there] > 0
    if not len(a) or a.all() or b.all() or not a.any() or not b.any():
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
