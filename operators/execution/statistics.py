"""What a run of trades is worth, as functions over arrays (docs/strategies.md)."""

import math
from typing import NamedTuple

import numpy as np

from sources.tape.batch import Float64s, Int64s


class Estimate(NamedTuple):
    """A mean and what is known of it."""

    value: float
    error: float  # standard error; NaN of fewer than two observations
    observations: int


def mean(x: Float64s) -> Estimate:
    """Mean of numbers, NaN left out, with its standard error."""
    there = x[~np.isnan(x)]
    n = len(there)
    if n == 0:
        return Estimate(math.nan, math.nan, 0)
    error = float(np.std(there, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(float(np.mean(there)), error, n)


def markouts(ts: Int64s, side: Float64s, price: Float64s, row_ts: Int64s, mid: Float64s, horizon: int) -> Float64s:
    """How far the mid has gone in the direction of each fill after ``horizon`` ns, in basis points of its price.

    ``side·(mid(ts + horizon) − price) / price``, with ``mid(t)`` that of the last row not after ``t``. NaN where the
    rows end before. Negative: whoever took the other side knew more.

    Args:
        ts, side, price: of the fills, shape ``(fills,)``.
        row_ts, mid: of the rows of ``equity``, shape ``(rows,)``, in order.
    """
    out = np.full(len(ts), np.nan)
    if len(row_ts) == 0:
        return out
    then = ts + horizon
    at = np.searchsorted(row_ts, then, side="right") - 1
    known = (at >= 0) & (then <= row_ts[-1])
    out[known] = 1e4 * side[known] * (mid[at[known]] - price[known]) / price[known]
    return out


def drawdown(equity: Float64s) -> Float64s:
    """Equity less its highest value so far, which begins with 0."""
    return equity - np.maximum.accumulate(np.maximum(equity, 0.0))


def sharpe_ratio(returns: Float64s) -> Estimate:
    """Mean over standard deviation of returns of equal periods, not annualised, with its standard error.

    Source: Lo 2002, "The Statistics of Sharpe Ratios", equation 9, for independent returns:
    ``sqrt((1 + SR²/2) / n)``.
    """
    n = len(returns)
    spread = float(np.std(returns, ddof=1)) if n > 1 else 0.0
    if spread == 0.0:
        return Estimate(math.nan, math.nan, n)
    ratio = float(np.mean(returns)) / spread
    return Estimate(ratio, math.sqrt((1.0 + ratio * ratio / 2.0) / n), n)


def tail_mean(returns: Float64s, share: float) -> float:
    """Mean of the lowest ``share`` of returns of equal weight; NaN where that is less than one of them.

    Source: Rockafellar & Uryasev 2002, "Conditional value-at-risk for general loss distributions", proposition 8.
    """
    n = len(returns)
    if share * n < 1.0:
        return math.nan
    weights = np.clip(share * n - np.arange(n), 0.0, 1.0)
    return float((np.sort(returns) * weights).sum() / (share * n))
