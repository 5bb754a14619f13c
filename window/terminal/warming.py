"""How long it takes until every feature has its whole history (docs/features.md, 4.8)."""

import math
from typing import NamedTuple

from operators.config import FeatureConfig
from operators.features import fractal_dimension, fractional_difference, integrated_ofi, order_flow, volatility
from operators.features.feature import WARM_WINDOWS

_NS_PER_MS = 1_000_000
ZSCORES = WARM_WINDOWS | order_flow.WARM_ZSCORES


class Left(NamedTuple):
    """What is left of a warm-up: ms of the market, or rows where rows have no step; both 0 at its end."""

    ms: float
    rows: int


class Warming:
    """Tells it from the bits of ``warm``, which are what counts; the time is that of a market that goes on."""

    def __init__(self, config: FeatureConfig) -> None:
        weights = fractional_difference.weights(config)
        rows = {
            order_flow.WARM_ZSCORES: config.zscore_window,
            fractional_difference.WARM_PRICE: len(weights.price),
            fractional_difference.WARM_VOLUME: len(weights.volume),
            volatility.WARM: config.volatility_window + 1,
        }
        if config.integrated_ofi:
            rows[integrated_ofi.WARM] = config.zscore_window + 1
        self._step = config.sampling_ns / _NS_PER_MS
        if not self._step:
            rows[fractal_dimension.WARM] = config.fdi_window
        self._rows = rows
        self._longest = max(ns for _, ns in config.windows) / _NS_PER_MS
        self._interval, self._samples = config.fdi_interval_ns / _NS_PER_MS, config.fdi_window
        self.wanted = sum(rows) | WARM_WINDOWS | fractal_dimension.WARM

    def left(self, warm: float, since: float, ts: float) -> Left:
        """What is left.

        Args:
            warm: the column of the newest row.
            since: rows before that one since the restart.
            ts: of that row, ms since 1970.
        """
        if not math.isfinite(warm):
            return Left(math.nan, 0)
        lacking = self.wanted & ~int(warm)
        rows = max((need - int(since) - 1 for bit, need in self._rows.items() if lacking & bit), default=0)
        if not self._step:
            return Left(0.0, max(rows, 1 if lacking else 0))
        ms = [rows * self._step]
        first = ts - since * self._step
        if lacking & WARM_WINDOWS:
            ms.append(first + self._longest - ts)
        if lacking & fractal_dimension.WARM:
            sample = math.ceil(first / self._interval) + self._samples - 1
            ms.append(sample * self._interval - ts)
        return Left(max(*ms, self._step) if lacking else 0.0, 0)

    def words(self, warm: float, since: float, ts: float) -> str:
        """The same to be read; empty at the end.

        >>> Warming(FeatureConfig()).words(0, 579, 58_000)
        'warm in 88 s'
        """
        ms, rows = self.left(warm, since, ts)
        if rows:
            return f"warm in {rows:,} rows"
        if not ms or math.isnan(ms):
            return ""
        seconds = math.ceil(ms / 1000)
        return f"warm in {seconds} s" if seconds < 100 else f"warm in {seconds // 60} m {seconds % 60:02} s"
