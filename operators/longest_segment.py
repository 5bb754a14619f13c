"""One instrument's samples of price and traded volume, and the longest segment of them without a restart."""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from operators.config import SECOND, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.restarts import Restarts
from operators.row_batch import TS
from operators.schema import ROW_ORDINAL, feature_columns, since
from sources.tape.batch import TRADE, Float64s, Int64s, TapeBatch

Price = Literal["mid", "trade"]


class Segment(NamedTuple):
    """Consecutive samples, every column of shape ``(n,)``."""

    ts: Int64s  # ns
    price: Float64s  # logarithm; NaN before the first trade if trades are sampled
    volume: Float64s  # log(1 + base units traded since the sample before)

    @property
    def rows(self) -> int:
        """Number of samples."""
        return len(self.ts)


class SegmentSampler:
    """Samples one tape on the features' own clock (docs/features.md, 4.2) and keeps its longest segment.

    A segment ends where the features would restart: at a reset, and at a hole longer than ``max_hold``.
    """

    def __init__(self, config: FeatureConfig, price: Price = "mid", first_ordinal: int = 0) -> None:
        """Args:
        config: for its sampling and ``max_hold``.
        price: ``mid`` of the book, or the last ``trade``.
        first_ordinal: rows of the tape before it only make the book known.
        """
        step = config.sampling_ns or SECOND
        least = replace(
            config, windows=(("1", step),), depths=(1,), zscore_window=2, price_d=1.0, volume_d=1.0,
            fdi_window=3, fdi_interval_ns=step, volatility_window=2,
        )  # fmt: skip
        self._engine = FeatureEngine(least, full_depth=True, gil_rows=0)
        rows = {column.name: column.row for column in feature_columns(least) if column.array == "value"}
        self._mid, self._traded = rows["mid"], rows["trade_volume"]
        self._restarts = Restarts(config.max_hold_ns)
        self._price = price
        self._first = first_ordinal
        self._restart = -1  # ordinal of the newest restart
        self._trade = (-1, np.nan)  # ordinal and price of the newest trade
        self._parts: list[Segment] = []  # of the segment that is not over
        self._began = -1  # ordinal of the restart that it follows
        self._longest = Segment(np.empty(0, np.int64), np.empty(0), np.empty(0))

    def add(self, batch: TapeBatch) -> None:
        """Take the tape rows that follow those of the call before."""
        rows = self._engine.process(batch)
        restarts = np.append(self._restart, self._restarts.find(batch))
        is_trade = batch.kind == TRADE
        trades = np.append(self._trade[0], batch.ordinal[is_trade])
        prices = np.append(self._trade[1], batch.price[is_trade])
        self._restart = int(restarts[-1])
        self._trade = (int(trades[-1]), float(prices[-1]))
        if rows is None:
            return
        rows = since(rows, self._first)
        newest = rows.integer[ROW_ORDINAL]
        began = restarts[np.searchsorted(restarts, newest, "right") - 1]
        if self._price == "mid":
            price = rows.value[self._mid]
        else:
            last = np.searchsorted(trades, newest, "right") - 1
            price = np.where(trades[last] > began, prices[last], np.nan)
        samples = Segment(rows.integer[TS], np.log(price), np.log(1.0 + rows.value[self._traded]))
        cuts = np.flatnonzero(began != np.append(self._began, began[:-1]))
        self._began = int(began[-1]) if rows.rows else self._began
        for start, stop in zip([0, *cuts], [*cuts, rows.rows], strict=True):
            if start in cuts:
                self._end()
            if stop > start:
                self._parts.append(Segment._make(column[start:stop].copy() for column in samples))

    def longest(self) -> Segment:
        """The segment with the most samples, the first of equals; without those before its first trade."""
        self._end()
        known = ~np.isnan(self._longest.price)
        first = int(known.argmax()) if known.any() else self._longest.rows
        return Segment._make(column[first:] for column in self._longest)

    def _end(self) -> None:
        if sum(part.rows for part in self._parts) > self._longest.rows:
            self._longest = Segment._make(np.concatenate(columns) for columns in zip(*self._parts, strict=True))
        self._parts = []
