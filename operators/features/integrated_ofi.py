"""Integrated order flow imbalance: the flows of many levels in one number (docs/features.md, 4.11).

Source: Cont, Cucuringu & Zhang 2023, "Cross-impact of order flow imbalance in equity markets", Quantitative Finance
23(10), section 2: the flow of each level is divided by the mean depth, and weighted by the first principal component of
these flows over the past.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators.compensated import add_one, add_pair, multiply_pair
from operators.config import FeatureConfig
from operators.features.feature import SINCE_ROW, Described, Feature, Moment, Place, Rows, floats
from operators.features.order_flow import level_flow
from operators.jit import kernel
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

WARM = 128  # bit of `warm` (docs/features.md, 4.8)

_CLOSE = 1e-13  # largest change of a component of the weights at which the iteration ends
_MOST_STEPS = 500
_UPDATES, _ROWS = 0, 1  # of `IntegratedOfi.counts`


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    return floats("integrated_ofi", "integrated_ofi_share") if config.integrated_ofi else []


_UNKNOWN = "before zscore_window rows have passed, or when none of them had a flow"
FEATURE = Feature(
    section="4.11",
    columns=_columns,
    described=(
        Described(
            "integrated_ofi",
            "mean depths",
            "flow of the best levels since the previous row by mean depth, weighted by its first principal component",
            "integrated_ofi = Σ w_m·x_m",
            SINCE_ROW,
            _UNKNOWN,
            WARM,
        ),
        Described(
            "integrated_ofi_share",
            "share",
            "share of the variance of the flows of the last zscore_window rows that this component explains",
            "integrated_ofi_share = λ_1 / Σ λ_i",
            "the zscore_window rows before",
            _UNKNOWN,
            WARM,
        ),
    ),
)


class IntegratedOfi(NamedTuple):
    """State for M levels over W rows; M is 0 if the feature is off."""

    flow: Float64s  # (2, M): pairs, hi and lo, of each level's flow since the row before
    depth: Float64s  # (2, 1): pair of the sizes of all levels, summed over the updates since the row before
    counts: Int64s  # (2,): these updates; rows since the restart
    ring: Float64s  # (W, M): x of the last rows
    sums: Float64s  # (2, M): pairs of Σ x_i
    products: Float64s  # (2, M·(M + 1)/2): pairs of Σ x_i·x_j, for j ≤ i
    covariance: Float64s  # (M, M): room
    weights: Float64s  # (2, M): room; the first row holds the weights


def state(config: FeatureConfig) -> IntegratedOfi:
    """The state before the first update."""
    m = config.integrated_ofi
    rows = config.zscore_window if m else 0
    return IntegratedOfi(
        np.zeros((2, m)), np.zeros((2, 1)), np.zeros(2, np.int64), np.zeros((rows, m)), np.zeros((2, m)),
        np.zeros((2, m * (m + 1) // 2)), np.zeros((m, m)), np.zeros((2, m)),
    )  # fmt: skip


@kernel
def clear(own: IntegratedOfi) -> None:
    """As before the first update."""
    own.flow[:] = 0.0
    own.depth[:] = 0.0
    own.counts[:] = 0
    own.sums[:] = 0.0
    own.products[:] = 0.0


@kernel
def take_update(
    own: IntegratedOfi, first: bool, price: Float64s, size: Float64s, price0: Float64s, size0: Float64s
) -> None:
    """Add an update's flow and depth, level by level; as `order_flow.ofi_cont`."""
    levels = own.flow.shape[1]
    if levels == 0:
        return
    total = 0.0
    for m in range(levels):
        total += size[0, m] + size[1, m]
        if not first:
            flow = level_flow(
                price[0, m], size[0, m], price0[0, m], size0[0, m], price[1, m], size[1, m], price0[1, m], size0[1, m]
            )
            add_one(own.flow, m, flow)
    add_one(own.depth, 0, total)
    own.counts[_UPDATES] += 1


