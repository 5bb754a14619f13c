"""Gradient steps of QR-DQN, many in one compiled call."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from learning.qr_dqn import popart
from learning.qr_dqn.hyper import Hyper
from learning.qr_dqn.loss import quantile_huber
from learning.qr_dqn.network import Params, forward
from learning.qr_dqn.replay import Transitions

Array = jax.Array


class Learner(NamedTuple):
    """All that gradient steps change."""

    params: Params
    target: Params  # network that values what follows
    scale: popart.Scale  # of both networks
    optimiser: optax.OptState
    steps: Array  # gradient steps taken, int32


Steps = Callable[[Learner, Transitions, Array], tuple[Learner, Array]]


def optimiser(hyper: Hyper) -> optax.GradientTransformation:
    """Adam with gradients cut to a norm and a rate that falls."""
    rate = optax.linear_schedule(hyper.learning_rate, hyper.learning_rate_end, max(hyper.learning_rate_steps, 1))
    return optax.chain(optax.clip_by_global_norm(hyper.max_gradient_norm), optax.adam(rate, eps=hyper.adam_epsilon))


def start(params: Params, hyper: Hyper) -> Learner:
    """A learner before its first step."""
    return Learner(params, params, popart.unit(), optimiser(hyper).init(params), jnp.int32(0))


def targets(learner: Learner, drawn: Transitions, actions: int, double: bool) -> Array:
    """Samples of the return of each transition: ``R + γⁿ · quantile_j`` of the best action of what follows, as values.

    Returns:
        Shape ``(batch, N)``.
    """
    after = jnp.asarray(drawn.after)
    valued = forward(learner.target, after, actions)
    chosen = forward(learner.params, after, actions) if double else valued
    best = chosen.mean(axis=2).argmax(axis=1)
    following = jnp.take_along_axis(valued, best[:, None, None], axis=1)[:, 0]
    values = learner.scale.mean + learner.scale.deviation * following
    return jnp.asarray(drawn.reward)[:, None] + jnp.asarray(drawn.discount)[:, None] * values


def gradient_steps(hyper: Hyper, actions: int) -> Steps:
    """The compiled function: from a learner, transitions ``(steps, batch, …)`` and their weights ``(steps, batch)`` to
    the learner after them and the loss of each transition ``(steps, batch)``."""
    adam = optimiser(hyper)

    def step(learner: Learner, drawn: tuple[Transitions, Array]) -> tuple[Learner, Array]:
        transitions, weight = drawn
        wanted = targets(learner, transitions, actions, hyper.double)
        params, target, scale = learner.params, learner.target, learner.scale
        if hyper.popart:
            scale = popart.updated(learner.scale, wanted, hyper.popart_rate)
            params = popart.rescaled(params, learner.scale, scale)
            target = popart.rescaled(target, learner.scale, scale)
        normalised = (wanted - scale.mean) / scale.deviation

        def quantiles(params: Params) -> Array:
            every = forward(params, jnp.asarray(transitions.observation), actions)
            return jnp.take_along_axis(every, jnp.asarray(transitions.action)[:, None, None], axis=1)[:, 0]

        said, pull_back = jax.vjp(quantiles, params)
        loss, slope = quantile_huber(said, normalised, hyper.kappa)
        (gradient,) = pull_back(slope * (weight / len(weight))[:, None])
        change, state = adam.update(gradient, learner.optimiser, params)
        params = jax.tree.map(jnp.add, params, change)
        steps = learner.steps + 1
        renewed = steps % hyper.target_every == 0
        target = jax.tree.map(lambda new, old: jnp.where(renewed, new, old), params, target)
        return Learner(params, target, scale, state, steps), loss

    def many(learner: Learner, transitions: Transitions, weight: Array) -> tuple[Learner, Array]:
        return jax.lax.scan(step, learner, (transitions, weight))

    return jax.jit(many)


def weights(learner: Learner) -> dict[str, npt.NDArray[Any]]:
    """What decides, by name: the layers, and the scale of what they say."""
    layers = {}
    for number, (weights, bias) in enumerate(learner.params):
        layers[f"layer.{number}.weights"], layers[f"layer.{number}.bias"] = np.asarray(weights), np.asarray(bias)
    scale = {"mean": learner.scale.mean, "deviation": learner.scale.deviation}
    return {**layers, **{f"scale.{name}": np.asarray(number) for name, number in scale.items()}}


def leaves(learner: Learner) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a learner, by number."""
    return {f"leaf.{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(learner))}


def rebuilt(arrays: dict[str, npt.NDArray[Any]], like: Learner) -> Learner:
    """The learner that `leaves` was given.

    Args:
        like: one of the same network.

    Raises:
        KeyError, ValueError: an array is missing, or of another shape.
    """
    known, structure = jax.tree.flatten(like)
    given = [jnp.asarray(arrays[f"leaf.{number}"], leaf.dtype) for number, leaf in enumerate(known)]
    for array, leaf in zip(given, known, strict=True):
        if array.shape != leaf.shape:
            raise ValueError(f"an array of shape {array.shape} instead of {leaf.shape}")
    rebuilt: Learner = jax.tree.unflatten(structure, given)
    return rebuilt
