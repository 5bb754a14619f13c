"""The fractional orders of one instrument from its tape, and the keyed Bytewax operator (docs/features.md, 4.9)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import bytewax.operators as op
import numpy as np
from bytewax.operators import KeyedStream, StatefulBatchLogic

from operators.config import FeatureConfig
from operators.fracdiff import find_optimal_d, frac_diff_ffd
from operators.longest_segment import Price, Segment, SegmentSampler
from operators.optimal_d import Trial
from sources.instrument import Instrument
from sources.tape.batch import Float64s, InstrumentBatch, Int64s

SERIES = ("price", "volume")
_POINTS = 1500  # of a drawn series


@dataclass(frozen=True)
class FractionalOrderConfig:
    """How orders are searched for.

    Attributes:
        features: sampling, ``max_hold``, weight cut-off; its orders stand where a series cannot be tested.
        price: ``mid`` of the book, or the last ``trade``.
        pvalue: a p-value below is stationary.
        step, tolerance: of the grid, and of the bisection after it.
        curves: whether to keep what a picture needs.
    """

    features: FeatureConfig
    price: Price = "mid"
    pvalue: float = 0.05
    step: float = 0.05
    tolerance: float = 0.001
    curves: bool = False


@dataclass(frozen=True)
class FractionalOrder:
    """A row of the file, and what a table and a picture say beyond it."""

    exchange: str
    symbol: str
    series: str
    n: int  # samples
    from_ts: int | None  # ns
    to_ts: int | None
    d: float
    note: str
    adf_stat: float = np.nan
    adf_pvalue: float = np.nan
    memory_retained: float = np.nan
    is_stationary: bool = False
    critical_values: dict[str, float] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    curves: tuple[tuple[str, Int64s, Float64s], ...] = ()  # name, ts, values


def find_fractional_orders(
    instrument: Instrument, segment: Segment, config: FractionalOrderConfig, told: Callable[[str, Trial], None]
) -> list[FractionalOrder]:
    """The order of each series. One too short or constant keeps its row, with the order of the configuration."""
    defaults = {"price": config.features.price_d, "volume": config.features.volume_d}
    return [
        _find(instrument, name, getattr(segment, name), segment.ts, config, defaults[name], told) for name in SERIES
    ]


def _find(
    instrument: Instrument,
    name: str,
    x: Float64s,
    ts: Int64s,
    config: FractionalOrderConfig,
    default: float,
    told: Callable[[str, Trial], None],
) -> FractionalOrder:
    row: dict[str, Any] = {"exchange": instrument.venue, "symbol": instrument.symbol, "series": name, "n": len(x)}
    row |= {"from_ts": int(ts[0]), "to_ts": int(ts[-1])} if len(ts) else {"from_ts": None, "to_ts": None}
    threshold = config.features.ffd_threshold
    try:
        best = find_optimal_d(
            x,
            config.pvalue,
            step=config.step,
            tolerance=config.tolerance,
            threshold=threshold,
            progress=lambda trial: told(name, trial),
        )
    except ValueError as e:
        note = f"{str(e).removeprefix('series: ')}; d is the default"
        return FractionalOrder(**row, d=default, note=note)
    return FractionalOrder(
        **row,
        d=best.d,
        adf_stat=best.adf_stat,
        adf_pvalue=best.adf_pvalue,
        memory_retained=best.memory_retained,
        is_stationary=best.is_stationary,
        note=best.note,
        critical_values=best.adf_critical_values,
        trials=best.trials,
        curves=tuple(_curves(x, ts, best.d, threshold)) if config.curves else (),
    )


def _curves(x: Float64s, ts: Int64s, d: float, threshold: float) -> Iterator[tuple[str, Int64s, Float64s]]:
    """The series itself, and differentiated by half the order, the order, and 1; those that have values."""
    for order in sorted({0.0, d / 2, d, 1.0}):
        values = frac_diff_ffd(x, order, threshold, threads=1)
        known = np.flatnonzero(~np.isnan(values))
        chosen = known[:: max(1, len(known) // _POINTS)]
        if len(chosen):
            yield f"d = {order:.3g}", ts[chosen], values[chosen]


class OrderLogic(StatefulBatchLogic[InstrumentBatch, list[FractionalOrder], None]):
    """The keyed step: one instrument's tape batches in, its orders out at the end."""

    def __init__(
        self,
        config: FractionalOrderConfig,
        first_ordinal: Callable[[Instrument], int],
        told: Callable[[str, str, Trial], None],
    ) -> None:
        self._config = config
        self._first_ordinal = first_ordinal
        self._told = told
        self._instrument: Instrument | None = None
        self._sampler: SegmentSampler | None = None

    def on_batch(self, values: list[InstrumentBatch]) -> tuple[Iterable[list[FractionalOrder]], bool]:
        """Sample each batch in turn."""
        for value in values:
            if self._sampler is None:
                self._instrument = value.instrument
                first = self._first_ordinal(value.instrument)
                self._sampler = SegmentSampler(self._config.features, self._config.price, first)
            self._sampler.add(value.batch)
        return [], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[Iterable[list[FractionalOrder]], bool]:
        """The tape is over: search."""
        assert self._instrument is not None
        assert self._sampler is not None
        key = str(self._instrument)
        segment = self._sampler.longest()
        found = find_fractional_orders(
            self._instrument, segment, self._config, lambda name, trial: self._told(key, name, trial)
        )
        return [found], StatefulBatchLogic.DISCARD

    def snapshot(self) -> None:
        """Nothing: a search is not resumed."""
        return None


def optimal_d(
    step_id: str,
    up: KeyedStream[InstrumentBatch],
    config: FractionalOrderConfig,
    first_ordinal: Callable[[Instrument], int] = lambda instrument: 0,
    told: Callable[[str, str, Trial], None] = lambda key, series, trial: None,
) -> KeyedStream[list[FractionalOrder]]:
    """Search the orders of every instrument whose tape flows in, keyed by ``venue:SYMBOL``; at its end, one list each.

    Args:
        first_ordinal: where an instrument's samples begin.
        told: of each order tested: key, series, result.
    """
    return op.stateful_batch(step_id, up, lambda resume: OrderLogic(config, first_ordinal, told))
