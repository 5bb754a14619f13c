"""Fractal dimension of mid, and the regime that it names (docs/features.md, 4.7).

The estimators are in `operators.fractal`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from operators.config import FeatureConfig
from operators.features.feature import Common, Described, Feature, Moment, Place, Rows, floats
from operators.fractal import METHODS, REGIMES, FractalWindow, fractal_push, fractal_window, regime
from operators.jit import kernel
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

WARM = 16  # bit of `warm` (docs/features.md, 4.8)

_SAMPLES = "mid at the last fdi_window samples"
_UNTIL = "fewer than fdi_window samples since the start or restart"


def _columns(config: FeatureConfig) -> Sequence[Declared]:
    return [*floats("fdi"), Declared("regime", "word", True, REGIMES)]


FEATURE = Feature(
    section="4.7",
    columns=_columns,
    described=(
        Described(
            "fdi",
            "dimension",
            "fractal dimension of mid, 1 to 2, by fdi_method; the formula is that of variogram",
            "fdi = 2 − ½·log2(V_2/V_1)",
            _SAMPLES,
            _UNTIL,
            WARM,
        ),
        Described(
            "regime",
            "word",
            "trending (fdi < 1.5), ranging (fdi > 1.5) or neutral (fdi = 1.5)",
            reads=_SAMPLES,
            unknown=_UNTIL,
            warm=WARM,
        ),
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
    """Dimension of mid at the last N samples, by default ``fdi = 2 − ½·log2(V_2/V_1)``, held between samples, NaN
    before N; ``regime``; the bit of `warm`."""
    if common.sampling == 0 or row.t % p.interval == 0:
        own.held[0] = fractal_push(own.window, own.samples[0], p.method, row.mid)
        own.samples[0] += 1
    out.value[at.value, r] = own.held[0]
    out.code[at.code, r] = regime(own.held[0])
    return WARM if own.samples[0] >= len(own.window.history) >> 1 else 0
