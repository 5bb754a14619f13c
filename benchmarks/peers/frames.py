"""The windowed order flow imbalance of recorded books offline, in pandas and in Polars.

Both begin with the ``books`` data set, a book after every update, so that nothing has to be rebuilt; they compute
``ofi_l{D}_{w}``, one of the eleven kinds of feature.
"""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl

DEPTHS = (1, 5, 10, 20)
WINDOWS = ("100ms", "1s", "5s", "30s")


def level_flow_pandas(books: pd.DataFrame, m: int) -> pd.Series:
    """``e_m`` of each update."""
    bid, bid_size = books[f"bid_price_{m}"].fillna(-np.inf), books[f"bid_size_{m}"].fillna(0.0)
    ask, ask_size = books[f"ask_price_{m}"].fillna(np.inf), books[f"ask_size_{m}"].fillna(0.0)
    bid0, bid_size0, ask0, ask_size0 = bid.shift(), bid_size.shift(), ask.shift(), ask_size.shift()
    b = np.where(bid > bid0, bid_size, np.where(bid == bid0, bid_size - bid_size0, -bid_size0))
    a = np.where(ask > ask0, -ask_size0, np.where(ask == ask0, ask_size - ask_size0, ask_size))
    flow = pd.Series(b - a, index=books.index)
    flow.iloc[:1] = 0.0
    return flow


def ofi_pandas(books: pd.DataFrame) -> pd.DataFrame:
    """``ofi_l{D}_{w}`` at each update; ``books`` is indexed by its time."""
    flows = np.cumsum([level_flow_pandas(books, m).to_numpy() for m in range(max(DEPTHS))], axis=0)
    out: dict[str, Any] = {}
    for depth in DEPTHS:
        flow = pd.Series(flows[depth - 1], index=books.index)
        for window in WINDOWS:
            out[f"{depth}_{window}"] = flow.rolling(window).sum()
    return pd.DataFrame(out)


def level_flow_polars(m: int) -> pl.Expr:
    """``e_m`` of each update."""
    bid, bid_size = pl.col(f"bid_price_{m}").fill_nan(-np.inf), pl.col(f"bid_size_{m}").fill_nan(0.0)
    ask, ask_size = pl.col(f"ask_price_{m}").fill_nan(np.inf), pl.col(f"ask_size_{m}").fill_nan(0.0)
    b = (
        pl.when(bid > bid.shift())
        .then(bid_size)
        .when(bid == bid.shift())
        .then(bid_size - bid_size.shift())
        .otherwise(-bid_size.shift())
    )
    a = (
        pl.when(ask > ask.shift())
        .then(-ask_size.shift())
        .when(ask == ask.shift())
        .then(ask_size - ask_size.shift())
        .otherwise(ask_size)
    )
    return (b - a).fill_null(0.0)


def ofi_polars(books: pl.DataFrame) -> pl.DataFrame:
    """``ofi_l{D}_{w}`` at each update; ``books`` is sorted by ``ts``."""
    flows = books.lazy().select("ts", *(level_flow_polars(m).alias(f"e{m}") for m in range(max(DEPTHS))))
    sums = flows.select("ts", *(pl.sum_horizontal([f"e{m}" for m in range(d)]).alias(f"{d}") for d in DEPTHS))
    windows = [pl.col(f"{d}").rolling_sum_by("ts", w).alias(f"{d}_{w}") for d in DEPTHS for w in WINDOWS]
    return sums.select(windows).collect()
