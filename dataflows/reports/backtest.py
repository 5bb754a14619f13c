"""What a backtest came to: a table, and pictures of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataflows.reports.chart_panels import Panel
from dataflows.reports.summary import Written
from dataflows.reports.text_table import TextTable
from operators.execution.run_statistics import annual_sharpe
from operators.execution.statistics import Estimate, drawdown, markouts, mean
from operators.feature_engine import FeatureEngine
from operators.trade_engine import TradeEngine
from sources.instrument import Instrument
from sources.parquet import read_columns
from sources.tape.arrow import from_arrow_array
from sources.tape.batch import Float64s, Int64s
from sources.tape.layout import data_files, instruments

HORIZONS = {"1 s": 1_000_000_000, "10 s": 10_000_000_000, "60 s": 60_000_000_000}
_MOST_POINTS = 5000  # of a curve
_SHOWN = 12  # instruments with pictures


@dataclass(frozen=True)
class Results:
    """Of one instrument: columns of `fills` and `equity`, as arrays."""

    instrument: Instrument
    fills: Mapping[str, Any]
    equity: Mapping[str, Any]

    def markouts(self, horizon: int, liquidity: str) -> Estimate:
        """In basis points, of fills of that liquidity."""
        f, e = self.fills, self.equity
        chosen = f["liquidity"] == liquidity
        side = f["side"][chosen].astype(np.float64)
        return mean(markouts(f["ts"][chosen], side, f["price"][chosen], e["ts"], e["mid"], horizon))

    @property
    def sharpe(self) -> Estimate:
        """Annualised, of the changes of equity from row to row."""
        return annual_sharpe(self.equity["ts"], self.equity["equity"])


def read_results(sinks: Mapping[str, Written]) -> list[Results]:
    """What the run wrote, instrument by instrument."""
    fills, equity = sinks["fills"].root, sinks["equity"].root
    return [
        Results(
            instrument,
            columns_by_time(data_files(fills, instrument), ("ts", "side", "price", "size", "fee", "liquidity")),
            columns_by_time(data_files(equity, instrument), ("ts", "position", "equity", "mid", "fees", "volume")),
        )
        for instrument in instruments(equity)
    ]


def columns_by_time(files: Sequence[Path], names: Sequence[str]) -> dict[str, Any]:
    """Columns of an instrument's files as arrays in the order of ``ts``, which is one of the names; words as texts."""
    if not files:
        return {name: np.empty(0, _dtype(name)) for name in names}
    table = pa.concat_tables([read_columns(file, list(names)) for file in files]).combine_chunks()
    order = np.argsort(_array(table["ts"]), kind="stable")
    return {name: _array(table[name])[order] for name in names}


def _array(column: pa.ChunkedArray) -> Any:
    if pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), object)
    if column.null_count:
        return column.to_numpy()
    dtype = np.int64 if pa.types.is_timestamp(column.type) else column.type.to_pandas_dtype()
    return from_arrow_array(column.combine_chunks(), dtype)


_DTYPES = dict.fromkeys(("ts", "order_id", "parent_id", "left"), "i8")
_DTYPES |= {"side": "i1", **dict.fromkeys(("liquidity", "kind", "status", "action"), "O")}


def _dtype(name: str) -> str:
    return _DTYPES.get(name, "f8")


def table(results: Sequence[Results]) -> TextTable:
    """One line an instrument."""
    titles = (
        "instrument", "profit", "fees", "volume", "fills", "maker", "worst drawdown", "Sharpe ratio",
        *(f"markout {name}" for name in HORIZONS),
    )  # fmt: skip
    out = TextTable(titles)
    for r in results:
        n = len(r.fills["ts"])
        maker = r.fills["liquidity"] == "maker"
        equity: Float64s = r.equity["equity"]
        last = len(equity) - 1
        out.add(
            str(r.instrument),
            f"{equity[last]:,.2f}" if n else "0",
            f"{r.equity['fees'][last]:,.2f}",
            f"{r.equity['volume'][last]:,.0f}",
            f"{n:,}",
            f"{maker.mean():.0%}" if n else "-",
            f"{drawdown(equity).min():,.2f}",
            shown(r.sharpe, 1),
            *(shown(r.markouts(horizon, "maker" if maker.any() else "taker"), 2) for horizon in HORIZONS.values()),
        )
    return out


def funding_words(engines: Iterable[FeatureEngine]) -> str:
    """Whether funding is in the account, in a sentence."""
    each = [engine.funding for engine in engines if isinstance(engine, TradeEngine)]
    count, paid = sum(count for count, _ in each), sum(paid for _, paid in each)
    if not count:
        return "Funding is not modelled: none is due on the tape."
    return f"Funding is in it: {paid:,.2f} was paid at {count:,} times."


def shown(estimate: Estimate, digits: int) -> str:
    """A value and its standard error."""
    if np.isnan(estimate.value):
        return "-"
    error = "" if np.isnan(estimate.error) else f" ± {estimate.error:,.{digits}f}"
    return f"{estimate.value:,.{digits}f}{error}"


def panels(results: Sequence[Results]) -> list[list[Panel]]:
    """Rows of pictures, two rows an instrument, for the first twelve. Markouts come first: they tell luck from edge."""
    return [row for r in results[:_SHOWN] for row in _panels(r)]


def _panels(r: Results) -> list[list[Panel]]:
    seconds = [horizon / 1e9 for horizon in HORIZONS.values()]
    curves = [
        (liquidity, seconds, [r.markouts(horizon, liquidity).value for horizon in HORIZONS.values()])
        for liquidity in ("maker", "taker")
        if (r.fills["liquidity"] == liquidity).any()
    ]
    step = max(1, len(r.equity["ts"]) // _MOST_POINTS)
    ts = _times(r.equity["ts"][::step])
    equity, position, mid = (r.equity[name][::step] for name in ("equity", "position", "mid"))
    bought, sold = r.fills["side"] > 0, r.fills["side"] < 0
    prices = [("mid", ts, mid)] + [
        (name, _times(r.fills["ts"][chosen]), r.fills["price"][chosen])
        for name, chosen in (("▲ bought", bought), ("▼ sold", sold))
    ]
    name = str(r.instrument)
    return [
        [
            Panel(
                f"{name}: markouts", "seconds after the fill", "basis points", curves, [("0", 0.0)],
                dotted=True, nothing="no fills",
            ),
            Panel("Equity and drawdown", "", "quote", [("equity", ts, equity), ("drawdown", ts, drawdown(equity))]),
        ],
        [
            Panel("Fills" if len(r.fills["ts"]) else "Fills: none", "", "price", prices),
            Panel("Position", "", "base", [("position", ts, position)]),
        ],
    ]  # fmt: skip


def _times(ts: Int64s) -> Any:
    return ts.astype("datetime64[ns]")
