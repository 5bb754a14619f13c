"""Gated residual networks and gates, equations (2)–(5) of Lim et al. 2021."""

from typing import NamedTuple

import numpy as np

from operators.models.jit import kernel, rare_kernel
from operators.models.tft.exponential import elu, sigmoid
from operators.models.tft.products import add_product, affine, padded
from operators.models.tft.weights import Gate, GatedResidual
from sources.tape.batch import Float64s

EPSILON = 1e-5  # added to the variance of a normalised layer

_lanes = kernel(padded)


class Room(NamedTuple):
    """What a network works in: one dimension each, as long as its longest layer, padded."""

    hidden: Float64s
    inner: Float64s
    gates: Float64s  # twice as long


def room(width: int, longest: int) -> Room:
    """For networks of a width, with outputs of up to ``longest``."""
    return Room(np.zeros(padded(width)), np.zeros(padded(width)), np.zeros(2 * padded(longest)))


@kernel
def normalise(x: Float64s, at: int, n: int, norm: Float64s, first: int, stride: int) -> None:
    """Layer normalisation of n numbers in place (Ba, Kiros & Hinton 2016), sums in rising order.

    Args:
        norm: n scales from ``first`` on, and as many shifts ``stride`` after them.
    """
    mean = 0.0
    for i in range(np.uint64(n)):
        mean += x[np.uint64(at) + i]
    mean /= n
    variance = 0.0
    for i in range(np.uint64(n)):
        off = x[np.uint64(at) + i] - mean
        variance += off * off
    factor = 1.0 / np.sqrt(variance / n + EPSILON)
    for i in range(np.uint64(n)):
        k = np.uint64(at) + i
        x[k] = (x[k] - mean) * factor * norm[np.uint64(first) + i] + norm[np.uint64(first + stride) + i]


@rare_kernel
def add_gated(out: Float64s, n: int, x: Float64s, d: int, gate: Float64s, norm: Float64s, gates: Float64s) -> None:
    """``out = LayerNorm(out + σ(W_4 x + b_4) ⊙ (W_5 x + b_5))`` over n numbers: what is skipped to is there already.

    Args:
        x: d numbers.
        gate, norm: as in `weights.GatedResidual`, n to outputs.
        gates: ``(≥ 2·n,)``, to work in.
    """
    columns = _lanes(n)
    affine(gates, 0, x, 0, d, gate, 0, 2 * columns)
    for i in range(np.uint64(n)):
        out[i] += sigmoid(gates[i]) * gates[np.uint64(columns) + i]
    normalise(out, 0, n, norm, 0, columns)


@kernel
def apply_gate(out: Float64s, x: Float64s, weights: Gate, d: int, gates: Float64s) -> None:
    """``out = LayerNorm(out + GLU(x))``, both d numbers: equations (17), (19) and (21)."""
    add_gated(out, d, x, d, weights.gate, weights.norm, gates)


@kernel
def inner_layers(
    x: Float64s, a: int, context: Float64s, weights: GatedResidual, d: int, hidden: Float64s, inner: Float64s
) -> None:
    """Equations (3) and (4): ``inner = W_1 ELU(W_2 x + W_3 c + b_2) + b_1``.

    Args:
        x: a numbers.
        context: c, d numbers; not read if the network has no ``W_3``.
    """
    affine(hidden, 0, x, 0, a, weights.hidden, 0, d)
    if len(weights.context) > 0:
        add_product(hidden, 0, context, 0, d, weights.context, 0, d)
    elu(hidden, d)
    affine(inner, 0, hidden, 0, d, weights.inner, 0, d)


@kernel
def skipped(out: Float64s, x: Float64s, a: int, weights: GatedResidual, o: int) -> None:
    """The input, made as long as the output."""
    if len(weights.skip) == 0:
        for i in range(np.uint64(o)):
            out[i] = x[i]
    else:
        affine(out, 0, x, 0, a, weights.skip, 0, _lanes(o))


@rare_kernel
def gated_residual(
    out: Float64s, o: int, x: Float64s, a: int, context: Float64s, weights: GatedResidual, d: int, work: Room
) -> None:
    """Equation (2): ``out = LayerNorm(x + GLU(inner))``.

    Args:
        out: o numbers; not ``x``.
        x: a numbers.
        context: d numbers; not read if the network has no ``W_3``.
    """
    inner_layers(x, a, context, weights, d, work.hidden, work.inner)
    skipped(out, x, a, weights, o)
    add_gated(out, o, work.inner, d, weights.gate, weights.norm, work.gates)
