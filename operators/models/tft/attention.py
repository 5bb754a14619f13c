"""Interpretable multi-head attention over a ring of keys and values, equations (13)–(16) of Lim et al. 2021.

Every head has queries and keys of its own and all share the values, so the mean over the heads says how much each of
the last rows counted. A row looks at itself and at the rows before it; its key and value are computed once and kept.
"""

from typing import NamedTuple

import numpy as np

from operators.models.jit import kernel, rare_kernel
from operators.models.tft.exponential import softmax
from operators.models.tft.products import add_product, padded
from operators.models.tft.weights import Attention
from sources.tape.batch import Float64s

_lanes = kernel(padded)


class Reading(NamedTuple):
    """What attention works in."""

    query: Float64s  # (d,)
    key: Float64s  # (d,)
    scores: Float64s  # (padded window,)
    shares: Float64s  # (padded window,): the heads' mean, by slot of the ring
    value: Float64s  # (padded d/heads,)


def reading(width: int, heads: int, window: int) -> Reading:
    """For a ring of ``window`` rows."""
    rows = padded(window)
    return Reading(np.zeros(width), np.zeros(width), np.zeros(rows), np.zeros(rows), np.zeros(padded(width // heads)))


@rare_kernel
def attend(
    out: Float64s, x: Float64s, d: int, heads: int, window: int, seen: int, keys: Float64s, values: Float64s,
    weights: Attention, work: Reading,
) -> None:  # fmt: skip
    """Put the key and value of a row into the ring, and write what its query finds there.

    Args:
        out: d numbers.
        x: θ of the row, d numbers.
        seen: rows before this one; it goes to slot ``seen mod window``.
        keys: ``(d · padded window,)``: a number of all slots after the other.
        values: ``(window · padded d/heads,)``, a slot after the other.
    """
    each = d // heads
    columns, slots = _lanes(each), _lanes(window)
    slot = seen % window
    count = min(seen + 1, window)
    query, key, value, shares, scores = work.query, work.key, work.value, work.shares, work.scores
    for k in range(np.uint64(d)):
        query[k] = 0.0
        key[k] = 0.0
    add_product(query, 0, x, 0, d, weights.query, 0, d)
    add_product(key, 0, x, 0, d, weights.key, 0, d)
    for k in range(np.uint64(d)):
        keys[k * np.uint64(slots) + np.uint64(slot)] = key[k]
    for k in range(np.uint64(columns)):
        values[np.uint64(slot * columns) + k] = 0.0
    add_product(values, slot * columns, x, 0, d, weights.value, 0, columns)
    scale = 1.0 / np.sqrt(float(each))
    for k in range(np.uint64(d)):
        query[k] *= scale
    for s in range(np.uint64(slots)):
        shares[s] = 0.0
    for head in range(heads):
        for s in range(np.uint64(slots)):
            scores[s] = 0.0
        add_product(scores, 0, query, head * each, each, keys, head * each * slots, slots)
        softmax(scores, count)
        for s in range(np.uint64(count)):
            shares[s] += scores[s] / heads
    for k in range(np.uint64(columns)):
        value[k] = 0.0
    add_product(value, 0, shares, 0, count, values, 0, columns)
    for k in range(np.uint64(d)):
        out[k] = 0.0
    add_product(out, 0, value, 0, each, weights.merge, 0, d)
