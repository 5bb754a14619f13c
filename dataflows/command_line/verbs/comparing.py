"""``tickwax backtest compare``: backtests side by side."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import path_flag
from dataflows.command_line.verbs.backtest import backtest_app
from dataflows.runtime.process_tuning import quick_imports

_EXAMPLES = """
Examples:

    tickwax backtest compare data/slow data/fast

    tickwax backtest compare data/slow data/fast --html compared.html --parquet compared.parquet
"""


@backtest_app.command("compare", epilog=_EXAMPLES, has_settings=False)
def compare_verb(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of backtests; the others are held against the first.", parser=path_flag, metavar="RUNS..."
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(help="Page of the equity curves, which needs no other.", parser=path_flag, metavar="FILE"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="A JSON object an instrument and run, a line each.")] = False,
    parquet: Annotated[
        Path | None, typer.Option(help="File for the same rows as Parquet.", parser=path_flag, metavar="FILE")
    ] = None,
    any_tape: Annotated[
        bool, typer.Option("--any-tape", help="Also runs of different tapes or ranges, on what all of them have.")
    ] = False,
) -> None:
    """Hold backtests against each other: profit and its **difference** with a standard error, Sharpe ratios, markouts,
    and which settings differ."""
    with quick_imports():
        from dataflows.command_line.jobs.comparing import compare
    compare(runs, html, json, parquet, any_tape)
