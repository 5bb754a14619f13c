"""``tickwax live``, ``record`` and ``features``: the exchanges, recorded, computed, watched."""

from typing import Annotated, Any

import typer
from bytewax.run import cli_main
from rich.console import Console
from rich.live import Live as LiveDisplay

from dataflows.app import app
from dataflows.board import Board
from dataflows.cluster.runs import LiveTogether, Processes, live_together
from dataflows.live_flow import Live, prepare_live
from dataflows.settings import Settings, load_settings
from dataflows.settings_layers import as_environment
from dataflows.startup import say
from dataflows.summary import data_set_table, try_line
from dataflows.tapes import recorded
from operators.features import FeatureEngine
from sources.balance import BY_HASH
from sources.instrument import Instrument

Symbols = Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")]
Duration = Annotated[str | None, typer.Option(help="Stop after this long, such as 60s or 1h; else on Ctrl-C.")]
Tape = Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`; '' records nothing.")]
Features = Annotated[str | None, typer.Option(help="Folder for the features; as in `features.path`; '' writes none.")]
Sampling = Annotated[str | None, typer.Option(help="A duration such as `100ms`, or `update`.")]
Workers = Annotated[int, typer.Option("--workers", "-w", min=1, help="Worker threads of each process.")]


@app.command(
    "live", epilog="Example:\n\n    tickwax live --symbols binance_futures:BTCUSDT,bybit_linear:* --duration 1h"
)
def live_verb(
    symbols: Symbols = None,
    duration: Duration = None,
    tape: Tape = None,
    features: Features = None,
    sampling: Sampling = None,
    workers: Workers = 1,
    processes: Processes = 1,
) -> None:
    """Connect to the exchanges, **record** the tape, **compute** the features, until Ctrl-C or for a duration."""
    flags = _flags(symbols, duration, tape, features, sampling)
    settings = load_settings(flags)
    if processes == 1:
        _tell(settings, run_live(settings, workers))
    else:
        _tell(settings, live_together(settings, as_environment(flags), processes, workers))


@app.command("record", epilog="Example:\n\n    tickwax record --symbols 'binance_futures:*' --tape data/tape")
def record_verb(symbols: Symbols = None, duration: Duration = None, tape: Tape = None, workers: Workers = 1) -> None:
    """Record the tape and nothing else."""
    settings = load_settings(_flags(symbols, duration, tape, None, None))
    _tell(settings, run_live(settings, workers, with_features=False))


@app.command("features", epilog="Example:\n\n    tickwax features --symbols bybit_linear:BTCUSDT,bybit_linear:ETHUSDT")
def features_verb(symbols: Symbols = None, duration: Duration = None, sampling: Sampling = None) -> None:
    """Watch the features live in a table; nothing is written. Ctrl-C ends it."""
    settings = load_settings(_flags(symbols, duration, "", "", sampling))
    engines: dict[Instrument, FeatureEngine] = {}
    board = Board(settings.feature_config(), engines)
    console = Console()
    with LiveDisplay(get_renderable=board.table, console=console, refresh_per_second=4):
        run_live(settings, watcher=board, engines=engines)


def run_live(settings: Settings, workers: int = 1, **choices: Any) -> Live:
    """Run until a signal or the duration's end; ``choices`` as in `prepare_live`."""
    placement = recorded(settings.tape.path, settings.live_symbols()) if workers > 1 else BY_HASH
    live = prepare_live(settings, placement=placement, **choices)
    live.ready()
    undo = live.stop_on_signals()
    try:
        cli_main(live.flow, workers_per_process=workers)
    finally:
        undo()
        live.release()
    return live


def _flags(
    symbols: str | None, duration: str | None, tape: str | None, features: str | None, sampling: str | None
) -> dict[str, Any]:
    return {
        "symbols": None if symbols is None else [s.strip() for s in symbols.split(",")],
        "duration": duration,
        "tape.path": tape,
        "features.path": features,
        "features.sampling": sampling,
    }


def _tell(settings: Settings, live: Live | LiveTogether) -> None:
    console = Console()
    console.print(data_set_table(live.sinks))
    if "features" in live.sinks:
        console.print(try_line(settings.features.path), soft_wrap=True, highlight=False, markup=False)
    if live.left:
        say(live.left)
    if live.failure:
        say(live.failure)
        raise typer.Exit(1)
