"""The whole network over stretches of rows, with the state that serving carries."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from learning.tft.blocks import affine, apply_gate, gated_residual, select
from operators.models.served import QUANTILES
from operators.models.tft.head import PLACES
from operators.models.tft.weights import STATIC, Attention, GatedResidual, Size, Statics, Weights, named, shapes
from operators.models.tft.weights import from_named as weights_from


class Contexts(NamedTuple):
    """What the statics of an instrument make of it (§4.2), each ``(…, d)``."""

    select: Array  # c_s
    enrich: Array  # c_e
    output: Array  # c_h
    cell: Array  # c_c


class Stretch(NamedTuple):
    """Rows of one segment that follow each other, as a batch of B stretches of T rows."""

    inputs: Array  # (B, T, columns), normalised
    known: Array  # (B, T, 4)
    real: Array  # (B, T) bool: whether there is such a row; those before a segment's first are not
    venue: Array  # (B,) codes
    symbol: Array  # (B,)
    output: Array  # (B, d): the LSTM's state before the first row, as the rows before left it
    cell: Array  # (B, d)
    fresh: Array  # (B,) bool: no row came before: the state is that of the contexts


class Told(NamedTuple):
    """What the network says of rows."""

    quantiles: Array  # (B, L, horizons, 5), in units of each target's deviation; may cross
    context: Array  # (B, L, d): ψ̃
    shares: Array  # (B, L, columns + 4): how much each input counts
    attention: Array  # (B, L, T): how much a row (last axis) counts for another


class TemporalFusion(eqx.Module):
    """The network.

    Attributes:
        weights: arrays of the shapes of `operators.models.tft.weights.shapes`.
        size: numbers that decide them.
    """

    weights: Weights
    size: Size = eqx.field(static=True)

    @classmethod
    def drawn(cls, size: Size, seed: int) -> "TemporalFusion":
        """New weights: Glorot's uniform (Glorot & Bengio 2010), offsets 0 but 1 for the forget gate (Jozefowicz,
        Zaremba & Sutskever 2015), norms 1 and 0, the embeddings of unknown venues and symbols 0."""
        random = np.random.default_rng(seed)
        return cls(
            weights_from({name: _drawn(name, shape, random) for name, shape in named(shapes(size)).items()}), size
        )

    def contexts(self, venue: Array, symbol: Array) -> Contexts:
        """Of instruments by their codes, ``(…,)`` each."""
        return contexts(self.weights.statics, venue, symbol)

    def recurrent(self, stretch: Stretch) -> tuple[Array, Array, Array, Contexts, tuple[Array, Array]]:
        """Up to equation (17): φ̃ and the LSTM's outputs and cells ``(B, T, d)``, contexts, shares."""
        about = self.contexts(stretch.venue, stretch.symbol)
        context = about.select[:, None]
        observed, observed_shares = select(stretch.inputs, self.weights.observed, context)
        known, known_shares = select(stretch.known, self.weights.known, context)
        selected = observed + known
        start = (
            jnp.where(stretch.fresh[:, None], about.output, stretch.output),
            jnp.where(stretch.fresh[:, None], about.cell, stretch.cell),
        )
        outputs, cells = remember(selected, stretch.real, start, self.weights.lstm)
        recurrent = apply_gate(outputs, selected, self.weights.recurrent)
        return recurrent, outputs, cells, about, (observed_shares, known_shares)

    def __call__(self, stretch: Stretch, last: int, key: Array | None = None, rate: Any = 0.0) -> Told:
        """What it says of the last rows of each stretch; those before them are there to be remembered and attended to.

        Args:
            last: how many rows, L.
            key, rate: of dropout, which acts on what follows attention alone: the part that serving repeats.
        """
        weights, size = self.weights, self.size
        recurrent, _, _, about, shares = self.recurrent(stretch)
        enriched = gated_residual(recurrent, weights.enrich, about.enrich[:, None])  # (18)
        found, attention = attend(enriched, stretch.real, last, weights.attention, size)
        enriched, recurrent = enriched[:, -last:], recurrent[:, -last:]
        masks: list[Array | float] = [1.0] * PLACES
        if key is not None:
            kept = jax.random.bernoulli(key, 1.0 - rate, (PLACES, *found.shape)) / (1.0 - rate)
            masks = list(kept)
        delta = apply_gate(found * masks[0], enriched, weights.head.attended)  # (19)
        psi = gated_residual(delta, weights.head.position, mask=masks[1])  # (20)
        context = apply_gate(psi * masks[2], recurrent, weights.head.final)  # (21)
        quantiles = affine(context, weights.head.quantiles)  # (22)
        quantiles = quantiles.reshape(*quantiles.shape[:-1], size.horizons, len(QUANTILES))
        return Told(quantiles, context, jnp.concatenate(shares, -1)[:, -last:], attention)


