"""``tickwax replay``: features from a recorded tape."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.command_line.verbs.processes import Processes, started
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of
from sources.errors import TickwaxError

_EXAMPLES = """
Examples:

    tickwax replay --tape data/tape --features data/features

    tickwax replay --symbols binance_futures:BTCUSDT --sampling update --start 2024-08-08T23:55:00Z

    tickwax replay --processes 4 --overwrite

    tickwax replay --recovery data/recovery
"""


@app.command("replay", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def replay_verb(
    tape: Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.")] = None,
    features: Annotated[str | None, typer.Option(help="Folder for the features; as in `features.path`.")] = None,
    books: Annotated[str | None, typer.Option(help="Folder for the 20 best levels at every row.")] = None,
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
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=1024, help="Worker threads of each process.")
    ] = 1,
    processes: Processes = 1,
    recovery: Annotated[
        str | None,
        typer.Option(
            "--recovery",
            "-r",
            help="Folder, made if need be, from which the same command goes on where it was killed. Of one process.",
        ),
    ] = None,
    snapshot_interval: Annotated[
        int,
        typer.Option(
            "--snapshot-interval", "-s", min=0, max=31_536_000, help="Seconds of work that a kill costs at the most."
        ),
    ] = 10,
    backup_interval: Annotated[
        int,
        typer.Option(
            "--backup-interval",
            "-b",
            min=0,
            max=31_536_000,
            help="Seconds for which older states are kept, for copies of the folder.",
        ),
    ] = 0,
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
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
        }
    )
    if recovery and processes > 1:
        raise TickwaxError(
            f"--recovery: not with --processes {processes}; use --workers, or start each with bytewax.run, -i and -a"
        )
    with started(processes, flags) as supervisor:
        with quick_imports():
            from dataflows.command_line.jobs.replay import replay
        replay(flags, workers, supervisor, recovery, snapshot_interval, backup_interval)
