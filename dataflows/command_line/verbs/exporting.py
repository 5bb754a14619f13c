"""``tickwax export``: a tape as other programs want it."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, App, app
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

export_app = App(
    no_args_is_help=True,
    help="Write a recorded tape for other programs: bars, CSV, hftbacktest.",
    epilog="Example:\n\n    tickwax export bars --kind time --size 1m --out data/bars",
)
app.add_typer(export_app, name="export", rich_help_panel=RECORDED)

Tape = Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.", metavar="DIR")]
Symbols = Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")]
Start = Annotated[str | None, typer.Option(help="First `receive_ts`, UTC, such as 2024-08-08T23:55:00Z.")]
End = Annotated[str | None, typer.Option(help="The `receive_ts` to stop before.")]
Overwrite = Annotated[bool, typer.Option(help="Replace what these instruments have there.")]
Compression = Annotated[str | None, typer.Option(help="Codec of Parquet; as in `tape.compression`.", metavar="CODEC")]

_BARS = """
Examples:

    tickwax export bars --kind time --size 1m --out data/bars

    tickwax export bars --kind dollar --size 1e6 --symbols binance_futures:BTCUSDT --out data/dollar-bars

    tickwax export bars --kind tick-imbalance --size 1000 --out data/imbalance-bars
"""


@export_app.command("bars", epilog=_BARS)
def bars_verb(
    size: Annotated[
        str,
        typer.Option(
            help="A duration such as `1m` of time bars; else trades, base currency or quote currency a bar; of "
            "imbalance bars the trades of the first one."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the bars, a Parquet data set as the features are.")],
    kind: Annotated[
        str,
        typer.Option(
            help="`time`, `tick`, `volume`, `dollar`, `tick-imbalance`, `volume-imbalance` or `dollar-imbalance`."
        ),
    ] = "time",
    depths: Annotated[str, typer.Option(help="Numbers of levels whose order flow is summed.")] = "1",
    span: Annotated[int, typer.Option(help="Bars over which imbalance bars average what they expect.")] = 20,
    tape: Tape = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
    compression: Compression = None,
) -> None:
    """Bars of trades (open, high, low, close, volume, vwap, volume of buying aggressors) with the order flow of their
    span: López de Prado 2018, chapter 2."""
    flags = settings_of(
        {
            "--tape": ("tape.path", tape),
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
            "--overwrite": ("features.overwrite", overwrite or None),
            "--compression": ("tape.compression", compression),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.exporting import export_bars
    export_bars(flags, kind, size, listed(depths) or [], span, out)
