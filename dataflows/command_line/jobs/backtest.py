"""What a strategy would have earned on a recorded tape."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bytewax.run import cli_main
from rich.progress import TimeRemainingColumn

from dataflows.assembly.backtest import Backtest, prepare_backtest
from dataflows.assembly.sensitivity import Sensitivity, variants
from dataflows.reports.backtest import funding_words, panels, read_results, table
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.progress import progress_bar
from dataflows.reports.sensitivity import sensitivity_panels, sensitivity_table
from dataflows.reports.summary import data_set_table, replay_lines
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import ready_trading
from dataflows.settings.model import load_settings
from sinks.target import check_outside
from sources.instrument import Instrument


def backtest(flags: dict[str, Any], workers: int, report: Path | None, latencies: Sequence[str] = ()) -> None:
    """Run it to the end and tell of it.

    Args:
        flags: settings, by dotted key.
        report: a picture to draw.
        latencies: durations with which it is run as well.

    Raises:
        TickwaxError: as of `prepare_backtest`.
    """
    if report is not None:
        check_chart_path("--report", report)
        check_outside(report, "--report")
    run = prepare_backtest(load_settings(flags))
    doubts = None
    if report is not None or latencies:
        doubts = Sensitivity(variants(flags, latencies), run.readers, run.grids, run.schedules)
    try:
        run.stop_on_signals()
        ready_trading()
        with run.progress:
            cli_main(run.flow, workers_per_process=workers)
        rows = {} if doubts is None else _doubted(doubts, workers, run)
        run.commit()
        if doubts is not None:
            doubts.write(rows)
    finally:
        run.abort()
        run.release_signals()
    for text in replay_lines(run):
        prose(text)
    show(data_set_table(run.sinks))
    results = read_results(run.sinks)
    show(table(results))
    prose(
        f"Profit is after fees; markouts are in basis points, ± standard errors. {funding_words(run.engines.values())}"
    )
    if rows:
        prose("With another place in the queue, or another latency:")
        show(sensitivity_table(rows))
    if report is not None:
        draw(report, [*panels(results), *sensitivity_panels(rows)])
        prose(f"pictures in {report}")


def _doubted(doubts: Sensitivity, processes: int, run: Backtest) -> dict[Instrument, list[dict[str, Any]]]:
    run.release_signals()
    run.release_signals = lambda: None
    bar = progress_bar("queue and latency", "{task.completed:,} of {task.total:,} runs", TimeRemainingColumn())
    task = bar.add_task("doubts", total=doubts.runs)

    def progress(done: int) -> None:
        if done == 1:  # its thread begins when the processes are there
            bar.start()
        bar.update(task, completed=done)

    def let_go() -> None:
        bar.stop()
        run.abort()

    try:
        return doubts.run(processes, progress, let_go)
    finally:
        bar.stop()
