"""Fractional differences of log mid and of the traded volume (docs/features.md, 4.6).

Source: López de Prado 2018, "Advances in Financial Machine Learning", chapter 5, section 5.5. The weights and the sum
are in `operators.ffd`.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from operators.config import FeatureConfig
from operators.features.feature import Described, Feature, Moment, Place, Rows, floats
from operators.ffd import ffd_push_all, ffd_weights
from operators.jit import kernel
from sources.tape.batch import Float64s

WARM_PRICE, WARM_VOLUME = 4, 8  # bits of `warm` (docs/features.md, 4.8)


FEATURE = Feature(
    section="4.6",
    columns=lambda config: floats("price_ffd", "volume_ffd"),
    described=(
        Described(
            "price_ffd",
            "log price",
            "fractional difference of log mid, of order price_d",
            "price_ffd = ffd(log mid)",
            "mid at the last K rows",
            "the first K − 1 rows since the start or restart",
            WARM_PRICE,
        ),
        Described(
            "volume_ffd",
            "log size",
            "fractional difference of log(1 + trade_volume), of order volume_d",
            "volume_ffd = ffd(log(1 + trade_volume))",
            "trade_volume at the last K rows",
            "the first K − 1 rows since the start or restart",
            WARM_VOLUME,
        ),
    ),
)


class Histories(NamedTuple):
    """State: the newest K values of each series, K weights; every value stands twice (`operators.ffd.ffd_push`)."""

    price: Float64s  # (2 · K,)
    volume: Float64s  # (2 · K,)


class Weights(NamedTuple):
    """Parameters."""

    price: Float64s  # (K,), oldest first
    volume: Float64s  # (K,)


@lru_cache(maxsize=64)  # of many instruments; they take about a millisecond to make
def weights(config: FeatureConfig) -> Weights:
    """The weights of both orders; not to be written to."""
    return Weights(*(ffd_weights(d, config.ffd_threshold)[::-1].copy() for d in (config.price_d, config.volume_d)))


def state(config: FeatureConfig) -> Histories:
    """The state before the first row."""
    return Histories(*(np.zeros(2 * len(w)) for w in weights(config)))


@kernel
def emit(p: Weights, row: Moment, at: Place, out: Rows, r: int) -> int:
    """Leave what `difference` will need: ``log mid``, and how many rows came before since the restart; the bits of
    `warm`."""
    out.value[at.value, r] = row.log_mid
    out.value[at.value + 1, r] = row.rows
    bits = WARM_PRICE if row.rows + 1 >= len(p.price) else 0
    return bits | WARM_VOLUME if row.rows + 1 >= len(p.volume) else bits


@kernel
def difference(own: Histories, p: Weights, at: Place, traded: int, out: Rows, first: int, rows: int) -> None:
    """``price_ffd = ffd(log mid)`` and ``volume_ffd = ffd(log(1 + trade_volume))`` of the rows ``first … rows − 1``.

    Many rows at once share what is loaded of the weights.

    Args:
        traded: the row of ``out.value`` with the traded volume.
    """
    price, volume, size = out.value[at.value], out.value[at.value + 1], out.value[traded]
    while first < rows:
        seen = int(volume[first])
        end = first + 1
        while end < rows and volume[end] != 0.0:
            end += 1
        for r in range(first, end):
            volume[r] = math.log(1.0 + size[r])
        ffd_push_all(own.price, seen, p.price, price[first:end])
        ffd_push_all(own.volume, seen, p.volume, volume[first:end])
        first = end
