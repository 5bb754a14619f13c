"""``tickwax export``: a tape as other programs want it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from dataflows.command_line.app import RECORDED, App, app
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

export_app = App(
    no_args_is_help=True,
    help="Write a recorded tape for other programs: bars, CSV, hftbacktest.",
    epilog="Examples:\n\n    tickwax export bars --kind time --size 1m --out data/bars\n\n"
    "    tickwax export csv --out data/csv\n\n    tickwax export hftbacktest --out data/hft",
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
    flags = _flags(tape, symbols, start, end, overwrite, {"--compression": ("tape.compression", compression)})
    with quick_imports():
        from dataflows.command_line.jobs.exporting import export_bars
    export_bars(flags, kind, size, listed(depths) or [], span, out)


_HFTBACKTEST = """
Examples:

    tickwax export hftbacktest --out data/hft

    tickwax export hftbacktest --symbols binance_futures:BTCUSDT --start 2024-08-08 --end 2024-08-09 --out data/hft

In Python:

    hftbacktest.BacktestAsset().data("data/hft/binance_futures-BTCUSDT.npz")
"""


@export_app.command("hftbacktest", epilog=_HFTBACKTEST)
def hftbacktest_verb(
    out: Annotated[str, typer.Option(help="Folder for the files, `VENUE-SYMBOL.npz` each.")],
    compress: Annotated[
        bool,
        typer.Option(help="Compressed, as hftbacktest's own converters write it; else seven times as large."),
    ] = True,
    waiting: Annotated[
        str,
        typer.Option(
            help="When diffs that came before their snapshot are known locally: at their own `arrival`, as "
            "hftbacktest's converter has it, or with the `snapshot`, so that the local book is right behind it.",
            metavar="WHEN",
        ),
    ] = "arrival",
    tape: Tape = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
) -> None:
    """Events for hftbacktest: the array `data` of its own type, in both orders of time, event for event what its
    converter makes of a Binance USD-M capture. A range begins with a snapshot of its book."""
    flags = _flags(tape, symbols, start, end, overwrite)
    with quick_imports():
        from dataflows.command_line.jobs.exporting import export_hftbacktest
    export_hftbacktest(flags, out, compress, waiting)


_CSV = """
Examples:

    tickwax export csv --out data/csv

    tickwax export csv --symbols bybit_linear:BTCUSDT --start 2024-08-08 --end 2024-08-09 --out data/csv

And back again:

    tickwax import tardis data/csv/* --tape data/tape2
"""


@export_app.command("csv", epilog=_CSV)
def csv_verb(
    out: Annotated[
        str,
        typer.Option(help="Folder for the files, named as Tardis does: `EXCHANGE_KIND_DATE_SYMBOL.csv.gz`."),
    ],
    tape: Tape = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    overwrite: Overwrite = False,
) -> None:
    """CSV in the two formats of Tardis.dev, `incremental_book_L2` and `trades`: a file a day, kind and instrument,
    packed with gzip, times in microseconds. A range begins with a snapshot of its book."""
    flags = _flags(tape, symbols, start, end, overwrite)
    with quick_imports():
        from dataflows.command_line.jobs.exporting import export_csv
    export_csv(flags, out)


def _flags(
    tape: str | None,
    symbols: str | None,
    start: str | None,
    end: str | None,
    overwrite: bool,
    others: Mapping[str, tuple[str, Any]] | None = None,
) -> dict[str, Any]:
    """The settings that every export has."""
    return settings_of(
        {
            "--tape": ("tape.path", tape),
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
            "--overwrite": ("features.overwrite", overwrite or None),
            **(others or {}),
        }
    )
