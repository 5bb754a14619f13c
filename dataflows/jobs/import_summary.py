"""What an import tells at its end."""

import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from dataflows.importing import ImportResult

_WIDTH = 150  # of output that goes to no terminal


def print_summary(result: ImportResult) -> None:
    """A table with a row per instrument, then what was ignored, what was bad, and what was there already."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH)
    stats = result.stats
    if stats.instruments:
        table = Table(box=None, pad_edge=False)
        table.add_column("instrument")
        for name in ("frames", "rows", "trades", "snapshots", "gaps", "resets", "bad", "dropped"):
            table.add_column(name, justify="right")
        table.add_column("first received")
        table.add_column("last received")
        for instrument, of in stats.instruments.items():
            counts = (of.frames, of.rows, of.trades, of.snapshots, of.gaps, of.resets, of.bad, of.dropped)
            times = (_time(of.first_receive_ts), _time(of.last_receive_ts))
            table.add_row(str(instrument), *(f"{count:,}" for count in counts), *times)
        console.print(table)
    if stats.ignored:
        console.print("ignored: " + ", ".join(f"{name} {n:,}" for name, n in stats.ignored.most_common()), markup=False)
    if stats.bad:
        console.print(f"bad: {stats.bad:,}, the first:", markup=False)
        for excerpt in stats.excerpts:
            console.print(f"  {excerpt}", markup=False)
    for path in result.skipped:
        console.print(f"already imported: {path}", markup=False)


def _time(ns: int | None) -> str:
    if ns is None:
        return ""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
