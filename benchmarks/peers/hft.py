"""hftbacktest's loop in Numba: every 100 ms of a capture the 20 best levels a side are read."""

from pathlib import Path
from typing import Any

import hftbacktest
import numba
import numpy as np
from hftbacktest.data.utils import binancefutures

SECOND = 1_000_000_000
LEVELS = 20
FAR = 100_000  # ticks after which a search for the next level gives up


@numba.njit  # type: ignore[untyped-decorator]
def read_levels(backtest: Any) -> tuple[int, float]:
    """Elapse by 100 ms to the end, reading; how many times there was a book, and a sum so that nothing is left out."""
    rows, total = 0, 0.0
    while backtest.elapse(100_000_000) == 0:
        depth = backtest.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid <= 0 or bid >= ask:
            continue
        rows += 1
        found, tick = 0, bid
        while found < LEVELS and tick > bid - FAR:
            size = depth.bid_qty_at_tick(tick)
            if size > 0.0:
                total += size * tick
                found += 1
            tick -= 1
        found, tick = 0, ask
        while found < LEVELS and tick < ask + FAR:
            size = depth.ask_qty_at_tick(tick)
            if size > 0.0:
                total -= size * tick
                found += 1
            tick += 1
    return rows, total


def events(capture: Path, repeats: int) -> np.ndarray[Any, Any]:
    """The capture by hftbacktest's own converter, repeated a second apart; each repeat begins with its snapshot."""
    once = binancefutures.convert(str(capture), buffer_size=2_000_000)
    span = int(once["local_ts"].max() - min(once["exch_ts"].min(), once["local_ts"].min())) + SECOND
    parts = [once.copy() for _ in range(repeats)]
    for n, part in enumerate(parts):
        part["exch_ts"] += n * span
        part["local_ts"] += n * span
    return np.concatenate(parts)


class HftBacktest:
    """A backtest of events in memory, made anew for each run, as one cannot be rewound."""

    def __init__(self, data: np.ndarray[Any, Any], vector: bool) -> None:
        """``vector``: its book in an array over a range of prices, else in a hash map."""
        self.events = len(data)
        self._data = data
        prices = data["px"][np.isin(data["ev"] & 0xFF, (1, 4))]
        self._range = float(np.quantile(prices, 0.001)), float(np.quantile(prices, 0.999))
        self._vector = vector

    def run(self) -> tuple[int, float]:
        """To the end of the data; times at which there was a book, and the checksum."""
        asset = (
            hftbacktest.BacktestAsset()
            .data(self._data)
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(0.1)
            .lot_size(0.001)
            .last_trades_capacity(0)
        )
        if self._vector:
            backtest = hftbacktest.ROIVectorMarketDepthBacktest([asset.roi_lb(self._range[0]).roi_ub(self._range[1])])
        else:
            backtest = hftbacktest.HashMapMarketDepthBacktest([asset])
        rows: tuple[int, float] = read_levels(backtest)
        backtest.close()
        return rows
