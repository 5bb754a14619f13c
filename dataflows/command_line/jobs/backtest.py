"""What a strategy would have earned on a recorded tape."""

from pathlib import Path
from typing import Any

from bytewax.run import cli_main

from dataflows.assembly.backtest import prepare_backtest
from dataflows.reports.backtest import panels, read_results, table
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.summary import data_set_table, replay_lines
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.model import load_settings
from sinks.target import check_outside


def backtest(flags: dict[str, Any], workers: int, report: Path | None) -> None:
    """Run it to the end and tell of it; ``flags`` are settings, ``report`` a picture to draw.

    Raises:
        TickwaxError: as of `prepare_backtest`.
    """
    if report is not None:
        check_chart_path("--report", report)
        check_outside(report, "--report")
    run = prepare_backtest(load_settings(flags))
    try:
        run.stop_on_signals()
        ready_trading()
        with run.progress:
            cli_main(run.flow, workers_per_process=workers)
        run.commit()
    finally:
        run.abort()
        run.release_signals()
    for text in replay_lines(run):
        prose(text)
    show(data_set_table(run.sinks))
    results = read_results(run.sinks)
    show(table(results))
    prose("Profit is after fees; markouts are in basis points, ± standard errors. Funding is not modelled.")
    if report is not None:
        draw(report, panels(results))
        prose(f"pictures in {report}")
