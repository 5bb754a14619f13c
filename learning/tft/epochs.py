"""One epoch after the other: a step of the optimiser, the states that stretches begin with, the loss held back."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from learning.tft.blocks import affine, select
from learning.tft.losses import quantile_loss
from learning.tft.network import Stretch, TemporalFusion, advance, contexts
from learning.tft.sequences import Float32s, Sequences, Stretches

_BLOCK = 2048  # rows whose states are computed together
_FORGOTTEN = 0.05  # share of stretches whose venue is taken for unknown, and of those whose symbol is


class Memory(NamedTuple):
    """The LSTM's state after every row."""

    output: Float32s  # (n, d)
    cell: Float32s  # (n, d)


@eqx.filter_jit
def _block(net: TemporalFusion, read: tuple[Any, ...], carry: Any) -> Any:
    inputs, known, code, first = read
    weights = net.weights
    about = contexts(weights.statics, code[:, 0], code[:, 1])
    selected = select(inputs, weights.observed, about.select)[0] + select(known, weights.known, about.select)[0]

    def step(carry: tuple[Array, Array], now: tuple[Array, ...]) -> tuple[Any, Any]:
        x, begins, output, cell = now
        after = advance(x, jnp.where(begins, output, carry[0]), jnp.where(begins, cell, carry[1]), weights.lstm[d:-1])
        return after, after

    d = net.size.width
    gates = affine(selected, jnp.concatenate([weights.lstm[:d], weights.lstm[-1:]]))
    return jax.lax.scan(step, carry, (gates, first, about.output, about.cell))


def remembered(net: TemporalFusion, data: Sequences) -> Memory:
    """The state after each row, carried through each segment from its first row on: as it is served."""
    n, d = len(data.first), net.size.width
    memory = Memory(np.zeros((n, d), np.float32), np.zeros((n, d), np.float32))
    carry = (jnp.zeros(d), jnp.zeros(d))
    for start in range(0, n, _BLOCK):
        part = slice(start, min(start + _BLOCK, n))
        size = part.stop - start
        more = _BLOCK - size
        read = tuple(
            np.pad(array[part], [(0, more)] + [(0, 0)] * (array.ndim - 1))
            for array in (data.inputs, data.known, data.code, data.first)
        )
        carry, (outputs, cells) = _block(net, read, carry)
        memory.output[part], memory.cell[part] = np.asarray(outputs)[:size], np.asarray(cells)[:size]
    return memory


class Batch(NamedTuple):
    """Stretches with what they are judged by."""

    stretch: Stretch
    targets: Array  # (B, L, horizons)
    weight: Array  # (B, L)


def batch_of(
    data: Sequences, where: Stretches, numbers: Any, memory: Memory, weight: Float32s, length: int,
    forget: np.random.Generator | None = None,
) -> Batch:  # fmt: skip
    """Some stretches; a number of −1 is an empty one.

    Args:
        weight: (n,): of each row in the loss.
        forget: draws which venues and symbols are taken for unknown, so that the code for those is learned, too.
    """
    rows = np.where(numbers[:, None] >= 0, where.rows[numbers], -1)
    real = rows >= 0
    anchor = np.where(real, rows, 0)
    before = rows[:, 0] - 1  # the row whose state the stretch begins with
    code = data.code[anchor[np.arange(len(rows)), real.argmax(1)]]
    if forget is not None:
        code = np.where(forget.random(code.shape) < _FORGOTTEN, 0, code)
    known_before = np.maximum(before, 0)
    stretch = Stretch(
        inputs=jnp.asarray(data.inputs[anchor]),
        known=jnp.asarray(data.known[anchor]),
        real=jnp.asarray(real),
        venue=jnp.asarray(code[:, 0]),
        symbol=jnp.asarray(code[:, 1]),
        output=jnp.asarray(memory.output[known_before]),
        cell=jnp.asarray(memory.cell[known_before]),
        fresh=jnp.asarray(where.fresh[numbers] | (numbers < 0)),
    )
    last = anchor[:, -length:]
    counted = np.where(real[:, -length:], weight[last], 0.0).astype(np.float32)
    return Batch(stretch, jnp.asarray(data.targets[last]), jnp.asarray(counted))


def batches(count: int, size: int, order: Any = None) -> Iterator[Any]:
    """Numbers of stretches, ``size`` at a time; the last are filled up with −1."""
    numbers = np.arange(count) if order is None else order
    full = np.pad(numbers, (0, -count % size), constant_values=-1)
    yield from full.reshape(-1, size)


def optimiser(rate: Any, decay: Any) -> optax.GradientTransformation:
    """Adam with decoupled decay (Loshchilov & Hutter 2019), gradients no longer than 1."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=decay))


def batch_loss(net: TemporalFusion, batch: Batch, key: Array | None, rate: Any) -> Array:
    """Mean quantile loss of a batch, with dropout."""
    length = batch.weight.shape[1]
    told = net(batch.stretch, length, key, rate)
    loss, weight = quantile_loss(told.quantiles, batch.targets, batch.weight)
    return loss / jnp.maximum(weight, 1e-12)


@eqx.filter_jit
def trained(
    net: TemporalFusion, state: Any, batch: Batch, key: Array, dropout: Array, rate: Array, decay: Array
) -> tuple[TemporalFusion, Any, Array]:
    """The network after one step, the optimiser's state, and the loss before."""
    loss, gradient = eqx.filter_value_and_grad(batch_loss)(net, batch, key, dropout)
    updates, state = optimiser(rate, decay).update(gradient, state, net)
    return eqx.apply_updates(net, updates), state, loss


@eqx.filter_jit
def _judged(net: TemporalFusion, batch: Batch) -> tuple[Array, Array, Array, Array]:
    told = net(batch.stretch, batch.weight.shape[1])
    loss, weight = quantile_loss(told.quantiles, batch.targets, batch.weight)
    shares = (told.shares * batch.weight[..., None]).sum((0, 1))
    length = batch.weight.shape[1]
    ages = (jnp.arange(-length, 0)[:, None] - jnp.arange(-told.attention.shape[-1], 0)) % told.attention.shape[-1]
    by_age = jnp.zeros(told.attention.shape[-1]).at[ages].add((told.attention * batch.weight[..., None]).sum(0))
    return loss, weight, shares, by_age


class Verdict(NamedTuple):
    """On the rows held back."""

    loss: float
    shares: Any  # (columns + 4,): how much each input counts, on average
    attention: Any  # (window,): how much each row of the window counts, the newest first


def judged(
    net: TemporalFusion, data: Sequences, where: Stretches, memory: Memory, batch: int, length: int
) -> Verdict:  # fmt: skip
    """The loss on the rows held back, without dropout, and what the network looks at there."""
    totals: list[Any] = [0.0, 0.0, 0.0, 0.0]
    for numbers in batches(len(where.rows), batch):
        parts = _judged(net, batch_of(data, where, numbers, memory, data.held, length))
        totals = [total + np.asarray(part, np.float64) for total, part in zip(totals, parts, strict=True)]
    loss, weight, shares, by_age = totals
    return Verdict(float(loss / weight), shares / weight, by_age[: net.size.window] / weight)
