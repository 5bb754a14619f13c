"""Whether a model is better than a baseline, in words."""

from math import isnan

from learning.evaluation.errors import Measured

_LEAST = 20  # labels without overlap that fit into the rows


def verdict(better: Measured, baseline: str, effective: float, counted: str = "horizons") -> str:
    """Whether a model beats the best baseline, in words.

    Args:
        better: share of the baseline's loss that the model saves.
        effective: how many labels there would be without overlap.
        counted: what they are called.

    >>> verdict(Measured(-0.01, 0.002), "ridge", 900.0)
    'does not beat ridge'
    >>> verdict(Measured(0.05, 0.01), "ridge", 900.0)
    'beats ridge'
    >>> verdict(Measured(0.01, 0.01), "ridge", 900.0)
    'cannot be told from ridge with this amount of data'
    >>> verdict(Measured(0.05, 0.01), "ridge", 12.0)
    'is judged by 12 horizons, which tell nothing'
    """
    if effective < _LEAST or isnan(better.error):
        return f"is judged by {effective:.0f} {counted}, which tell nothing"
    if better.value <= 0:
        return f"does not beat {baseline}"
    return f"beats {baseline}" if better.value > 2 * better.error else (
        f"cannot be told from {baseline} with this amount of data"
    )  # fmt: skip
