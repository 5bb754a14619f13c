"""Rows of mark prices, funding, open interest and liquidations among those of a synthetic market.

Mark price and funding come every second, as Binance's ``@markPrice@1s`` does, the open interest every five, each behind
the first message of its time; a liquidation stands behind the trade that brought it about.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sources.instrument import Instrument
from sources.tape.batch import DTYPES, FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, TRADE, TapeBatch
from synthetic.derivatives import HOURS, DerivativeModel, next_funding_ms
from synthetic.parameters import MarketParameters

DERIVATIVE_VENUES = ("binance_futures", "bybit_linear")  # those that are recorded live with such rows
_NS_PER_MS = 1_000_000
_MARK_NS, _INTEREST_NS = 1_000_000_000, 5_000_000_000
_ADDED = ("exchange_ts", "receive_ts", "sequence", "kind", "side", "price", "size")


class DerivativeRows:
    """Those of one instrument; how its rows are cut into batches makes no difference to them."""

    def __init__(self, instrument: Instrument, parameters: MarketParameters) -> None:
        """``parameters``: of the market whose trades are told."""
        self._model = DerivativeModel(instrument, parameters)
        self._digits = parameters.size_digits
        self._next_mark = self._next_interest = 0  # ns

    def among(self, batch: TapeBatch, ordinal: int) -> TapeBatch:
        """The rows of a batch, and those beside it; the first one gets ``ordinal``.

        Args:
            batch: the market's next rows, whole messages.
        """
        at: list[int] = []
        rows: list[tuple[int, int, int, int, int, float, float]] = []
        seconds = batch.exchange_ts // _MARK_NS
        new = np.diff(seconds, prepend=self._next_mark // _MARK_NS - 1) > 0
        trades = batch.kind == TRADE
        # Rows that may have something behind them: those of trades, and the end of the first message of a second.
        ends = np.flatnonzero(batch.last)
        first = ends[np.searchsorted(ends, np.flatnonzero(new))]
        for row in np.union1d(np.flatnonzero(trades), first).tolist():
            times = exchange_ts, _ = int(batch.exchange_ts[row]), int(batch.receive_ts[row])
            time_ms = exchange_ts // _NS_PER_MS
            if trades[row]:
                price = float(batch.price[row])
                forced = self._model.trade(time_ms, price, float(batch.size[row]))
                if forced is not None:
                    at.append(row + 1)
                    rows.append((*times, 0, LIQUIDATION, forced.side, price, round(forced.size, self._digits)))
            model = self._model
            if exchange_ts >= self._next_mark:
                self._next_mark = (exchange_ts // _MARK_NS + 1) * _MARK_NS
                at += [row + 1, row + 1]
                rows.append((*times, 0, MARK, 0, model.mark, model.index))
                rows.append((*times, next_funding_ms(time_ms), FUNDING, 0, model.funding_rate, float(HOURS)))
                if exchange_ts >= self._next_interest:
                    self._next_interest = (exchange_ts // _INTEREST_NS + 1) * _INTEREST_NS
                    at.append(row + 1)
                    rows.append((*times, 0, OPEN_INTEREST, 0, 0.0, model.open_interest))
        columns: dict[str, Sequence[Any]] = (
            dict(zip(_ADDED, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(_ADDED, ())
        )
        columns["last"] = (True,) * len(rows)
        whole = {
            name: np.insert(column, at, np.array(columns[name], DTYPES[name]))
            for name, column in batch._asdict().items()
            if name != "ordinal"
        }
        count = batch.rows + len(rows)
        return TapeBatch(ordinal=np.arange(ordinal, ordinal + count, dtype=np.int64), **whole)
