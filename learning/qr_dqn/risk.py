"""Values that look at the tail of returns."""

import numpy as np

from sources.tape.batch import Float64s


def conditional_value(quantiles: Float64s, share: float) -> Float64s:
    """Mean of the lowest ``share`` of returns, of quantiles of equal weight.

    Args:
        quantiles: rising, shape ``(actions, N)``.
        share: above 0, at most 1; the last quantile counts for the part of it that is left.

    Returns:
        Shape ``(actions,)``.
    """
    n = quantiles.shape[1]
    weights = np.clip(share * n - np.arange(n), 0.0, 1.0)
    out: Float64s = (quantiles * weights).sum(axis=1) / (share * n)
    return out
