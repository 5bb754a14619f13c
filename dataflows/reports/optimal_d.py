"""What a search for fractional orders tells: a table, and a picture of every series."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from dataflows.reports.chart_panels import Panel
from dataflows.reports.text_table import TextTable
from operators.fractional_order import FractionalOrder
from operators.optimal_d import Trial
from sources.tape.batch import Float64s

_NS = 1_000_000_000
_LEAST_P = 1e-6  # drawn: smaller ones are all as good as impossible, and would leave no room for the threshold

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


def fractional_order_panels(orders: Sequence[FractionalOrder], step: float, pvalue: float) -> list[list[Panel]]:
    """A row a tested series: it at several orders, ADF statistic, p-value and correlation against the order.

    Args:
        orders: what was found.
        step: of the grid of orders; where an order of it was not tested, no line leads across.
        pvalue: a series is stationary below it.
    """
    rows = []
    for o in orders:
        if not o.trials:
            continue
        name = f"{o.exchange}:{o.symbol} {o.series}"
        d, stat, p, memory = (_broken(column, o.trials, step) for column in zip(*o.trials, strict=True))
        chosen = [(f"d = {o.d:.3g}", o.d)]
        curves = [(label, ts.astype("datetime64[ns]"), _standard(y)) for label, ts, y in reversed(o.curves)]
        found = f"{'stationary' if o.is_stationary else 'not stationary'} at d = {o.d:.3g}"
        threshold = [(f"p = {pvalue:g}", pvalue)]
        rows.append(
            [
                Panel(f"{name}: {found}", "time (UTC)", "standard deviations", curves),
                Panel(
                    f"{o.series}: ADF statistic", "order d", "statistic", [("statistic", d, stat)],
                    list(o.critical_values.items()), chosen, dotted=True,
                ),
                Panel(
                    f"{o.series}: p-value{_floor_words(p)}", "order d", "p-value",
                    [("p-value", d, np.maximum(p, _LEAST_P))], threshold, chosen, log=True, dotted=True,
                ),
                Panel(
                    f"{o.series}: correlation with the original", "order d", "correlation",
                    [("correlation", d, memory)], (), chosen, dotted=True,
                ),
            ]
        )  # fmt: skip
    return rows


def _broken(column: Sequence[float], trials: Sequence[Trial], step: float) -> Float64s:
    """Of the trials, with NaN wherever an order of the grid between two of them was not tested."""
    d = np.array([trial.d for trial in trials])
    beyond = np.flatnonzero(np.diff(d) > 1.001 * step) + 1  # rounding of multiples of the step is no gap
    return np.insert(np.array(column), beyond, np.nan)


def _floor_words(p: Float64s) -> str:
    return f" (less than {_LEAST_P:g} drawn there)" if np.nanmin(p) < _LEAST_P else ""


def _standard(y: Float64s) -> Float64s:
    """About its mean, in standard deviations, so that series of all orders fit one panel."""
    return (y - y.mean()) / (y.std() or 1.0)


def _time(ts: int | None) -> str:
    return "" if ts is None else f"{datetime.fromtimestamp(ts // _NS, UTC):%Y-%m-%d %H:%M:%S}"
