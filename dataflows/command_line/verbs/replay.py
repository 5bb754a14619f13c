"""``tickwax replay``: features from a recorded tape."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.command_line.verbs.live import Ui, UiPort
from dataflows.command_line.verbs.processes import Processes, started
from dataflows.command_line.verbs.recovering import BackupInterval, RecoveryFolder, SnapshotInterval, check_alone
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of
from sources.errors import TickwaxError

_EXAMPLES = """
Examples:

    tickwax replay --tape data/tape --features data/features

    tickwax replay --symbols binance_futures:BTCUSDT --sampling update --start 2024-08-08T23:55:00Z

    tickwax replay --processes 4 --overwrite

    tickwax replay --recovery data/recovery

    tickwax replay --tape data/tape --features '' --ui --speed 10
"""


@app.command("replay", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def replay_verb(
    tape: Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.")] = None,
    features: Annotated[str | None, typer.Option(help="Folder for the features; as in `features.path`.")] = None,
    books: Annotated[str | None, typer.Option(help="Folder for the 20 best levels at every row.")] = None,
    model: Annotated[str | None, typer.Option(help="Folder of a model that predicts; as in `predict.model`.")] = None,
    predictions: Annotated[str | None, typer.Option(help="Folder for its predictions; as in `predict.path`.")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    sampling: Annotated[str | None, typer.Option(help="A duration such as `100ms`, or `update`.")] = None,
    windows: Annotated[
        str | None, typer.Option(help="Rolling windows, such as `1s,5s`; as in `features.windows`.")
    ] = None,
    depths: Annotated[
        str | None, typer.Option(help="Numbers of levels, such as `1,5`; as in `features.depths`.")
    ] = None,
    d_file: Annotated[
        str | None, typer.Option("--d-file", help="Orders found by `tickwax optimal-d`; as in `features.d_file`.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First `receive_ts`, UTC, such as 2024-08-08T23:55:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="The `receive_ts` to stop before.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what these instruments have there.")] = False,
    ui: Ui = False,
    ui_port: UiPort = None,
    speed: Annotated[
        float | None, typer.Option(help="With `--ui`: times as fast as the market was; as in `ui.speed`.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=1024, help="Worker threads of each process.")
    ] = 1,
    processes: Processes = 1,
    recovery: RecoveryFolder = None,
    snapshot_interval: SnapshotInterval = 10,
    backup_interval: BackupInterval = 0,
) -> None:
    """Run a **recorded tape** through the dataflow: books, every feature, Parquet. All settings of the configuration
    file and the environment hold; flags win."""
    flags = settings_of(
        {
            "--tape": ("tape.path", tape),
            "--features": ("features.path", features),
            "--sampling": ("features.sampling", sampling),
            "--windows": ("features.windows", listed(windows)),
            "--depths": ("features.depths", listed(depths)),
            "--d-file": ("features.d_file", d_file),
            "--overwrite": ("features.overwrite", overwrite or None),
            "--books": ("books.path", books),
            "--model": ("predict.model", model),
            "--predictions": ("predict.path", predictions),
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
            "--ui": ("ui.on", ui or None),
            "--ui-port": ("ui.port", ui_port),
            "--speed": ("ui.speed", speed),
        }
    )
    if speed is not None and not ui:
        raise TickwaxError(f"--speed: {speed:g} without --ui; a replay that nobody watches goes as fast as it can")
    check_alone(recovery, processes)
    with started(processes, flags) as supervisor:
        with quick_imports():
            from dataflows.command_line.jobs.replay import replay
        replay(flags, workers, supervisor, recovery, snapshot_interval, backup_interval)