@kernel
def emit(own: IntegratedOfi, row: Moment, at: Place, out: Rows, r: int) -> int:
    """``integrated_ofi = Σ w_m·x_m`` with weights of the rows before, and ``integrated_ofi_share = λ_1 / Σ λ_i``
    of these rows; the bit of `warm`."""
    levels, window = own.flow.shape[1], own.ring.shape[0]
    if levels == 0:
        return 0
    rows = own.counts[_ROWS]
    share = principal_component(own) if rows >= window else np.nan
    slot = rows % window
    if rows >= window:
        sum_up(own, slot, -1.0)
    updates = own.counts[_UPDATES]
    mean_depth = own.depth[0, 0] / (2.0 * levels * updates) if updates > 0 else 1.0
    value = 0.0
    for m in range(levels):
        x = own.flow[0, m] / mean_depth
        own.ring[slot, m] = x
        value += own.weights[0, m] * x
    sum_up(own, slot, 1.0)
    out.value[at.value, r] = np.nan if math.isnan(share) else value
    out.value[at.value + 1, r] = share
    own.counts[_ROWS] = rows + 1
    own.counts[_UPDATES] = 0
    own.flow[:] = 0.0
    own.depth[:] = 0.0
    return WARM if rows >= window else 0


@kernel
def sum_up(own: IntegratedOfi, slot: int, sign: float) -> None:
    """Add the row at ``slot`` to the sums, or with ``sign`` −1 take it from them."""
    k = 0
    for i in range(own.ring.shape[1]):
        x = own.ring[slot, i]
        add_one(own.sums, i, sign * x)
        for j in range(i + 1):
            add_one(own.products, k, sign * (x * own.ring[slot, j]))
            k += 1


@kernel
def principal_component(own: IntegratedOfi) -> float:
    """Write the weights of the rows held, and return the share of the variance that they explain; NaN if there is none.

    Power iteration on the population covariance, from its row with the largest variance, until no component changes by
    more than 1e-13, at most 500 times. The sum of the weights is not negative, that of their sizes 1.
    """
    sums, products, covariance, weights = own.sums, own.products, own.covariance, own.weights
    levels, n = len(covariance), float(own.ring.shape[0])
    trace, largest, k = 0.0, 0, 0
    for i in range(levels):
        for j in range(i + 1):
            a_hi, a_lo = multiply_pair(sums[0, i], sums[1, i], sums[0, j], sums[1, j])
            b_hi, b_lo = multiply_pair(products[0, k], products[1, k], n, 0.0)
            spread, _ = add_pair(b_hi, b_lo, -a_hi, -a_lo)
            covariance[i, j] = covariance[j, i] = spread / n / n
            k += 1
        covariance[i, i] = max(covariance[i, i], 0.0)
        trace += covariance[i, i]
        if covariance[i, i] > covariance[largest, largest]:
            largest = i
    if not trace > 0.0:
        return np.nan
    scale = covariance[largest, largest]
    for i in range(levels):
        weights[0, i] = covariance[largest, i] / scale
    eigenvalue = 0.0
    for _ in range(_MOST_STEPS):
        norm = 0.0
        for i in range(levels):
            total = 0.0
            for j in range(levels):
                total += covariance[i, j] / scale * weights[0, j]
            weights[1, i] = total
            norm += total * total
        norm = math.sqrt(norm)
        before, change = eigenvalue, 0.0
        for i in range(levels):
            new = weights[1, i] / norm
            change = max(change, abs(new - weights[0, i]))
            weights[0, i] = new
        eigenvalue = norm * scale
        if change <= _CLOSE and before > 0.0:
            break
    total, size = 0.0, 0.0
    for i in range(levels):
        total += weights[0, i]
        size += abs(weights[0, i])
    size = -size if total < 0.0 else size
    for i in range(levels):
        weights[0, i] /= size
    return min(eigenvalue / trace, 1.0)
