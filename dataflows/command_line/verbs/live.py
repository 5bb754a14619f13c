"""``tickwax live``, ``record`` and ``features``: the exchanges, recorded, computed, watched."""

from typing import Annotated, Any

import typer

from dataflows.command_line.app import LIVE, app
from dataflows.command_line.verbs.processes import Processes, started
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of
from sources.errors import TickwaxError

Symbols = Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")]
Duration = Annotated[str | None, typer.Option(help="Stop after this long, such as 60s or 1h; else on Ctrl-C.")]
Tape = Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`; '' records nothing.")]
Features = Annotated[str | None, typer.Option(help="Folder for the features; as in `features.path`; '' writes none.")]
Sampling = Annotated[str | None, typer.Option(help="A duration such as `100ms`, or `update`.")]
Windows = Annotated[str | None, typer.Option(help="Rolling windows, such as `1s,5s`; as in `features.windows`.")]
Depths = Annotated[str | None, typer.Option(help="Numbers of levels, such as `1,5`; as in `features.depths`.")]
DFile = Annotated[
    str | None, typer.Option("--d-file", help="Orders found by `tickwax optimal-d`; as in `features.d_file`.")
]
Model = Annotated[str | None, typer.Option(help="Folder of a model that predicts; as in `predict.model`.")]
Predictions = Annotated[str | None, typer.Option(help="Folder for its predictions; as in `predict.path`.")]
Ui = Annotated[bool, typer.Option("--ui", help="Serve a page that shows the run in a browser; as in `ui.on`.")]
UiPort = Annotated[int | None, typer.Option(help="Its port, 0 for any free one; as in `ui.port`.")]
Screen = Annotated[
    bool, typer.Option("--screen/--no-screen", help="Show the run on the whole terminal, where there is one.")
]
Workers = Annotated[int, typer.Option("--workers", "-w", min=1, max=1024, help="Worker threads of each process.")]


@app.command(
    "live",
    rich_help_panel=LIVE,
    epilog="Example:\n\n    tickwax live --symbols binance_futures:BTCUSDT,bybit_linear:* --duration 1h",
)
def live_verb(
    symbols: Symbols = None,
    duration: Duration = None,
    tape: Tape = None,
    features: Features = None,
    sampling: Sampling = None,
    windows: Windows = None,
    depths: Depths = None,
    d_file: DFile = None,
    model: Model = None,
    predictions: Predictions = None,
    ui: Ui = False,
    ui_port: UiPort = None,
    screen: Screen = True,
    workers: Workers = 1,
    processes: Processes = 1,
) -> None:
    """Connect to the exchanges, **record** the tape, **compute** the features, until Ctrl-C or for a duration."""
    flags = _flags(
        symbols, duration, tape, features, sampling, windows, depths, d_file, model, predictions, ui or None, ui_port
    )
    with started(processes, flags) as supervisor:
        with quick_imports():
            from dataflows.command_line.jobs.live import live
        live(flags, workers, supervisor, screen)


@app.command(
    "record",
    rich_help_panel=LIVE,
    epilog="Example:\n\n    tickwax record --symbols 'binance_futures:*' --tape data/tape",
)
def record_verb(symbols: Symbols = None, duration: Duration = None, tape: Tape = None, workers: Workers = 1) -> None:
    """Record the tape and nothing else."""
    with quick_imports():
        from dataflows.command_line.jobs.live import record
    record(_flags(symbols, duration, tape), workers)


@app.command(
    "features",
    rich_help_panel=LIVE,
    epilog=(
        "Examples:\n\n    tickwax features --symbols bybit_linear:BTCUSDT,bybit_linear:ETHUSDT\n\n"
        "    tickwax features --attach --tape data/tape"
    ),
)
def features_verb(
    symbols: Symbols = None,
    duration: Duration = None,
    sampling: Sampling = None,
    windows: Windows = None,
    depths: Depths = None,
    d_file: DFile = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Open no connection: show what another process records to --tape.")
    ] = False,
    tape: Annotated[str | None, typer.Option(help="With --attach: folder of that tape; as in `tape.path`.")] = None,
    start: Annotated[
        str | None, typer.Option(help="With --attach: first `receive_ts`, UTC; else the last 5 minutes.")
    ] = None,
    screen: Screen = True,
) -> None:
    """Watch all instruments live, or one with its book and order flow; nothing is written. `q` or Ctrl-C ends it."""
    if attach:
        with quick_imports():
            from dataflows.command_line.jobs.attached import watch_recorder
        flags = _flags(symbols, duration, tape, None, sampling, windows, depths, d_file)
        watch_recorder(flags | settings_of({"--start": ("replay.start", start)}), screen)
        return
    if tape is not None or start is not None:
        raise TickwaxError("--tape, --start: of a recorder to show; they go with --attach")
    with quick_imports():
        from dataflows.command_line.jobs.live import watch
    watch(_flags(symbols, duration, None, None, sampling, windows, depths, d_file) | _NOTHING_WRITTEN, screen)


_NOTHING_WRITTEN = {"tape.path": "", "features.path": ""}


def _flags(
    symbols: str | None,
    duration: str | None,
    tape: str | None,
    features: str | None = None,
    sampling: str | None = None,
    windows: str | None = None,
    depths: str | None = None,
    d_file: str | None = None,
    model: str | None = None,
    predictions: str | None = None,
    ui: bool | None = None,
    ui_port: int | None = None,
) -> dict[str, Any]:
    return settings_of(
        {
            "--symbols": ("symbols", listed(symbols)),
            "--duration": ("duration", duration),
            "--tape": ("tape.path", tape),
            "--features": ("features.path", features),
            "--sampling": ("features.sampling", sampling),
            "--windows": ("features.windows", listed(windows)),
            "--depths": ("features.depths", listed(depths)),
            "--d-file": ("features.d_file", d_file),
            "--model": ("predict.model", model),
            "--predictions": ("predict.path", predictions),
            "--ui": ("ui.on", ui),
            "--ui-port": ("ui.port", ui_port),
        }
    )
