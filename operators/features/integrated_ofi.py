"""Integrated order flow imbalance: the flows of many levels in one number (docs/features.md, 4.11).

Source: Cont, Cucuringu & Zhang 2023, "Cross-impact of order flow imbalance in equity markets", Quantitative Finance
23(10), section 2: the flow of each level is divided by the mean depth, and weighted by the first principal component of
these flows over the past.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators import rolling_moments
from operators.compensated import add_one, add_pair, multiply_pair, two_product
from operators.config import FeatureConfig
from operators.features.feature import SINCE_ROW, Described, Feature, Moment, Place, Rows, floats
from operators.features.order_flow import level_flow
from operators.jit import kernel
from operators.rolling_moments import RollingMoments, push, rolling_moments_state
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

WARM = 128  # bit of `warm` (docs/features.md, 4.8)

_X, _LEFT, _WEIGHTS = range(3)  # of `Room.vector`
_COVARIANCE, _POWER, _SQUARE = range(3)  # of `Room.matrix`
_LARGEST = 1e60  # of |x|, so that the sums of its squares stay finite
_STILL = 1e-9  # deviation by |mean| up to which a level does not vary
_CHECKS = 20  # of whether one eigenvalue is alone, each before a squaring
_ALONE = 1e-8  # 1 − Σ p_i² at which it is, for eigenvalues p that sum to 1; the next squaring makes that 1e-16
_NO_SIGN = 1e-9  # |Σ w_m| up to which neither sign is better


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    return floats("integrated_ofi", "integrated_ofi_share") if config.integrated_ofi else []


_UNKNOWN = "before zscore_window rows have passed, or where these have no single first component"
FEATURE = Feature(
    section="4.11",
    columns=_columns,
    described=(
        Described(
            "integrated_ofi",
            "mean depths",
            "flow of the best levels since the previous row by mean depth, weighted by its first principal component",
            "integrated_ofi = Σ w_m·x_m",
            f"updates {SINCE_ROW}, for the weights those of the zscore_window rows before",
            _UNKNOWN,
            WARM,
        ),
        Described(
            "integrated_ofi_share",
            "share",
            "share of the variance of the flows of the last zscore_window rows that this component explains",
            "integrated_ofi_share = λ_1 / Σ λ_i",
            "updates of the zscore_window rows before",
            _UNKNOWN,
            WARM,
        ),
    ),
)


class Room(NamedTuple):
    """Room for intermediate results."""

    vector: Float64s  # (3, M): x of this row, x of the one that leaves, weights
    matrix: Float64s  # (3, M, M): covariance, and two that are squared


class IntegratedOfi(NamedTuple):
    """State for M levels over W rows; M is 0 if the feature is off."""

    since_row: Float64s  # (2, M + 1): pairs, hi and lo, of each level's flow, and of the sizes of all levels
    updates: Int64s  # (1,): since the row before
    past: RollingMoments  # of x, a column a level
    products: Float64s  # (2, M·(M − 1)/2): pairs of Σ x_i·x_j over the rows of `past`, for j < i
    scratch: Room


def state(config: FeatureConfig) -> IntegratedOfi:
    """The state before the first update."""
    m = config.integrated_ofi
    past = rolling_moments_state(config.zscore_window if m else 0, m)
    products, room = np.zeros((2, m * (m - 1) // 2)), Room(np.zeros((3, m)), np.zeros((3, m, m)))
    return IntegratedOfi(np.zeros((2, m + 1)), np.zeros(1, np.int64), past, products, room)


@kernel
def clear(own: IntegratedOfi) -> None:
    """As before the first update."""
    own.since_row[:] = 0.0
    own.updates[0] = 0
    rolling_moments.clear(own.past)
    own.products[:] = 0.0


@kernel
def take_update(
    own: IntegratedOfi, first: bool, price: Float64s, size: Float64s, price0: Float64s, size0: Float64s
) -> None:
    """Add an update's flow and depth, level by level; as `order_flow.ofi_cont`."""
    levels = own.scratch.vector.shape[1]
    if levels == 0:
        return
    total = 0.0
    for m in range(levels):
        total += size[0, m] + size[1, m]
        if not first:
            flow = level_flow(
                price[0, m], size[0, m], price0[0, m], size0[0, m], price[1, m], size[1, m], price0[1, m], size0[1, m]
            )
            add_one(own.since_row, m, flow)
    add_one(own.since_row, levels, total)
    own.updates[0] += 1


@kernel
def emit(own: IntegratedOfi, row: Moment, at: Place, out: Rows, r: int) -> int:
    """``integrated_ofi = Σ w_m·x_m`` with weights of the rows before, and ``integrated_ofi_share = λ_1 / Σ λ_i``
    of these rows; the bit of `warm`."""
    levels = own.scratch.vector.shape[1]
    if levels == 0:
        return 0
    x, weights = own.scratch.vector[_X], own.scratch.vector[_WEIGHTS]
    scale_flow(own, x)
    share, value = np.nan, 0.0
    full = own.past.seen[0] >= len(own.past.ring)
    if full:
        covariance_of(own.past.sums, own.products, len(own.past.ring), own.scratch.matrix[_COVARIANCE])
        share = first_component(own.scratch)
        for m in range(levels):
            value += weights[m] * x[m]
    remember(own)
    out.value[at.value, r] = np.nan if math.isnan(share) else value
    out.value[at.value + 1, r] = share
    own.updates[0] = 0
    own.since_row[:] = 0.0
    return WARM if full else 0


