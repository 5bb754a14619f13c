"""How late forecasts are, and whether the market is still the one that the model knows: Prometheus metrics."""

import time

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from operators.models.forecasts_ahead import Beside
from operators.models.predictions import Misses
from operators.row_batch import RowBatch
from operators.schema import RECEIVE_TS
from sources.tape.batch import Float64s

_NS = 1e9
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0)
_CALLS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.1, 1.0)
_EVERY = 1.0  # seconds between two looks at drift

LATENCY = Histogram(
    "tickwax_wire_to_forecast_seconds", "From a frame to the forecast that follows from it.", (), buckets=_SECONDS
)
CALL = Histogram("tickwax_predict_seconds", "What the forecasts of a batch of feature rows took.", (), buckets=_CALLS)
STABILITY = Gauge(
    "tickwax_forecast_input_psi", "Population stability index of an input against training.", ("instrument", "column")
)
MISSED = Gauge(
    "tickwax_forecast_missed_share", "Share of returns outside of the calibrated interval.", ("instrument", "horizon")
)
CHANGES = Counter(
    "tickwax_forecast_error_changes", "Changes of that share that ADWIN has seen.", ("instrument", "horizon")
)


class Watched:
    """Foretells as a `Predictor` does, and tells the metrics.

    Attributes:
        columns: as of `Predictor`.
    """

    def __init__(self, predictor: Beside, instrument: str) -> None:
        self._predictor, self._instrument = predictor, instrument
        self._seen: dict[str, int] = {}
        self._looked = 0.0
        self.columns, self.snapshot, self.resume = predictor.columns, predictor.snapshot, predictor.resume

    def process(self, rows: RowBatch) -> RowBatch | None:
        """As of `Predictor`."""
        began = time.perf_counter()
        told = self._predictor.process(rows)
        self._called(began, told is not None)
        return _late(told)

    def beside(self, rows: RowBatch) -> Float64s:
        """As of `Predictor`."""
        began = time.perf_counter()
        told = self._predictor.beside(rows)
        self._called(began, bool(np.isfinite(told).any()))
        return told

    def said(self, rows: RowBatch) -> RowBatch | None:
        """As of `Predictor`."""
        return _late(self._predictor.said(rows))

    @property
    def stability(self) -> dict[str, float]:
        """As of `Predictor`."""
        return self._predictor.stability

    @property
    def misses(self) -> list[Misses]:
        """As of `Predictor`."""
        return self._predictor.misses

    def _called(self, began: float, any_told: bool) -> None:
        ended = time.perf_counter()
        if any_told:
            CALL.observe(ended - began)
        if ended - self._looked >= _EVERY:
            self._looked = ended
            self._tell_drift()

    def _tell_drift(self) -> None:
        for column, index in self._predictor.stability.items():
            STABILITY.labels(self._instrument, column).set(index)
        for horizon, share, changes in self._predictor.misses:
            MISSED.labels(self._instrument, horizon).set(share)
            counter = CHANGES.labels(self._instrument, horizon)
            counter.inc(max(0, changes - self._seen.get(horizon, 0)))  # a restart of the features begins with none
            self._seen[horizon] = changes


def _late(told: RowBatch | None) -> RowBatch | None:
    if told is not None:
        now = time.time_ns()
        for receive_ts in set(told.integer[RECEIVE_TS].tolist()):
            LATENCY.observe((now - receive_ts) / _NS)
    return told
