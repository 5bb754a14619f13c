"""What one backtest of an instrument came to, as a row of numbers: in sweeps, and where runs are compared."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from operators.execution.statistics import Estimate, drawdown, markouts, mean, sharpe_ratio
from sources.tape.batch import Float64s, Int64s

HORIZONS = {"1s": 1_000_000_000, "10s": 10_000_000_000, "60s": 60_000_000_000}
_YEAR = 365 * 86_400 * 1_000_000_000
_QUOTE, _BASE, _BPS = "quote currency", "base currency", "basis points"


class Statistic(NamedTuple):
    """A column of numbers.

    Attributes:
        whole: whether they are whole numbers.
    """

    name: str
    unit: str
    definition: str
    whole: bool = False


STATISTICS: tuple[Statistic, ...] = (
    Statistic("net_pnl", _QUOTE, "equity at the last feature row: profit after fees, the position at the mid"),
    Statistic("fees", _QUOTE, "sum of fees; negative is a rebate"),
    Statistic("turnover", _QUOTE, "sum of price * size of fills"),
    Statistic("sharpe", "", "annualised Sharpe ratio of the changes of equity from row to row"),
    Statistic("sharpe_error", "", "its standard error (Lo 2002, equation 9)"),
    Statistic("max_drawdown", _QUOTE, "lowest equity below its highest value before; at most 0"),
    Statistic("fill_ratio", "", "share of the orders that were filled at least in part"),
    *(
        Statistic(f"markout_{liquidity}_{horizon}{error}", _BPS, text)
        for liquidity in ("maker", "taker")
        for horizon in HORIZONS
        for error, text in (
            ("", f"mean move of the mid in the direction of {liquidity} fills, {horizon} after them"),
            ("_error", "its standard error"),
        )
    ),
    Statistic("position_min", _BASE, "lowest position; at most 0"),
    Statistic("position_max", _BASE, "highest position; at least 0"),
    Statistic("orders", "count", "limit and market orders that arrived", whole=True),
    Statistic("fills", "count", "fills", whole=True),
    Statistic("rejects", "count", "limit and market orders that were rejected on arrival", whole=True),
)


def run_statistics(
    orders: Mapping[str, Any], fills: Mapping[str, Any], equity: Mapping[str, Any]
) -> dict[str, float | int | None]:
    """`STATISTICS` by name; None where there is nothing to measure.

    Args:
        orders: columns ``order_id``, ``kind`` and ``status``, in the order of the exchange.
        fills: columns ``ts``, ``order_id``, ``side``, ``price``, ``liquidity`` and ``position``.
        equity: columns ``ts``, ``equity``, ``mid``, ``fees`` and ``volume``, at least one row.
    """
    sharpe = annual_sharpe(equity["ts"], equity["equity"])
    arrived = np.isin(orders["kind"], ("limit", "market"))
    sent = np.unique(orders["order_id"][arrived])  # an amended order arrives again under its name
    position = np.append(fills["position"], 0.0)
    row: dict[str, float | int | None] = {
        "net_pnl": float(equity["equity"][-1]),
        "fees": float(equity["fees"][-1]),
        "turnover": float(equity["volume"][-1]),
        "sharpe": sharpe.value,
        "sharpe_error": sharpe.error,
        "max_drawdown": float(drawdown(equity["equity"]).min()),
        "fill_ratio": len(np.unique(fills["order_id"])) / len(sent) if len(sent) else math.nan,
    }
    for liquidity in ("maker", "taker"):
        chosen = fills["liquidity"] == liquidity
        side, ts, price = fills["side"][chosen].astype(np.float64), fills["ts"][chosen], fills["price"][chosen]
        for name, horizon in HORIZONS.items():
            found = mean(markouts(ts, side, price, equity["ts"], equity["mid"], horizon))
            row[f"markout_{liquidity}_{name}"] = found.value
            row[f"markout_{liquidity}_{name}_error"] = found.error
    row |= {
        "position_min": float(position.min()),
        "position_max": float(position.max()),
        "orders": len(sent),
        "fills": len(fills["ts"]),
        "rejects": int((arrived & (orders["status"] == "rejected")).sum()),
    }
    return {name: None if value is None or math.isnan(value) else value for name, value in row.items()}


def annual_sharpe(ts: Int64s, equity: Float64s) -> Estimate:
    """Annualised Sharpe ratio of the changes of equity from row to row, with its standard error.

    Args:
        ts: ns, shape ``(rows,)``, rising; ``equity``: of the same shape.
    """
    if len(ts) < 3:
        return Estimate(math.nan, math.nan, len(ts))
    found = sharpe_ratio(np.diff(equity))
    scale = math.sqrt(_YEAR / ((int(ts[-1]) - int(ts[0])) / (len(ts) - 1)))
    return Estimate(found.value * scale, found.error * scale, found.observations)