@kernel
def scale_flow(own: IntegratedOfi, x: Float64s) -> None:
    """``x_m = flow_m / depth``, 0 without an update."""
    levels, updates = len(x), own.updates[0]
    for m in range(levels):
        # The sum of sizes is above 0 after an update, but their mean may be too small for a double.
        scaled = own.since_row[0, m] * (2.0 * levels * updates) / own.since_row[0, levels] if updates > 0 else 0.0
        x[m] = max(-_LARGEST, min(_LARGEST, scaled))


@kernel
def remember(own: IntegratedOfi) -> None:
    """Add x of this row to those of the past; the oldest leaves once there are W."""
    past, products, x, left = own.past, own.products, own.scratch.vector[_X], own.scratch.vector[_LEFT]
    full = past.seen[0] >= len(past.ring)
    if full:
        oldest = past.ring[past.seen[0] % len(past.ring)]
        for m in range(len(x)):
            left[m] = oldest[m]
        add_products(products, left, -1.0)
    if push(past, x):
        products[:] = 0.0
        for held in range(rolling_moments.rows_held(past)):
            add_products(products, past.ring[held], 1.0)
    else:
        add_products(products, x, 1.0)


@kernel
def add_products(products: Float64s, x: Float64s, sign: float) -> None:
    """Add a row's products ``x_i·x_j`` to their sums, or with ``sign`` −1 take them away."""
    k = 0
    for i in range(1, len(x)):
        for j in range(i):
            p, e = two_product(sign * x[i], x[j])
            products[0, k], products[1, k] = add_pair(products[0, k], products[1, k], p, e)
            k += 1


@kernel
def covariance_of(sums: Float64s, products: Float64s, rows: int, out: Float64s) -> None:
    """Write rows² times the covariance, 0 for a level that does not vary; only at j ≤ i.

    Args:
        sums: of `RollingMoments`; products: of `IntegratedOfi`.
        out: shape ``(M, M)``.
    """
    n = float(rows)
    k = 0
    for i in range(len(out)):
        for j in range(i):
            out[i, j] = spread(sums, i, j, products[0, k], products[1, k], n)
            k += 1
        own_spread = spread(sums, i, i, sums[2, i], sums[3, i], n)
        still = _STILL * sums[0, i]
        out[i, i] = own_spread if own_spread > still * still else 0.0
    for i in range(len(out)):
        for j in range(i):
            if out[i, i] == 0.0 or out[j, j] == 0.0:
                out[i, j] = 0.0


@kernel
def spread(sums: Float64s, i: int, j: int, product_hi: float, product_lo: float, n: float) -> float:
    """``n·Σ x_i·x_j − Σ x_i · Σ x_j``, formed in pairs against cancellation (as `rolling_moments`)."""
    a_hi, a_lo = multiply_pair(product_hi, product_lo, n, 0.0)
    b_hi, b_lo = multiply_pair(sums[0, i], sums[1, i], sums[0, j], sums[1, j])
    hi, _ = add_pair(a_hi, a_lo, -b_hi, -b_lo)
    return hi


@kernel
def first_component(room: Room) -> float:
    """Write the weights of the first principal component, and return the share of the variance that it explains; NaN if
    there is no single one (docs/features.md, 4.11).

    The matrix covariance / trace is squared and divided by its trace until only the largest eigenvalue is left. It is
    then the outer product of the eigenvector with itself. That is power iteration with 2, 4, 8, … steps at once, and
    needs no first vector, which could lie across the one that is looked for.

    Args:
        room: with the covariance.
    """
    covariance, power, square = room.matrix[_COVARIANCE], room.matrix[_POWER], room.matrix[_SQUARE]
    weights = room.vector[_WEIGHTS]
    levels = len(weights)
    trace = 0.0
    for i in range(levels):
        trace += covariance[i, i]
    if not trace > 0.0:
        return np.nan
    for i in range(levels):
        for j in range(i + 1):
            part = covariance[i, j] / trace
            covariance[i, j] = covariance[j, i] = power[i, j] = power[j, i] = part
    alone = False
    for _ in range(_CHECKS):
        squared = 0.0
        for i in range(levels):
            for j in range(i + 1):
                total = 0.0
                for k in range(levels):
                    total += power[i, k] * power[j, k]
                square[i, j] = total
            squared += square[i, i]  # Σ p_i² of the eigenvalues p of `power`, whose sum is 1
        for i in range(levels):
            for j in range(i + 1):
                power[i, j] = power[j, i] = square[i, j] / squared
        if 1.0 - squared <= _ALONE:
            alone = True
            break
    if not alone:
        return np.nan
    return read_component(covariance, power, weights)


@kernel
def read_component(covariance: Float64s, outer: Float64s, weights: Float64s) -> float:
    """Write the weights, from the outer product of the eigenvector with itself; the share as of `first_component`.

    Args:
        covariance: of trace 1.
    """
    levels = len(weights)
    largest = 0
    for i in range(levels):
        if outer[i, i] > outer[largest, largest]:
            largest = i
    total = size = 0.0
    for i in range(levels):
        total += outer[i, largest]
        size += abs(outer[i, largest])
    if not abs(total) > _NO_SIGN * size:
        return np.nan
    size = -size if total < 0.0 else size
    along = norm = 0.0
    for i in range(levels):
        weights[i] = outer[i, largest] / size
    for i in range(levels):
        stretched = 0.0
        for j in range(levels):
            stretched += covariance[i, j] * weights[j]
        along += weights[i] * stretched
        norm += weights[i] * weights[i]
    return min(along / norm, 1.0)
