"""What a search for fractional orders tells: a table, and a picture of every series."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from dataflows.reports.charts import Panel
from dataflows.reports.text_table import TextTable
from operators.fractional_order import FractionalOrder

_NS = 1_000_000_000


_TITLES = ("instrument", "series", "d", "stationary", "ADF", "p", "memory", "samples", "from (UTC)", "to (UTC)")


def fractional_order_table(orders: Sequence[FractionalOrder]) -> TextTable:
    """One line a series."""
    table = TextTable(_TITLES, keys=2, left=("stationary",))
    for o in orders:
        table.add(
            f"{o.exchange}:{o.symbol}", o.series, f"{o.d:.4g}", "yes" if o.is_stationary else "no", f"{o.adf_stat:.2f}",
            f"{o.adf_pvalue:.3g}", f"{o.memory_retained:.3f}", f"{o.n:,}", _time(o.from_ts), _time(o.to_ts),
        )  # fmt: skip
    return table


def fractional_order_notes(orders: Sequence[FractionalOrder]) -> list[str]:
    """A line for each series of which there is something to know."""
    return [f"{o.exchange}:{o.symbol} {o.series}: {o.note}" for o in orders if o.note]


def fractional_order_panels(orders: Sequence[FractionalOrder]) -> list[list[Panel]]:
    """A row a tested series: it at several orders, ADF statistic, p-value and correlation against the order."""
    rows = []
    for o in orders:
        if not o.trials:
            continue
        name = f"{o.exchange}:{o.symbol} {o.series}"
        d, stat, pvalue, memory = (np.array(column) for column in zip(*o.trials, strict=True))
        chosen = [(f"d = {o.d:.3g}", o.d)]
        critical = list(o.critical_values.items())
        curves = [(label, ts.astype("datetime64[ns]"), _standard(y)) for label, ts, y in reversed(o.curves)]
        rows.append(
            [
                Panel(name, "", "standard deviations", curves),
                Panel("ADF statistic", "d", "", [("statistic", d, stat)], critical, chosen),
                Panel("p-value", "d", "", [("p-value", d, pvalue)], (), chosen),
                Panel("correlation with the original", "d", "", [("correlation", d, memory)], (), chosen),
            ]
        )
    return rows


def _standard(y: np.ndarray) -> np.ndarray:
    """About its mean, in standard deviations, so that series of all orders fit one panel."""
    return (y - y.mean()) / (y.std() or 1.0)


def _time(ts: int | None) -> str:
    return "" if ts is None else f"{datetime.fromtimestamp(ts // _NS, UTC):%Y-%m-%d %H:%M:%S}"
