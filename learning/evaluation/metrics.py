"""What forecasts of one horizon were worth, each figure with its standard error."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from learning.evaluation.errors import Measured, clustered_error, mean_of, ratio_of
from operators.models.served import QUANTILES
from sources.tape.batch import Float64s, Int64s

COVERED = 0.9  # what the outermost quantiles should hold


class Worth(NamedTuple):
    """Of one model, horizon and set of rows.

    Attributes:
        pinball: mean quantile loss over the levels, as log return.
        skill: ``1 − pinball/pinball of the training returns' quantiles``; those foretell nothing.
        r2: ``1 − Σ(y − ŷ)²/Σy²``, ŷ the median: against no change. Below 0: worse than that.
        rank: Spearman's rank correlation of ŷ and y.
        hits: share of right signs, where there is a forecast and a move.
        coverage: share of returns within the outermost quantiles; 0.9 is right.
        sharpness: mean width between them.
        below: share of returns below each quantile, shape ``(5,)``; right are the levels themselves.
    """

    rows: int
    pinball: Measured
    skill: Measured
    r2: Measured
    rank: Measured
    hits: Measured
    coverage: Measured
    sharpness: Measured
    below: Float64s


def losses(y: Float64s, q: Float64s) -> Float64s:
    """Quantile loss of each row, the mean over levels, shape ``(n,)``: Koenker & Bassett 1978.

    Args:
        y: shape ``(n,)``; q: shape ``(n, 5)``.
    """
    above = y[:, None] - q
    levels = np.array(QUANTILES)
    out: Float64s = np.maximum(levels * above, (levels - 1) * above).mean(axis=1)
    return out


def worth(y: Float64s, q: Float64s, nothing: Float64s, stretch: Int64s) -> Worth:
    """Judge forecasts.

    Args:
        y: returns, shape ``(n,)``, one at least.
        q: quantiles that were forecast, shape ``(n, 5)``, each row rising.
        nothing: those of a forecast that foretells nothing, of the same shape.
        stretch: as of `errors.stretches`.
    """
    centre = q[:, 2]
    mine, theirs = losses(y, q), losses(y, nothing)
    left = ratio_of((y - centre) ** 2, y * y, stretch)
    relative = ratio_of(mine, theirs, stretch)
    said = (centre != 0) & (y != 0)
    inside = (q[:, 0] <= y) & (y <= q[:, -1])
    return Worth(
        len(y),
        mean_of(mine, stretch),
        Measured(1.0 - relative.value, relative.error),
        Measured(1.0 - left.value, left.error),
        rank_correlation(centre, y, stretch),
        mean_of(((centre > 0) == (y > 0))[said].astype(np.float64), stretch[said]),
        mean_of(inside.astype(np.float64), stretch),
        mean_of(q[:, -1] - q[:, 0], stretch),
        (y[:, None] < q).mean(axis=0),
    )


def rank_correlation(x: Float64s, y: Float64s, stretch: Int64s) -> Measured:
    """Spearman's correlation; 0 where either does not vary. Its error is that of the mean product of scaled ranks."""
    a, b = (rankdata(each) for each in (x, y))
    if a.std() == 0 or b.std() == 0:
        return Measured(0.0)
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    r = float(np.mean(a * b))
    return Measured(r, clustered_error(a * b - r / 2 * (a * a + b * b), stretch))


def better_by(y: Float64s, q: Float64s, other: Float64s, stretch: Int64s) -> Measured:
    """How much of the other's pinball loss a forecast saves, on the same rows: a paired comparison (Diebold & Mariano
    1995)."""
    return ratio_of(losses(y, other) - losses(y, q), losses(y, other), stretch)
