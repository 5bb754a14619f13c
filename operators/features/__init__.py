"""The features, one a module, in the order of the data set.

A module declares its columns (`Feature`), its state and parameters (named tuples of arrays and numbers), what clears
the state, and the kernel that writes its columns of a row. What it has of these stands once in each part of this table.
"""

from collections import namedtuple
from typing import Any, NamedTuple

from operators.config import FeatureConfig
from operators.features import (
    best_level,
    depth_imbalance,
    derivatives,
    fractal_dimension,
    fractional_difference,
    integrated_ofi,
    normalised_imbalance,
    order_flow,
    trades,
    volatility,
    weighted_depth,
)
from operators.features.feature import Common, Feature, Moment, Rows, Scratch
from operators.jit import kernel
from operators.rolling_sum import RollingSum
from sources.tape.batch import Float64s

FEATURES: dict[str, Feature] = {
    "best_level": best_level.FEATURE,
    "depth_imbalance": depth_imbalance.FEATURE,
    "weighted_depth": weighted_depth.FEATURE,
    "order_flow": order_flow.FEATURE,
    "trades": trades.FEATURE,
    "fractional_difference": fractional_difference.FEATURE,
    "fractal_dimension": fractal_dimension.FEATURE,
    "volatility": volatility.FEATURE,
    "integrated_ofi": integrated_ofi.FEATURE,
    "normalised_imbalance": normalised_imbalance.FEATURE,
    "derivatives": derivatives.FEATURE,
}

Places: Any = namedtuple("Places", [*FEATURES, "warm"])  # type: ignore[misc]  # a `Place` of each, and of `warm`


class States(NamedTuple):
    """What the features remember."""

    order_flow: order_flow.OrderFlow
    trades: trades.Trades
    fractional_difference: fractional_difference.Histories
    fractal_dimension: fractal_dimension.FractalDimension
    volatility: volatility.Volatility
    integrated_ofi: integrated_ofi.IntegratedOfi
    normalised_imbalance: normalised_imbalance.NormalisedImbalance
    derivatives: derivatives.Derivatives


class Parameters(NamedTuple):
    """What they are computed with, beside `Common`."""

    fractional_difference: fractional_difference.Weights
    fractal_dimension: fractal_dimension.Sampling
    normalised_imbalance: normalised_imbalance.Normalised
    derivatives: derivatives.Switch


def parameters(config: FeatureConfig) -> Parameters:
    """The parameters of every feature."""
    return Parameters(
        fractional_difference.weights(config),
        fractal_dimension.sampling(config),
        normalised_imbalance.normalised(config),
        derivatives.switch(config),
    )


def states(config: FeatureConfig) -> States:
    """The states before the first row of a tape."""
    return States(
        order_flow=order_flow.state(config),
        trades=trades.state(config),
        fractional_difference=fractional_difference.state(config),
        fractal_dimension=fractal_dimension.state(config),
        volatility=volatility.state(config),
        integrated_ofi=integrated_ofi.state(config),
        normalised_imbalance=normalised_imbalance.state(config),
        derivatives=derivatives.state(config),
    )


@kernel
def clear(own: States) -> None:
    """As before the first row of a tape."""
    order_flow.clear(own.order_flow)
    trades.clear(own.trades)
    fractal_dimension.clear(own.fractal_dimension)
    volatility.clear(own.volatility)
    integrated_ofi.clear(own.integrated_ofi)
    normalised_imbalance.clear(own.normalised_imbalance)
    derivatives.clear(own.derivatives)


@kernel
def take_update(
    own: States, p: Parameters, common: Common, now: int, first: bool, use_depth: bool,
    price: Float64s, size: Float64s, price0: Float64s, size0: Float64s, rolling: RollingSum, scratch: Scratch,
) -> None:  # fmt: skip
    """Hand an update to the features that read it; arguments as of `order_flow.take_update`."""
    order_flow.take_update(own.order_flow, common, now, first, use_depth, price, size, price0, size0, rolling, scratch)
    integrated_ofi.take_update(own.integrated_ofi, first, price, size, price0, size0)
    if p.normalised_imbalance.on:
        normalised_imbalance.take_update(own.normalised_imbalance, common, now, rolling, scratch)


@kernel
def take_trade(
    own: States, p: Parameters, common: Common, now: int, side: int, price: float, size: float, rolling: RollingSum,
    scratch: Scratch,
) -> None:  # fmt: skip
    """Hand a trade to the features that read it; arguments as of `trades.take_trade`."""
    trades.take_trade(own.trades, common, now, side, price, size, rolling, scratch)
    if p.normalised_imbalance.on:
        normalised_imbalance.take_trade(common, now, size, rolling, scratch)


@kernel
def emit(own: States, p: Parameters, common: Common, row: Moment, at: Any, out: Rows, r: int) -> int:
    """Write every feature's columns of row ``r``; the bits of `warm` that are set.

    Args:
        at: `Places`.
    """
    best_level.emit(row, at.best_level, out, r)
    depth_imbalance.emit(common, row, at.depth_imbalance, out, r)
    weighted_depth.emit(row, at.weighted_depth, out, r)
    warm = order_flow.emit(own.order_flow, common, row, at.order_flow, out, r)
    trades.emit(own.trades, common, row, at.trades, out, r)
    if p.normalised_imbalance.on:
        normalised_imbalance.emit(own.normalised_imbalance, common, row, at, out, r)
    if p.derivatives.on:
        derivatives.emit(own.derivatives, common, row, at.derivatives, out, r)
    warm |= fractional_difference.emit(p.fractional_difference, row, at.fractional_difference, out, r)
    warm |= fractal_dimension.emit(
        own.fractal_dimension, p.fractal_dimension, common, row, at.fractal_dimension, out, r
    )
    warm |= volatility.emit(own.volatility, row, at.volatility, out, r)
    return warm | integrated_ofi.emit(own.integrated_ofi, row, at.integrated_ofi, out, r)
