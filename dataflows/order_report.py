"""What a search for fractional orders tells: a table, and a picture of every series."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from rich.table import Table

from dataflows.charts import Panel
from operators.orders import FoundOrder

_NS = 1_000_000_000


def orders_table(orders: Sequence[FoundOrder]) -> Table:
    """One line a series."""
    table = Table(box=None, pad_edge=False)
    table.add_column("instrument", no_wrap=True)
    table.add_column("series")
    for title in ("d", "ADF", "p", "memory", "samples"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("stationary")
    table.add_column("from and to, UTC", no_wrap=True)
    table.add_column("note")
    for o in orders:
        table.add_row(
            f"{o.exchange}:{o.symbol}", o.series, f"{o.d:.4g}", f"{o.adf_stat:.2f}", f"{o.adf_pvalue:.3g}",
            f"{o.memory_retained:.3f}", f"{o.n:,}", "yes" if o.is_stationary else "no", _span(o), o.note,
        )  # fmt: skip
    return table


def order_panels(orders: Sequence[FoundOrder]) -> list[list[Panel]]:
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


def _span(order: FoundOrder) -> str:
    if order.from_ts is None or order.to_ts is None:
        return ""
    start, end = (datetime.fromtimestamp(ts // _NS, UTC) for ts in (order.from_ts, order.to_ts))
    return f"{start:%Y-%m-%d %H:%M:%S} {end:%Y-%m-%d %H:%M:%S}"
