"""The quantile Huber loss (Dabney et al. 2018, eq. 9–10)."""

import jax
import jax.numpy as jnp

Array = jax.Array
_UNROLLED = 8


def quantile_huber(quantiles: Array, targets: Array, kappa: float) -> tuple[Array, Array]:
    """Loss of each row, and its gradient.

    ``Σ_i mean_j |τ_i − 1{u_ij < 0}| · H(u_ij)/κ`` with ``u_ij = target_j − quantile_i``, H the Huber loss.

    The sum over targets is a loop: whole arrays of ``(batch, N, N)`` leave the processor's cache and take a hundred
    times as long.

    Args:
        quantiles: shape ``(batch, N)``, the i-th at ``τ_i = (i + ½)/N``.
        targets: shape ``(batch, M)``, samples or quantiles of equal weight.

    Returns:
        Shapes ``(batch,)`` and ``(batch, N)``.
    """
    n, m = quantiles.shape[1], targets.shape[1]
    tau = (jnp.arange(n, dtype=quantiles.dtype) + 0.5) / n

    def add(sums: tuple[Array, Array], target: Array) -> tuple[tuple[Array, Array], None]:
        loss, slope = sums
        u = target[:, None] - quantiles
        clipped = jnp.clip(u, -kappa, kappa)
        weighted = jnp.where(u < 0, 1.0 - tau, tau) * clipped
        return (loss + weighted * (u - 0.5 * clipped), slope - weighted), None

    nothing = jnp.zeros_like(quantiles)
    (loss, slope), _ = jax.lax.scan(add, (nothing, nothing), targets.T, unroll=min(_UNROLLED, m))
    return loss.sum(axis=1) / (m * kappa), slope / (m * kappa)
