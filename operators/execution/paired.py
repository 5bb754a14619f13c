"""Two runs on one market, time by time: their difference is known better than either of them."""

import math

import numpy as np

from operators.execution.statistics import Estimate
from sources.tape.batch import Float64s, Int64s


def equity_difference(
    ts: Int64s, equity: Float64s, other_ts: Int64s, other_equity: Float64s
) -> tuple[Int64s, Float64s]:
    """Equity less that of another run, at every time that either has; each holds until its next, and begins with 0.

    Args:
        ts, other_ts: ns, of the rows of ``equity``, in order; of several at one time the last counts.
    """
    both = np.union1d(ts, other_ts)
    return both, _as_of(both, ts, equity) - _as_of(both, other_ts, other_equity)


def profit_difference(difference: Float64s) -> Estimate:
    """What `equity_difference` ends with, with its standard error.

    The error takes the changes from time to time for independent: ``std(changes) · sqrt(n)``. What both runs share,
    such as the moves of the price while they hold the same position, is in neither.
    """
    changes = np.diff(difference, prepend=0.0)
    n = len(changes)
    if n == 0:
        return Estimate(math.nan, math.nan, 0)
    error = float(np.std(changes, ddof=1)) * math.sqrt(n) if n > 1 else math.nan
    return Estimate(float(difference[-1]), error, n)


def _as_of(at: Int64s, ts: Int64s, values: Float64s) -> Float64s:
    place = np.searchsorted(ts, at, side="right") - 1
    return np.where(place >= 0, values[np.maximum(place, 0)], 0.0) if len(ts) else np.zeros(len(at))
