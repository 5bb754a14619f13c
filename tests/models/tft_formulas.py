"""The Temporal Fusion Transformer once more, from the formulas of Lim et al. 2021 in NumPy, with the paper's names."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, softmax

Array = np.ndarray


class Grn(NamedTuple):
    """Weights of a gated residual network as the paper writes them: ``W`` has a row for each output."""

    W1: Array
    b1: Array
    W2: Array
    b2: Array
    W3: Array | None
    W4: Array
    b4: Array
    W5: Array
    b5: Array
    skip: tuple[Array, Array] | None
    gamma: Array
    beta: Array


def draw(random: np.random.Generator, a: int, d: int, o: int, context: bool = False, skip: bool = False) -> Grn:
    def n(*shape: int) -> Array:
        return random.normal(size=shape) / np.sqrt(shape[-1])

    return Grn(
        n(d, d), n(d), n(d, a), n(d), n(d, d) if context else None, n(o, d), n(o), n(o, d), n(o),
        (n(o, a), n(o)) if skip else None, 1 + n(o), n(o),
    )  # fmt: skip


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    return (x - np.mean(x)) / np.sqrt(np.var(x) + 1e-5) * gamma + beta


def elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def glu(gamma: Array, w: Grn) -> Array:  # (5)
    return expit(w.W4 @ gamma + w.b4) * (w.W5 @ gamma + w.b5)


def grn(a: Array, w: Grn, c: Array | None = None) -> Array:  # (2)-(4)
    eta2 = elu(w.W2 @ a + w.b2 + (0 if w.W3 is None else w.W3 @ c))
    eta1 = w.W1 @ eta2 + w.b1
    skip = a if w.skip is None else w.skip[0] @ a + w.skip[1]
    return layer_norm(skip + glu(eta1, w), w.gamma, w.beta)


def select(xi: Sequence[Array], weigh: Grn, each: Sequence[Grn], c: Array) -> tuple[Array, Array]:  # (6)-(8)
    v = softmax(grn(np.concatenate(xi), weigh, c))
    tilde = [grn(x, w) for x, w in zip(xi, each, strict=True)]
    return sum(share * x for share, x in zip(v, tilde, strict=True)), v


def lstm(x: Array, h: Array, c: Array, W: Array, U: Array, b: Array) -> tuple[Array, Array]:
    i, f, g, o = np.split(W @ x + U @ h + b, 4)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def attention(theta: Array, WQ: Sequence[Array], WK: Sequence[Array], WV: Array, WH: Array) -> tuple[Array, Array]:
    """(13)-(16) for the last of the rows theta, ``(rows, d)``."""
    d_attn = WQ[0].shape[1]
    A = [softmax((theta[-1] @ q) @ (theta @ k).T / np.sqrt(d_attn)) for q, k in zip(WQ, WK, strict=True)]
    mean = np.mean(A, axis=0)
    return mean @ (theta @ WV) @ WH, mean


def stacked(w: Array, b: Array) -> Array:
    """As a folder has a matrix: a row for each input, then the offsets."""
    return np.vstack([w.T, b])


def as_weights(w: Grn, kind: Any) -> Any:
    """As a folder has a network."""
    d, o = len(w.b1), len(w.gamma)
    skip = np.zeros((0, o)) if w.skip is None else stacked(*w.skip)
    context = np.zeros((0, d)) if w.W3 is None else w.W3.T
    gate = np.hstack([stacked(w.W4, w.b4), stacked(w.W5, w.b5)])
    return kind(stacked(w.W2, w.b2), context, stacked(w.W1, w.b1), gate, skip, np.vstack([w.gamma, w.beta]))


def folded(xi: Sequence[tuple[Array, Array]], weigh: Grn, each: Sequence[Grn], kinds: Any) -> Any:
    """As a folder has a selection among numbers: their embeddings ``e·x + b`` are part of the first layers.

    Args:
        xi: e and b of each variable.
        kinds: the types of networks, variables and selections.
    """
    grn_kind, each_kind, selection_kind = kinds
    m, d = len(xi), len(weigh.b1)

    def first(W: Array, b: Array) -> tuple[Array, Array]:
        parts = [W[:, j * d : (j + 1) * d] for j in range(m)]
        slope = np.stack([part @ e for part, (e, _) in zip(parts, xi, strict=True)], axis=1)
        return slope, b + sum(part @ offset for part, (_, offset) in zip(parts, xi, strict=True))

    W2, b2 = first(weigh.W2, weigh.b2)
    assert weigh.skip is not None
    read = weigh._replace(W2=W2, b2=b2, skip=first(*weigh.skip))
    variables = each_kind(
        np.stack([[w.W2 @ e for w, (e, _) in zip(each, xi, strict=True)],
                  [w.W2 @ b + w.b2 for w, (_, b) in zip(each, xi, strict=True)]]),
        np.stack([stacked(w.W1, w.b1) for w in each]),
        np.stack([np.hstack([stacked(w.W4, w.b4), stacked(w.W5, w.b5)]) for w in each]),
        np.stack([[e for e, _ in xi], [b for _, b in xi]]),
        np.stack([[w.gamma, w.beta] for w in each]),
    )  # fmt: skip
    return selection_kind(as_weights(read, grn_kind), variables)
