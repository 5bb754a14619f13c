"""``tickwax replay``: features from a recorded tape."""

from typing import Annotated

import typer
from bytewax.run import cli_main
from rich.console import Console

from dataflows.app import app
from dataflows.cluster.runs import Processes, replay_together
from dataflows.flows import Replay, prepare_replay
from dataflows.kernels import ready_features
from dataflows.settings import Settings, load_settings
from dataflows.settings_layers import as_environment
from dataflows.summary import Replayed, data_set_table, replay_lines, try_line

_EXAMPLES = """
Examples:

    tickwax replay --tape data/tape --features data/features

    tickwax replay --symbols binance_futures:BTCUSDT --sampling update --start 2024-08-08T23:55:00Z

    tickwax replay --processes 4 --overwrite
"""


@app.command("replay", epilog=_EXAMPLES)
def replay_verb(
    tape: Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.")] = None,
    features: Annotated[str | None, typer.Option(help="Folder for the features; as in `features.path`.")] = None,
    books: Annotated[str | None, typer.Option(help="Folder for the 20 best levels at every row.")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    sampling: Annotated[str | None, typer.Option(help="A duration such as `100ms`, or `update`.")] = None,
    start: Annotated[str | None, typer.Option(help="First `receive_ts`, UTC, such as 2024-08-08T23:55:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="The `receive_ts` to stop before.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what these instruments have there.")] = False,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Worker threads of each process.")] = 1,
    processes: Processes = 1,
) -> None:
    """Run a **recorded tape** through the dataflow: books, every feature, Parquet. All settings of the configuration
    file and the environment hold; flags win."""
    flags = {
        "tape.path": tape,
        "features.path": features,
        "features.sampling": sampling,
        "features.overwrite": overwrite or None,
        "books.path": books,
        "symbols": None if symbols is None else [s.strip() for s in symbols.split(",")],
        "replay.start": start,
        "replay.end": end,
    }
    settings = load_settings(flags)
    if processes == 1:
        report(settings, run_replay(settings, workers))
    else:
        report(settings, replay_together(settings, as_environment(flags), processes, workers))


def run_replay(settings: Settings, workers: int = 1) -> Replay:
    """Replay to the end with a progress bar; an interruption leaves nothing."""
    replay = prepare_replay(settings)
    try:
        replay.stop_on_signals()
        ready_features()
        with replay.progress:
            cli_main(replay.flow, workers_per_process=workers)
        replay.commit()
    finally:
        replay.abort()
        replay.release_signals()
    return replay


def report(settings: Settings, replay: Replayed) -> None:
    """Say what was read and what was written."""
    console = Console()
    for line in replay_lines(replay):
        console.print(line, soft_wrap=True)
    if replay.sinks:
        console.print(data_set_table(replay.sinks))
        console.print(try_line(settings.features.path), soft_wrap=True, highlight=False, markup=False)
