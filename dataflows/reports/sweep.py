"""What a sweep came to, on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from dataflows.reports.text_table import TextTable
from sources.instrument import Instrument

SHOWN = 10  # runs


def best_runs(rows: Mapping[Instrument, Sequence[Mapping[str, Any]]], varied: Sequence[str]) -> TextTable:
    """The runs with the highest profit, a line each.

    Args:
        rows: of the data set, by instrument.
        varied: settings to show.
    """
    titles = ("run", "instrument", *varied, "profit", "fees", "Sharpe ratio", "fill ratio", "worst drawdown", "fills")
    table = TextTable(titles, keys=2)
    ended = [(instrument, row) for instrument, own in rows.items() for row in own if row["error"] is None]
    for instrument, row in sorted(ended, key=lambda item: -item[1]["net_pnl"])[:SHOWN]:
        table.add(
            str(row["run"]),
            str(instrument),
            *(setting_text(row[key]) for key in varied),
            f"{row['net_pnl']:,.2f}",
            f"{row['fees']:,.2f}",
            with_error(row["sharpe"], row["sharpe_error"], 1),
            "-" if row["fill_ratio"] is None else f"{row['fill_ratio']:.0%}",
            f"{row['max_drawdown']:,.2f}",
            f"{row['fills']:,}",
        )
    return table


def setting_text(value: Any) -> str:
    """A setting as it is written."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def with_error(value: float | None, error: float | None, digits: int) -> str:
    """A statistic and its standard error."""
    if value is None:
        return "-"
    return f"{value:,.{digits}f}" + ("" if error is None else f" ± {error:,.{digits}f}")
