"""How much a backtest hangs on its place in the queue and on its latency: a table, and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from dataflows.reports.chart_panels import Panel
from dataflows.reports.sweep import with_error
from dataflows.reports.text_table import TextTable
from operators.execution.words import QUEUES
from sources.instrument import Instrument

Row = Mapping[str, Any]
_QUEUE, _LATENCY = "execution.queue", "execution.latency_entry"
_FROM_WORST = (QUEUES[1], QUEUES[0], QUEUES[2])  # risk averse, power, optimistic
_SHOWN = 12  # instruments with pictures


def sensitivity_table(rows: Mapping[Instrument, Sequence[Row]]) -> TextTable:
    """One line a variant: the chosen settings first, then the other queues, then the other latencies."""
    table = TextTable(
        ("instrument", "queue", "latency", "profit", "fees", "fills", "maker markout 1 s", "taker markout 1 s"), keys=3
    )
    for instrument, own in rows.items():
        for row in own:
            name = (str(instrument), row[_QUEUE], row[_LATENCY])
            if row["error"] is not None:
                table.add(*name, row["error"], *[""] * 4)
                continue
            markouts = (
                with_error(row[f"markout_{who}_1s"], row[f"markout_{who}_1s_error"], 2) for who in ("maker", "taker")
            )
            table.add(*name, f"{row['net_pnl']:,.2f}", f"{row['fees']:,.2f}", f"{row['fills']:,}", *markouts)
    return table


def sensitivity_panels(rows: Mapping[Instrument, Sequence[Row]]) -> list[list[Panel]]:
    """A row of pictures an instrument, for the first twelve: profit by queue model and by latency."""
    return [_panels(instrument, rows[instrument]) for instrument in list(rows)[:_SHOWN]]


def _panels(instrument: Instrument, own: Sequence[Row]) -> list[Panel]:
    good = [row for row in own if row["error"] is None]
    chosen = own[0]
    queues = {row[_QUEUE]: row["net_pnl"] for row in good if row[_LATENCY] == chosen[_LATENCY]}
    names = [name for name in _FROM_WORST if name in queues]
    latencies = {row[_LATENCY]: row["net_pnl"] for row in good if row[_QUEUE] == chosen[_QUEUE]}
    return [
        Panel(
            f"{instrument}: queue bracket",
            "",
            "profit, quote",
            [("profit", names, [queues[n] for n in names])],
            dotted=True,
        ),
        Panel(
            "Latency, each way",
            "",
            "profit, quote",
            [("profit", list(latencies), list(latencies.values()))],
            dotted=True,
        ),
    ]