def _drawn(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    last = name.rsplit(".", 1)[-1]
    if last == "norm":
        array = np.zeros(shape)
        array[..., 0, :] = 1.0
    elif last in ("venue", "symbol"):
        array = random.normal(size=shape) / np.sqrt(shape[-1])
        array[0] = 0.0
    elif ".each." in name and last in ("hidden", "skip"):
        array = random.normal(size=shape)
        array[1] = 0.0
    else:
        limit = np.sqrt(6.0 / max(sum(shape[-2:]), 1))
        array = random.uniform(-limit, limit, shape)
        if not name.startswith("attention.") and last != "context" and shape[-2]:
            array[..., -1, :] = 0.0
    if name == "lstm":
        d = shape[1] // 4
        array[-1, d : 2 * d] = 1.0
    return jnp.asarray(array, jnp.float32)


def contexts(weights: Statics, venue: Array, symbol: Array) -> Contexts:
    """Selection among the embeddings of venue and symbol, and the four contexts made of it (§4.2)."""
    both = jnp.concatenate([weights.venue[venue], weights.symbol[symbol]], -1)
    shares = jax.nn.softmax(gated_residual(both, weights.weigh), axis=-1)
    networks: tuple[GatedResidual, ...] = (weights.of_venue, weights.of_symbol)
    parts = jnp.split(both, STATIC, axis=-1)
    zeta = sum(
        shares[..., j, None] * gated_residual(part, network)
        for j, (part, network) in enumerate(zip(parts, networks, strict=True))
    )
    assert isinstance(zeta, Array)
    kinds = (weights.select, weights.enrich, weights.output, weights.cell)
    return Contexts(*(gated_residual(zeta, network) for network in kinds))


def advance(x: Array, output: Array, cell: Array, w: Array) -> tuple[Array, Array]:
    """One step of the LSTM: output and cell after it.

    Args:
        x: what the inputs and offsets make of the gates, ``(…, 4·d)``.
        w: rows of the last output, ``(d, 4·d)``.
    """
    i, f, g, o = jnp.split(x + output @ w, 4, axis=-1)
    after = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(after), after


def remember(x: Array, real: Array, start: tuple[Array, Array], w: Array) -> tuple[Array, Array]:
    """LSTM over ``(B, T, d)``: outputs and cells after every row; where a row is not real they stay as they were."""
    d = x.shape[-1]
    inputs = x @ w[:d] + w[-1]

    def step(carry: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        output, cell = carry
        new = advance(now[0], output, cell, w[d:-1])
        there = now[1][:, None]
        after = (jnp.where(there, new[0], output), jnp.where(there, new[1], cell))
        return after, after

    _, (outputs, cells) = jax.lax.scan(step, start, (inputs.swapaxes(0, 1), real.T))
    return outputs.swapaxes(0, 1), cells.swapaxes(0, 1)


def attend(x: Array, real: Array, last: int, weights: Attention, size: Size) -> tuple[Array, Array]:
    """Equations (13)–(16): what each of the last L rows finds, ``(B, L, d)``, and the heads' mean share."""
    batch, rows, d = x.shape
    each = d // size.heads
    query = (x[:, -last:] @ weights.query).reshape(batch, last, size.heads, each)
    key = (x @ weights.key).reshape(batch, rows, size.heads, each)
    scores = jnp.einsum("bqhe,bkhe->bhqk", query, key) / np.sqrt(each)
    age = jnp.arange(rows - last, rows)[:, None] - jnp.arange(rows)
    seen = (age >= 0) & (age < size.window) & (real[:, None, :] | (age == 0))
    shares = jax.nn.softmax(jnp.where(seen[:, None], scores, -1e30), axis=-1).mean(1)
    return shares @ (x @ weights.value) @ weights.merge, shares
