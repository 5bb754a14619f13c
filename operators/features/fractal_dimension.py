"""Fractal dimension of mid, and the regime that it names (docs/features.md, 4.7).

The estimators are in `operators.fractal`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators.config import FeatureConfig
from operators.features.feature import Common, Feature, Moment, Place, Rows, floats
from operators.fractal import METHODS, REGIMES, FractalWindow, fractal_push, fractal_window, regime
from operators.jit import kernel
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

WARM = 16  # bit of `warm` (docs/features.md, 4.8)


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    return [*floats("fdi"), Declared("regime", "word", True, REGIMES)]


FEATURE = Feature(
    section="4.7",
    columns=_columns,
    described=(
        (r"fdi", "dimension", "fractal dimension of mid over fdi_window samples, 1 to 2; NaN until they are there"),
        (r"regime", "word", "trending (fdi < 1.5), ranging (> 1.5) or neutral; null while fdi is NaN"),
    ),
)


class FractalDimension(NamedTuple):
    """State."""

    window: FractalWindow
    samples: Int64s  # (1,): since the restart
    held: Float64s  # (1,): the dimension between samples


class Sampling(NamedTuple):
    """Parameters."""

    interval: int  # ns
    method: int


def sampling(config: FeatureConfig) -> Sampling:
    """When mid is sampled, and with which estimator."""
    return Sampling(config.fdi_interval_ns, METHODS.index(config.fdi_method))


def state(config: FeatureConfig) -> FractalDimension:
    """The state before the first sample."""
    window = fractal_window(config.fdi_window, METHODS.index(config.fdi_method))
    return FractalDimension(window, np.zeros(1, np.int64), np.full(1, np.nan))


@kernel
def clear(own: FractalDimension) -> None:
    """As before the first sample."""
    own.samples[0] = 0
    own.held[0] = np.nan


@kernel
def emit(own: FractalDimension, p: Sampling, common: Common, row: Moment, at: Place, out: Rows, r: int) -> int:
    """``fdi``: dimension of mid at the last N samples, held between samples, NaN before N; ``regime``; the bit of
    `warm`."""
    if common.sampling == 0 or row.t % p.interval == 0:
        own.held[0] = fractal_push(own.window, own.samples[0], p.method, row.mid)
        own.samples[0] += 1
    out.value[at.value, r] = own.held[0]
    out.code[at.code, r] = regime(own.held[0])
    return WARM if own.samples[0] >= len(own.window.history) >> 1 else 0
