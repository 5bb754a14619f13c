"""``tickwax backtest``: what a strategy would have earned on a recorded tape."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, App, Config, app, path_flag
from dataflows.command_line.verbs.processes import Processes, started
from dataflows.command_line.verbs.recovering import BackupInterval, RecoveryFolder, SnapshotInterval, check_alone
from dataflows.command_line.verbs.strategies import DecisionTimes, Model, Parameters, Queue, StrategyName, parameters
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of
from sources.errors import TickwaxError

_EXAMPLES = """
Examples:

    tickwax backtest --tape data/tape --strategy momentum --param size=0.01 --out data/backtest

    tickwax backtest --strategy glft --param size=0.001 --symbols binance_futures:BTCUSDT --latency 5ms

    tickwax backtest --orders schedule.parquet --out data/schedule

    tickwax backtest --strategy momentum --param column=forecast_q50_5s --param enter=2e-4 --model data/ridge

    tickwax backtest --strategy my_module:MyStrategy

    tickwax backtest --strategy glft --recovery data/recovery

    tickwax backtest --sweep grid.toml --processes 2 --out data/sweep
"""

backtest_app = App()
app.add_typer(backtest_app, name="backtest", rich_help_panel=RECORDED)


@backtest_app.callback(invoke_without_command=True, epilog=_EXAMPLES)
def backtest_verb(
    context: typer.Context,
    strategy: StrategyName = None,
    param: Parameters = None,
    orders: Annotated[
        str | None, typer.Option(help="Parquet file with a schedule of orders, in place of a strategy.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder for orders, fills and equity; as in `backtest.path`.")] = None,
    tape: Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    start: Annotated[str | None, typer.Option(help="First `receive_ts`, UTC, such as 2024-08-08T23:55:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="The `receive_ts` to stop before.")] = None,
    sampling: DecisionTimes = None,
    latency: Annotated[
        str | None,
        typer.Option(
            help="From decision to exchange, and from there to the report; `10ms`. Of several, `10ms,1ms,50ms`, "
            "the first decides and a table compares them."
        ),
    ] = None,
    queue: Queue = None,
    grids: Annotated[
        str | None, typer.Option(help="TOML file with ticks and lots; as in `execution.grid_file`.")
    ] = None,
    model: Model = None,
    in_sample: Annotated[
        bool, typer.Option("--in-sample", help="Trade on rows that the model was trained on, too.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Pictures of the run: .html, .png or .svg.", parser=path_flag, metavar="FILE"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what these instruments have there.")] = False,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, max=1024, help="Worker threads.")] = 1,
    sweep: Annotated[
        Path | None,
        typer.Option(help="TOML with lists of values: a run for each combination.", parser=path_flag, metavar="FILE"),
    ] = None,
    processes: Processes = 1,
    recovery: RecoveryFolder = None,
    snapshot_interval: SnapshotInterval = 10,
    backup_interval: BackupInterval = 0,
    config: Config = None,
) -> None:
    """What a **strategy**, or a schedule of orders, would have earned on a recorded tape: after fees, latency and the
    queue. No order is sent anywhere."""
    if context.invoked_subcommand is not None:
        return
    latencies = listed(latency) or []
    flags = settings_of(
        {
            "--strategy": ("strategy.name", strategy),
            "--orders": ("backtest.orders", orders),
            "--out": ("backtest.path", out),
            "--tape": ("tape.path", tape),
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
            "--sampling": ("features.sampling", sampling),
            "--latency": ("execution.latency_entry", latencies[0] if latencies else None),
            "--queue": ("execution.queue", queue),
            "--grids": ("execution.grid_file", grids),
            "--model": ("predict.model", model),
            "--in-sample": ("predict.in_sample", in_sample or None),
            "--overwrite": ("backtest.overwrite", overwrite or None),
        }
    )
    if latencies:
        flags["execution.latency_response"] = latencies[0]
    flags |= parameters(param)
    if sweep is not None:
        single = (
            ("--report", report is not None),
            ("--workers", workers > 1),
            ("several of --latency", latencies[1:]),
            ("--recovery", recovery),
        )
        if other := next((name for name, given in single if given), None):
            raise TickwaxError(f"{other}: not with --sweep")
        with quick_imports():
            from dataflows.command_line.jobs.sweep import sweep as run_sweep
        run_sweep(flags, sweep, processes)
        return
    check_alone(recovery, processes)
    with started(processes, flags) as supervisor:
        with quick_imports():
            from dataflows.command_line.jobs.backtest import backtest
            from dataflows.command_line.jobs.recovering import recovery_in
        resumed = recovery_in(recovery, backup_interval)
        backtest(flags, workers, report, latencies[1:], supervisor, resumed, snapshot_interval)
