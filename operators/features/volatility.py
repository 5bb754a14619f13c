"""Volatility of mid from row to row (docs/features.md, 4.7)."""

from typing import NamedTuple

import numpy as np

from operators import rolling_moments
from operators.config import FeatureConfig
from operators.features.feature import Described, Feature, Moment, Place, Rows, floats
from operators.jit import kernel
from operators.rolling_moments import RollingMoments, mean_and_deviation, push, rolling_moments_state
from sources.tape.batch import Float64s

WARM = 32  # bit of `warm` (docs/features.md, 4.8)

FEATURE = Feature(
    section="4.7",
    columns=lambda config: floats("volatility"),
    described=(
        Described(
            "volatility",
            "log return",
            "population standard deviation of the last volatility_window log returns of mid, from row to row",
            reads="mid at the last volatility_window + 1 rows",
            warm=WARM,
        ),
    ),
)


class Volatility(NamedTuple):
    """State."""

    returns: RollingMoments
    last_log_mid: Float64s  # (1,): at the row before


def state(config: FeatureConfig) -> Volatility:
    """The state before the first row."""
    return Volatility(rolling_moments_state(config.volatility_window, 1), np.zeros(1))


@kernel
def clear(own: Volatility) -> None:
    """As before the first row."""
    rolling_moments.clear(own.returns)


@kernel
def emit(own: Volatility, row: Moment, at: Place, out: Rows, r: int) -> int:
    """Population standard deviation of the last log-returns of mid, 0.0 with fewer than 2; the bit of `warm`."""
    if row.rows > 0:
        row.scratch.single[0] = row.log_mid - own.last_log_mid[0]
        push(own.returns, row.scratch.single)
    own.last_log_mid[0] = row.log_mid
    held = own.returns.seen[0]
    out.value[at.value, r] = 0.0 if held < 2 else mean_and_deviation(own.returns, 0)[1]
    return WARM if row.rows + 1 >= len(own.returns.ring) + 1 else 0
