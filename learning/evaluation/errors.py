"""Standard errors of what is measured on overlapping labels.

Labels of rows that follow each other are about the same move, so ``1/sqrt(n)`` of the rows is far too small. Rows are
put into stretches of time that are several labels long; what is summed over a stretch counts as one observation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sources.tape.batch import Float64s, Int64s

_LABELS_A_STRETCH = 4
_MOST_STRETCHES = 200


class Measured(NamedTuple):
    """A figure, and its standard error; NaN where there is nothing to tell it by."""

    value: float
    error: float = float("nan")


def stretches(ts: Int64s, horizon_ns: int) -> Int64s:
    """Number of each row's stretch, shape ``(n,)``: equal lengths, four horizons at least, 200 stretches at most.

    Args:
        ts: ns, shape ``(n,)``, one at least.
    """
    first, last = int(ts.min()), int(ts.max())
    length = max(_LABELS_A_STRETCH * horizon_ns, -(-(last - first + 1) // _MOST_STRETCHES))
    return (ts - first) // length


def clustered_error(influence: Float64s, stretch: Int64s) -> float:
    """Standard error of a mean whose rows depend on each other within a stretch of time, and hardly beyond it.

    ``sqrt(G/(G − 1)·Σ_g (Σ_{i in g} d_i)²)/n`` with the mean taken off ``d``: Liang & Zeger 1986, for means. NaN of
    fewer than two stretches.

    Args:
        influence: of each row on the mean, shape ``(n,)``.
        stretch: as of `stretches`.
    """
    d = influence - influence.mean()
    sums = np.bincount(np.unique(stretch, return_inverse=True)[1], weights=d)
    groups = len(sums)
    if groups < 2:
        return float("nan")
    return float(np.sqrt(groups / (groups - 1) * float(sums @ sums)) / len(d))


def mean_of(x: Float64s, stretch: Int64s) -> Measured:
    """Mean with its error; NaN of nothing."""
    return Measured(float(x.mean()), clustered_error(x, stretch)) if len(x) else Measured(float("nan"))


def ratio_of(above: Float64s, below: Float64s, stretch: Int64s) -> Measured:
    """``mean(above)/mean(below)``, its error by the delta method; NaN where the denominator is 0."""
    scale = float(below.mean()) if len(below) else 0.0
    if scale == 0.0:
        return Measured(float("nan"))
    ratio = float(above.mean()) / scale
    return Measured(ratio, clustered_error((above - ratio * below) / scale, stretch))


def average(each: Sequence[Measured]) -> Measured:
    """Mean over paths. They share all rows, so the error of one path is that of the mean."""
    return Measured(float(np.mean([one.value for one in each])), float(np.mean([one.error for one in each])))


def effective_rows(instrument: Int64s, ts: Int64s, horizon_ns: int) -> float:
    """How many labels of a horizon there would be without overlap: the sum of their average uniqueness.

    A label covers ``[t, t + horizon]`` of its instrument; the share of a row is 1 over the number of labels that cover
    it (López de Prado 2018, §4.4). Instruments count as independent, which is more than is known of them.

    Args:
        instrument, ts: of each row, shape ``(n,)``; in each instrument ``ts`` rises.
    """
    total = 0.0
    for number in np.unique(instrument):
        t = ts[instrument == number]
        covering = np.searchsorted(t, t, side="right") - np.searchsorted(t, t - horizon_ns, side="left")
        share = np.concatenate([[0.0], np.cumsum(1.0 / covering)])
        first, last = np.searchsorted(t, t, side="left"), np.searchsorted(t, t + horizon_ns, side="right")
        total += float(((share[last] - share[first]) / (last - first)).sum())
    return total
