"""``tickwax plot``: recorded columns as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app, path_flag
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import settings_of

_EXAMPLES = """
Examples:

    tickwax plot data/features --symbol binance_futures:BTCUSDT --out btc.html

    tickwax plot data/features --columns mid,ofi_z_l0_5s+ofi_z_l10_5s,fdi --out flow.png

    tickwax plot data/features --backtest data/backtest --start 2024-08-08T23:55:00Z --out fills.html

    tickwax plot data/backtest --out run.svg
"""


@app.command("plot", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def plot_verb(
    out: Annotated[
        Path, typer.Option(help="Picture to draw: a file .html, .png or .svg.", parser=path_flag, metavar="FILE")
    ],
    features: Annotated[
        str | None,
        typer.Argument(help="Folder of features, of other rows, or of a backtest; without, `features.path`."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="`venue:SYMBOL`; not needed where there is only one.", metavar="SYMBOL")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="A panel each, separated by commas; `+` joins several in one panel. Without: those that tell most.",
            metavar="NAMES",
        ),
    ] = None,
    start: Annotated[str | None, typer.Option(help="First `ts`, UTC, such as 2024-08-08T23:55:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="The `ts` to stop before.")] = None,
    backtest: Annotated[
        str | None, typer.Option(help="Folder of a backtest: its fills, equity and position, too.", metavar="RUN")
    ] = None,
) -> None:
    """Draw recorded columns over time, with **regimes** as bands and the fills of a backtest. No line leads across a
    reset or a hole, and no extreme is lost, however many rows there are. Needs tickwax[plot]."""
    flags = settings_of(
        {
            "FEATURES": ("features.path", features),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.plotting import plot
    plot(flags, symbol, columns, backtest, out)
