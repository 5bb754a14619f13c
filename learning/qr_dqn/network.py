"""The network: an observation in, the quantiles of each action's return out, in units of the value's scale."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
Params = tuple[tuple[Array, Array], ...]  # of each layer: weights (inputs, outputs) and bias (outputs,); float32


def initial(rng: np.random.Generator, inputs: int, hidden: tuple[int, ...], outputs: int) -> Params:
    """A network that knows nothing: He et al. 2015 for the hidden layers, a tenth of it for the last."""
    sizes = (inputs, *hidden, outputs)
    layers = []
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        scale = np.sqrt(2.0 / fan_in) * (0.1 if number == len(hidden) else 1.0)
        weights = rng.normal(0.0, scale, (fan_in, fan_out)).astype(np.float32)
        layers.append((jnp.asarray(weights), jnp.zeros(fan_out, jnp.float32)))
    return tuple(layers)


def forward(params: Params, observation: Array, actions: int) -> Array:
    """Quantiles, normalised and in the order of the network.

    Args:
        observation: shape ``(batch, inputs)``.

    Returns:
        Shape ``(batch, actions, N)``.
    """
    x = observation
    for weights, bias in params[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    weights, bias = params[-1]
    return (x @ weights + bias).reshape(len(x), actions, -1)
