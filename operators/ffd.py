"""Fractional differentiation with a window of fixed width (docs/features.md, 4.6).

Source: López de Prado 2018, "Advances in Financial Machine Learning", chapter 5, section 5.4 (weights) and 5.5 (fixed
width). The sum over the window has one written order, `lanes.dot`, that the online and the whole-array forms share.
What notebooks use is in `operators.fracdiff`.
"""

import numpy as np

from operators.jit import kernel
from operators.ordered_dot import dot, dots
from sources.tape.batch import Float64s

MAX_WEIGHTS = 10_000


def ffd_weights(d: float, threshold: float) -> Float64s:
    """``w_0 = 1, w_k = −w_{k−1}·(d−k+1)/k`` while ``|w_k| ≥ threshold``, at most 10 000; shape ``(K,)``, newest first.

    >>> ffd_weights(1.0, 1e-5)
    array([ 1., -1.])
    >>> len(ffd_weights(0.4, 1e-5))
    1458
    """
    weights = [1.0]
    while len(weights) < MAX_WEIGHTS:
        k = len(weights)
        w = -weights[-1] * (d - k + 1) / k
        if abs(w) < threshold:
            break
        weights.append(w)
    return np.array(weights) + 0.0  # + 0.0: no negative zero


@kernel
def ffd_push(history: Float64s, seen: int, weights: Float64s, x: float) -> float:
    """Add one value and return the newest fractional difference; NaN for the first K − 1 values.

    Args:
        history: shape ``(2·K,)``; every value is written twice, K apart, so that the window is always contiguous.
        seen: values before this one.
        weights: shape ``(K,)``, oldest first (`ffd_weights` reversed).
    """
    k = len(weights)
    slot = seen % k
    history[slot] = x
    history[slot + k] = x
    if seen + 1 < k:
        return np.nan
    return dot(history, slot + 1, weights)


@kernel
def ffd_push_all(history: Float64s, seen: int, weights: Float64s, values: Float64s) -> None:
    """`ffd_push` of each of ``values`` in turn, which become the differences: the same bits, and with 100 values at
    once a quarter of the time (`lanes.dots`)."""
    k = len(weights)
    done = 0
    while done < len(values):
        slot = (seen + done) % k
        n = min(k - slot, len(values) - done)
        # The upper places first: the first windows reach back to what the lower ones still hold.
        for i in range(n):
            history[slot + k + i] = values[done + i]
        missing = min(max(k - 1 - seen - done, 0), n)
        for i in range(missing):
            values[done + i] = np.nan
        dots(history, slot + 1 + missing, weights, values, done + missing, n - missing)
        for i in range(n):
            history[slot + i] = history[slot + k + i]
        done += n


@kernel
def ffd_into(x: Float64s, weights: Float64s, out: Float64s) -> None:
    """The whole series at once into ``out``, shape of ``x``: the same bits as value by value."""
    before = min(len(weights) - 1, len(x))
    out[:before] = np.nan
    dots(x, 0, weights, out, before, len(x) - before)
