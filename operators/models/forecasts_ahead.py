"""Forecasts of the feature rows that tape rows complete, known before anybody trades on them (docs/forecasts.md, 7).

Features do not depend on who trades, so they, and the forecasts, are computed of a batch before the exchange sees it.
"""

from typing import Protocol

import numpy as np

from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.models.predictions import Misses
from operators.row_batch import RowBatch
from sources.tape.batch import Float64s, TapeBatch


class Beside(Protocol):
    """What foretells: a `Predictor`, or what stands in front of one."""

    columns: tuple[str, ...]

    def process(self, rows: RowBatch) -> RowBatch | None:
        """As of `Predictor`."""

    def beside(self, rows: RowBatch) -> Float64s:
        """As of `Predictor`."""

    def said(self, rows: RowBatch) -> RowBatch | None:
        """As of `Predictor`."""

    @property
    def stability(self) -> dict[str, float]:
        """As of `Predictor`."""

    @property
    def misses(self) -> list[Misses]:
        """As of `Predictor`."""

    def snapshot(self) -> bytes:
        """As of `Predictor`."""

    def resume(self, data: bytes) -> None:
        """As of `Predictor`."""


class Said:
    """Gives the rows of forecasts that were computed beside the features: what a predictor of its own would compute
    once more."""

    def __init__(self, predictor: Beside) -> None:
        self.process, self.snapshot, self.resume = predictor.said, predictor.snapshot, predictor.resume


class ForecastsAhead:
    """Holds the forecasts of one instrument's feature rows until they are taken.

    Attributes:
        predictor: whose forecasts they are.
    """

    def __init__(self, predictor: Beside, config: FeatureConfig, *, full_depth: bool) -> None:
        """Args:
        config, full_depth: as of the `FeatureEngine` whose rows they are.
        """
        self.predictor = predictor
        self._engine = FeatureEngine(config, full_depth=full_depth, gil_rows=0)
        self._waiting: Float64s = np.empty((len(predictor.columns), 0))
        self._taken = 0

    def read(self, batch: TapeBatch, cut_levels: int) -> None:
        """Foretell the rows that a batch completes; those of the batch before must have been taken."""
        parts = [self.predictor.beside(rows) for rows in self._engine.parts(batch, cut_levels)]
        if self._taken != self._waiting.shape[1]:
            raise RuntimeError(f"{self._waiting.shape[1] - self._taken} feature rows less than were foretold")
        self._waiting, self._taken = np.concatenate([self._waiting[:, :0], *parts], axis=1), 0

    def fill(self, out: Float64s) -> None:
        """Put the forecasts of the rows that come next into ``out``, shape ``(columns, room)``."""
        next_ones = self._waiting[:, self._taken : self._taken + out.shape[1]]
        out[:, : next_ones.shape[1]] = next_ones

    def take(self, rows: int) -> None:
        """So many rows have come."""
        self._taken += rows

    def snapshot(self) -> bytes:
        """The state of the forecasts alone: that of the features is the one of whoever trades."""
        return self.predictor.snapshot()

    def resume(self, data: bytes, features: bytes) -> None:
        """Take up a `snapshot`.

        Args:
            features: a `FeatureEngine.snapshot` after the same rows.

        Raises:
            ValueError: it is none, or of another model or configuration.
        """
        self.predictor.resume(data)
        self._engine.resume(features)
        self._waiting, self._taken = self._waiting[:, :0], 0
