"""What a strategy would have earned on a recorded tape."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from dataflows.assembly.backtest import Backtest, prepare_backtest
from dataflows.assembly.grids import grids_of
from dataflows.assembly.schedules import read_schedules
from dataflows.assembly.sensitivity import ChosenSettings, Sensitivity, variants
from dataflows.assembly.tapes import open_tape
from dataflows.command_line.jobs.recovering import recovery_store
from dataflows.reports.backtest import funding_words, panels, read_results, table
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.placements import panels as placements_panels
from dataflows.reports.placements import read_worked
from dataflows.reports.placements import table as placements_table
from dataflows.reports.planted import planted_lines
from dataflows.reports.progress import RunsBar
from dataflows.reports.sensitivity import sensitivity_panels, sensitivity_table
from dataflows.reports.summary import data_set_table, replay_lines
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.engine_options import Recovery
from dataflows.runtime.forked import NOTHING
from dataflows.runtime.kernels import ready_features, ready_trading
from dataflows.settings.model import Settings, load_settings
from sinks.target import check_outside
from sources.instrument import Instrument

if TYPE_CHECKING:
    from dataflows.runtime.cluster.runs import ReplayedTogether
    from dataflows.runtime.cluster.supervisor import Supervisor

_WITHOUT = "the backtest is written, without what another queue or latency would give"

Rows = dict[Instrument, list[dict[str, Any]]]


def backtest(
    flags: dict[str, Any],
    workers: int,
    report: Path | None,
    latencies: Sequence[str] = (),
    supervisor: "Supervisor | None" = None,
    recovery: Recovery | None = None,
    snapshot_seconds: int = 10,
) -> None:
    """Run it to the end and tell of it.

    Args:
        flags: settings, by dotted key.
        report: a picture to draw.
        latencies: durations with which it is run as well.
        supervisor: of the processes that run it; None: this one does.
        recovery: from which it goes on; None: it does not.
        snapshot_seconds: between states that it may go on from.

    Raises:
        TickwaxError: as of `prepare_backtest`.
    """
    if report is not None:
        check_chart_path("--report", report)
        check_outside(report, "--report")
    settings = load_settings(flags)
    wanted = variants(flags, latencies) if report is not None or latencies else []
    run: Backtest | ReplayedTogether
    if supervisor is None:
        with recovery_store(recovery) as store:
            run, rows = _here(settings, wanted, workers, recovery, store, timedelta(seconds=snapshot_seconds))
        funding = funding_words(run.engines.values())
    else:
        run, rows = _together(settings, wanted, workers, supervisor)
        funding = "Funding is in it where the tape has it."
    for text in replay_lines(run):
        prose(text)
    show(data_set_table(run.sinks))
    results = read_results(run.sinks)
    show(table(results))
    prose(f"Profit is after fees; markouts are in basis points, ± standard errors. {funding}")
    worked = read_worked(run.sinks)
    if worked:
        show(placements_table(worked))
        prose("The shortfall of a parent order is what it paid beyond the mid at which it began, after fees.")
    for line in planted_lines(run.sinks["equity"].root):
        prose(line)
    if rows:
        prose("With another place in the queue, or another latency:")
        show(sensitivity_table(rows))
    if report is not None:
        draw(report, [*panels(results), *placements_panels(worked), *sensitivity_panels(rows)])
        prose(f"pictures in {report}")


def _here(
    settings: Settings,
    wanted: Sequence[ChosenSettings],
    workers: int,
    recovery: Recovery | None,
    store: RecoveryConfig | None,
    epoch: timedelta,
) -> tuple[Backtest, Rows]:
    run = prepare_backtest(settings, recovery=recovery)
    doubts = Sensitivity(wanted, run.readers, run.grids, run.schedules) if wanted else None
    try:
        run.stop_on_signals()
        ready_trading()
        if settings.predict.model is not None:  # features are computed ahead of trading, by a loop of their own
            ready_features()
        with run.progress:
            cli_main(run.flow, workers_per_process=workers, epoch_interval=epoch, recovery_config=store)
        rows: Rows = {}
        if doubts is not None:
            run.release_signals()
            rows = _doubted(doubts, workers, run.abort)
        run.commit()
        if doubts is not None:
            doubts.write(rows)
    finally:
        run.abort()
        run.release_signals()
    return run, rows


def _together(
    settings: Settings, wanted: Sequence[ChosenSettings], workers: int, supervisor: "Supervisor"
) -> tuple["ReplayedTogether", Rows]:
    from dataflows.runtime.cluster.runs import replay_together

    doubts = None
    if wanted:
        readers, orders = open_tape(settings, tell=lambda line: None)[1], settings.backtest.orders
        schedules = None if orders is None else read_schedules(orders, readers)
        doubts = Sensitivity(wanted, readers, grids_of(settings, readers, lambda line: None), schedules)
    run = replay_together(settings, supervisor, workers, backtest=True)
    rows: Rows = {}
    if doubts is not None:
        ready_trading()
        rows = _doubted(doubts, workers * supervisor.processes, left=_WITHOUT)
        doubts.write(rows)
    return run, rows


def _doubted(
    doubts: Sensitivity, processes: int, clean_up: Callable[[], None] = lambda: None, left: str = NOTHING
) -> Rows:
    bar = RunsBar("queue and latency", doubts.backtests.runs)

    def let_go() -> None:
        bar.stop()
        clean_up()

    try:
        return doubts.backtests.run(processes, bar, let_go, left)
    finally:
        bar.stop()
