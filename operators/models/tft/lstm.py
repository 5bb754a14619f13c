"""The recurrent layer: long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

import numpy as np

from operators.models.jit import rare_kernel
from operators.models.tft.exponential import hyperbolic_tangent, sigmoid
from operators.models.tft.products import add_product
from sources.tape.batch import Float64s


@rare_kernel
def remember(x: Float64s, output: Float64s, cell: Float64s, d: int, weights: Float64s, gates: Float64s) -> None:
    """One step: ``c = σ(f)·c + σ(i)·tanh(g)``, ``h = σ(o)·tanh(c)`` with ``(i, f, g, o) = W (x, h) + b``.

    Args:
        x: d numbers.
        output, cell: h and c, d numbers each, carried on in place.
        weights: ``(2·d + 1, 4·d)``: rows of x, of h, offsets.
        gates: ``(4·d,)``, to work in.
    """
    last = 2 * d * 4 * d
    for k in range(np.uint64(4 * d)):
        gates[k] = weights[np.uint64(last) + k]
    add_product(gates, 0, x, 0, d, weights, 0, 4 * d)
    add_product(gates, 0, output, 0, d, weights, d * 4 * d, 4 * d)
    one, two, three = np.uint64(d), np.uint64(2 * d), np.uint64(3 * d)
    for k in range(np.uint64(d)):
        kept = sigmoid(gates[one + k]) * cell[k]
        cell[k] = kept + sigmoid(gates[k]) * hyperbolic_tangent(gates[two + k])
    for k in range(np.uint64(d)):
        output[k] = sigmoid(gates[three + k]) * hyperbolic_tangent(cell[k])
