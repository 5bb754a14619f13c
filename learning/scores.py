"""What forecasts were worth: pinball loss, what it explains, coverage; and the scores that intervals come from."""

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from learning.rows import Integers
from operators.models.conformal import COVERAGE, offset
from operators.models.served import QUANTILES
from sources.tape.batch import Float64s

LEAST_CHANCE = 1e-12  # a class that training has not seen costs no more than that
MOST_SCORES = 2048  # of a horizon that a model keeps


def misses(returns: Float64s, quantiles: Float64s) -> Float64s:
    """How far each return lay outside of its interval; inside is negative. Shape ``(rows, horizons)``.

    ``max(q05 − y, y − q95)``: Romano, Patterson & Candès 2019, "Conformalized Quantile Regression", eq. 6.

    Args:
        returns: shape ``(rows, horizons)``, of the calibration block.
        quantiles: shape ``(rows, horizons, 5)``.
    """
    out: Float64s = np.maximum(quantiles[:, :, 0] - returns, returns - quantiles[:, :, -1])
    return out


def conformal_scores(missed: Float64s) -> Float64s:
    """What a model keeps of `misses`: shape ``(horizons, scores)``, rising; of many, evenly spaced order statistics.

    Args:
        missed: is sorted in place.
    """
    missed.sort(axis=0)
    scores = missed.T
    n = scores.shape[1]
    if n > MOST_SCORES:
        kept = -(-np.arange(1, MOST_SCORES + 1) * n // MOST_SCORES) - 1
        scores = scores[:, kept]
    return np.ascontiguousarray(scores)


def pinball(returns: Float64s, quantiles: Float64s) -> Float64s:
    """Mean quantile loss of each level, shape ``(5,)``: Koenker & Bassett 1978.

    Args:
        returns: shape ``(rows,)``; quantiles: shape ``(rows, 5)``.
    """
    above = returns[:, None] - quantiles
    levels = np.array(QUANTILES)
    loss: Float64s = np.maximum(levels * above, (levels - 1) * above).mean(axis=0)
    return loss


def measured(
    horizons: tuple[str, ...],
    returns: Float64s,
    quantiles: Float64s,
    unconditional: Float64s,
    mean: Float64s,
    calibration: Float64s,
    span: tuple[int, int],
) -> dict[str, Any]:
    """What a model's forecasts were worth, by horizon.

    Args:
        unconditional: shape ``(horizons, 5)``: quantiles of the training returns, which foretell nothing.
        mean: of the training returns, shape ``(horizons,)``.
        calibration: as of `ModelHead`.
        span: ns, of the test rows.
    """
    return {
        "from": span[0],
        "to": span[1],
        "rows": len(returns),
        "horizons": {
            horizon: _of_horizon(returns[:, h], quantiles[:, h], unconditional[h], float(mean[h]), calibration[h])
            for h, horizon in enumerate(horizons)
        },
    }


def chances_measured(barrier: Integers, chances: Float64s, shares: Float64s) -> dict[str, float]:
    """What the chances of the barrier's classes were worth: mean log loss (the logarithmic score of Good 1952).

    Args:
        barrier: −1, 0, +1, shape ``(rows,)``.
        chances: shape ``(rows, 3)``.
        shares: of the classes among the training rows, which foretell nothing; shape ``(3,)``.
    """
    at = np.arange(len(barrier)), barrier + 1
    loss, nothing = (float(-np.log(np.maximum(p[at], LEAST_CHANCE)).mean())
                     for p in (chances, np.broadcast_to(shares, chances.shape)))  # fmt: skip
    return {
        "log_loss": loss,
        "log_loss_unconditional": nothing,
        "skill": 1 - loss / nothing if nothing else 0.0,
        "right": float(np.mean(chances.argmax(axis=1) == barrier + 1)),
        "right_unconditional": float(np.mean(shares.argmax() == barrier + 1)),
    }


def _of_horizon(
    y: Float64s, q: Float64s, unconditional: Float64s, mean: float, calibration: Float64s
) -> dict[str, float]:
    centre = q[:, 2]
    nothing = pinball(y, np.broadcast_to(unconditional, q.shape))
    loss = pinball(y, q)
    wider = offset(calibration, 1 - COVERAGE)
    moved, said = y != 0, centre != 0
    left, still = float(np.sum((y - centre) ** 2)), float(np.sum(y * y))
    drifting = float(np.sum((y - mean) ** 2))
    return {
        "pinball": float(loss.mean()),
        "pinball_unconditional": float(nothing.mean()),
        "pinball_skill": float(1 - loss.mean() / nothing.mean()) if nothing.mean() else 0.0,
        "r2": 1 - left / still if still else 0.0,  # against no change
        "r2_mean": 1 - left / drifting if drifting else 0.0,  # against the mean of the training returns
        "rank_correlation": float(spearmanr(centre, y).statistic) if len(np.unique(centre)) > 1 else 0.0,
        "hit_rate": float(np.mean((centre > 0)[moved & said] == (y > 0)[moved & said]))
        if (moved & said).any()
        else 0.0,
        "coverage_raw": float(np.mean((q[:, 0] <= y) & (y <= q[:, -1]))),
        "coverage": float(np.mean((q[:, 0] - wider <= y) & (y <= q[:, -1] + wider))),
    }
