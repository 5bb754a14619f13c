"""The blocks of the network as functions of the last axis, any axes before it (equations of Lim et al. 2021)."""

import jax
import jax.numpy as jnp
from jax import Array

from operators.models.tft.residual import EPSILON
from operators.models.tft.weights import EachVariable, Gate, GatedResidual, Selection


def affine(x: Array, w: Array) -> Array:
    """``x W + b``; w has the offsets in its last row."""
    return x @ w[:-1] + w[-1]


def normalise(x: Array, norm: Array) -> Array:
    """Layer normalisation (Ba, Kiros & Hinton 2016); norm ``(2, n)``: scales, shifts."""
    off = x - x.mean(-1, keepdims=True)
    return off * jax.lax.rsqrt((off * off).mean(-1, keepdims=True) + EPSILON) * norm[0] + norm[1]


def gated_linear(x: Array, gate: Array) -> Array:
    """Equation (5): ``GLU(x) = σ(W_4 x + b_4) ⊙ (W_5 x + b_5)``."""
    sigmoid, linear = jnp.split(affine(x, gate), 2, axis=-1)
    return jax.nn.sigmoid(sigmoid) * linear


def apply_gate(x: Array, skip: Array, weights: Gate) -> Array:
    """Equations (17), (19) and (21): ``LayerNorm(skip + GLU(x))``."""
    return normalise(skip + gated_linear(x, weights.gate), weights.norm)


def gated_residual(x: Array, weights: GatedResidual, context: Array | None = None, mask: Array | float = 1.0) -> Array:
    """Equations (2)–(4): ``LayerNorm(x + GLU(η_1))``, ``η_1 = W_1 ELU(W_2 x + W_3 c + b_2) + b_1``.

    Args:
        context: c, ``(…, d)``.
        mask: what dropout multiplies η_1 by.
    """
    hidden = affine(x, weights.hidden)
    if context is not None:
        hidden = hidden + context @ weights.context
    inner = affine(jax.nn.elu(hidden), weights.inner) * mask
    skip = affine(x, weights.skip) if len(weights.skip) else x
    return normalise(skip + gated_linear(inner, weights.gate), weights.norm)


def each_variable(x: Array, weights: EachVariable) -> Array:
    """Equation (7): ``ξ̃_j = GRN_j(ξ_j)`` of m numbers: ``(…, m)`` to ``(m, …, d)``.

    The variables come first, as they do in a product of many matrices.
    """
    rows = x.reshape(-1, x.shape[-1]).T[:, :, None]  # (m, n, 1)
    hidden = jax.nn.elu(rows * weights.hidden[0][:, None] + weights.hidden[1][:, None])
    inner = hidden @ weights.inner[:, :-1] + weights.inner[:, -1:]
    sigmoid, linear = jnp.split(inner @ weights.gate[:, :-1] + weights.gate[:, -1:], 2, axis=-1)
    skip = rows * weights.skip[0][:, None] + weights.skip[1][:, None]
    total = skip + jax.nn.sigmoid(sigmoid) * linear
    off = total - total.mean(-1, keepdims=True)
    norm = weights.norm[:, :, None]
    out = off * jax.lax.rsqrt((off * off).mean(-1, keepdims=True) + EPSILON) * norm[:, 0] + norm[:, 1]
    return out.reshape(x.shape[-1], *x.shape[:-1], -1)


def select(x: Array, weights: Selection, context: Array) -> tuple[Array, Array]:
    """Equations (6) and (8): ``Σ_j v_j ξ̃_j``, ``(…, d)``, and the shares ``v = Softmax(GRN(Ξ, c))``, ``(…, m)``."""
    shares = jax.nn.softmax(gated_residual(x, weights.weigh, context), axis=-1)
    return jnp.einsum("...m,m...d->...d", shares, each_variable(x, weights.each)), shares
