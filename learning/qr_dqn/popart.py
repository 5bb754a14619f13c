"""PopArt: the scale of values is learned, and what the network says does not change with it.

Source: van Hasselt, Guez, Hessel, Mnih & Silver 2016, "Learning values across many orders of magnitude", §2: moving
statistics of the targets ("Art"), outputs preserved precisely ("Pop").
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from learning.qr_dqn.network import Params

Array = jax.Array
_LEAST_SCALE = 1e-4


class Scale(NamedTuple):
    """Moving statistics of targets; a value is ``mean + deviation · (what the network says)``. Scalars, float32."""

    mean: Array
    variance: Array
    batches: Array  # int32: that were taken

    @property
    def deviation(self) -> Array:
        """Standard deviation, at least 1e-4."""
        return jnp.maximum(jnp.sqrt(self.variance), _LEAST_SCALE)


def unit() -> Scale:
    """Values are what the network says."""
    return Scale(jnp.float32(0.0), jnp.float32(1.0), jnp.int32(0))


def updated(scale: Scale, targets: Array, rate: float) -> Scale:
    """Take a batch of targets: the first counts whole, later ones by ``rate`` or by their number, whichever is more.

    The moments of §2.1, with the mean square written as mean and variance: the difference of two squares would lose a
    deviation of 1 beside a mean of 2 000 in float32.
    """
    weight = jnp.maximum(rate, 1.0 / (scale.batches + 1.0))
    mean, variance = targets.mean(), targets.var()
    off = mean - scale.mean
    return Scale(
        scale.mean + weight * off,
        (1.0 - weight) * scale.variance + weight * variance + weight * (1.0 - weight) * off * off,
        scale.batches + 1,
    )


def rescaled(params: Params, old: Scale, new: Scale) -> Params:
    """A network whose values under ``new`` are those of ``params`` under ``old``."""
    weights, bias = params[-1]
    ratio = old.deviation / new.deviation
    return (*params[:-1], (weights * ratio, bias * ratio + (old.mean - new.mean) / new.deviation))
