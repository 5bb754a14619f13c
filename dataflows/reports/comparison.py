"""Backtests side by side: a table, which settings differ, and pictures."""

import json
from collections.abc import Iterator
from typing import Any

from dataflows.assembly.comparing import Comparison
from dataflows.reports.chart_panels import Panel
from dataflows.reports.sweep import with_error
from dataflows.reports.text_table import TextTable

_MOST_POINTS = 5000  # of a curve
_SHOWN = 12  # instruments with pictures


def comparison_table(comparison: Comparison) -> TextTable:
    """One line an instrument and run."""
    titles = ("instrument", "run", "profit", "less the first", "fees", "turnover", "Sharpe ratio", "fill ratio",
              "worst drawdown", "fills", "markout 1 s")  # fmt: skip
    table = TextTable(titles, keys=2)
    for one in comparison.records():
        liquidity = "taker" if one["markout_maker_1s"] is None else "maker"
        table.add(
            f"{one['exchange']}:{one['symbol']}",
            one["folder"],
            f"{one['net_pnl']:,.2f}",
            with_error(one["net_pnl_less_first"], one["net_pnl_less_first_error"], 2),
            f"{one['fees']:,.2f}",
            f"{one['turnover']:,.0f}",
            with_error(one["sharpe"], one["sharpe_error"], 1),
            "-" if one["fill_ratio"] is None else f"{one['fill_ratio']:.0%}",
            f"{one['max_drawdown']:,.2f}",
            f"{one['fills']:,}",
            with_error(one[f"markout_{liquidity}_1s"], one[f"markout_{liquidity}_1s_error"], 2),
        )
    return table


def settings_table(comparison: Comparison) -> TextTable:
    """The settings that differ, a line each."""
    folders = [str(run.folder) for run in comparison.runs]
    table = TextTable(("setting", *folders), left=folders)
    for key, values in comparison.differing.items():
        table.add(key, *(value or "-" for value in values))
    return table


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """A JSON object an instrument and run, each in a line."""
    for one in comparison.records():
        yield json.dumps(one, allow_nan=False)


def comparison_panels(comparison: Comparison) -> list[list[Panel]]:
    """For each of the first twelve instruments its equity in every run, and that less the first run's."""
    rows = []
    for instrument in comparison.instruments[:_SHOWN]:
        equity: list[tuple[str, Any, Any]] = []
        less: list[tuple[str, Any, Any]] = []
        for n, run in enumerate(comparison.runs):
            own = run.traded[instrument].equity
            curves = [(equity, own["ts"], own["equity"])]
            if n:
                curves.append((less, *comparison.less_first(run, instrument)))
            for into, ts, values in curves:
                step = max(1, len(ts) // _MOST_POINTS)
                into.append((str(run.folder), ts[::step].astype("datetime64[ns]"), values[::step]))
        first = comparison.runs[0].folder
        rows.append(
            [
                Panel(f"{instrument}: equity", "", "quote", equity),
                Panel(f"less that of {first}", "", "quote", less, [("0", 0.0)]),
            ]
        )
    return rows
