"""Variable selection, equations (6)–(8) of Lim et al. 2021: how much each input counts, decided anew at every row."""

from typing import NamedTuple

import numpy as np

from operators.models.jit import kernel, rare_kernel
from operators.models.tft.exponential import elu, sigmoid, softmax
from operators.models.tft.products import affine, padded
from operators.models.tft.residual import Room, gated_residual, normalise, room
from operators.models.tft.weights import EachVariable, Selection
from sources.tape.batch import Float64s


class Variables(NamedTuple):
    """What a selection among m variables works in."""

    hidden: Float64s  # (m·d,)
    inner: Float64s  # (d,)
    gates: Float64s  # (m·2·d,)
    each: Float64s  # (m·d,): ξ̃ of each
    shares: Float64s  # (padded m,): how much each counts
    weigh: Room


def variables(m: int, width: int) -> Variables:
    """For m variables."""
    d = width
    return Variables(
        np.zeros(m * d), np.zeros(d), np.zeros(m * 2 * d), np.zeros(m * d), np.zeros(padded(m)), room(d, max(m, d))
    )


@kernel
def each_variable(x: Float64s, m: int, d: int, weights: EachVariable, work: Variables) -> None:
    """Equation (7): ``work.each[j] = GRN_j(ξ_j)`` of m numbers, layer by layer."""
    hidden, inner, gates, out = work.hidden, work.inner, work.gates, work.each
    shift = np.uint64(m * d)  # from slopes to offsets
    for j in range(np.uint64(m)):
        for k in range(np.uint64(j * np.uint64(d)), np.uint64((j + np.uint64(1)) * np.uint64(d))):
            hidden[k] = weights.hidden[k] * x[j] + weights.hidden[shift + k]
            out[k] = weights.skip[k] * x[j] + weights.skip[shift + k]
    elu(hidden, m * d)
    for j in range(m):
        affine(inner, 0, hidden, j * d, d, weights.inner, j * (d + 1) * d, d)
        affine(gates, j * 2 * d, inner, 0, d, weights.gate, j * (d + 1) * 2 * d, 2 * d)
    for j in range(m):
        at, gate = np.uint64(j * d), np.uint64(j * 2 * d)
        for k in range(np.uint64(d)):
            out[at + k] += sigmoid(gates[gate + k]) * gates[gate + np.uint64(d) + k]
        normalise(out, j * d, d, weights.norm, j * 2 * d, d)


@rare_kernel
def select(out: Float64s, x: Float64s, m: int, d: int, context: Float64s, weights: Selection, work: Variables) -> None:
    """Equations (6) and (8): add ``Σ_j shares_j · ξ̃_j`` of m numbers to ``out``, d numbers, in rising j.

    Args:
        context: c_s, d numbers.
        work: its ``shares`` are those of this row afterwards.
    """
    each_variable(x, m, d, weights.each, work)
    gated_residual(work.shares, m, x, m, context, weights.weigh, d, work.weigh)
    softmax(work.shares, m)
    for j in range(np.uint64(m)):
        at = np.uint64(j * np.uint64(d))
        for k in range(np.uint64(d)):
            out[k] += work.shares[j] * work.each[at + k]
