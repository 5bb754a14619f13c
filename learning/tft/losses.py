"""The quantile loss, equations (24) and (25) of Lim et al. 2021."""

import jax.numpy as jnp
from jax import Array

from operators.models.served import QUANTILES


def quantile_loss(quantiles: Array, targets: Array, weight: Array) -> tuple[Array, Array]:
    """``Σ w · QL`` and ``Σ w``, with ``QL = mean_q,h max(q·(y − ŷ), (q − 1)·(y − ŷ))``.

    Args:
        quantiles: ŷ, ``(…, horizons, 5)``.
        targets: y, ``(…, horizons)``.
        weight: w, ``(…)``.
    """
    off = targets[..., None] - quantiles
    levels = jnp.asarray(QUANTILES)
    losses = jnp.maximum(levels * off, (levels - 1.0) * off).mean((-1, -2))
    return (weight * losses).sum(), weight.sum()
