"""``tickwax optimal-d``: the smallest fractional order that makes each series stationary."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

_EXAMPLES = """
Examples:

    tickwax optimal-d --tape data/tape --out data/optimal_d.parquet

    tickwax optimal-d --symbols binance_futures:BTCUSDT --sampling 1s --plot orders.html

    tickwax optimal-d --train-until 2024-08-08T23:57:00Z -w 2

Then, so that features use them: tickwax replay --d-file data/optimal_d.parquet
"""


@app.command("optimal-d", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def optimal_d_verb(
    tape: Annotated[str | None, typer.Option(help="Folder of the tape; as in `tape.path`.")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    sampling: Annotated[
        str | None, typer.Option(help="A duration such as `1s`, or `update`; as the features are, if not given.")
    ] = None,
    price: Annotated[str | None, typer.Option(help="What the price is: `mid`, or the last `trade`.")] = None,
    pvalue: Annotated[float | None, typer.Option(help="A series is stationary below this p-value; 0.05.")] = None,
    start: Annotated[str | None, typer.Option(help="First `receive_ts`, UTC, such as 2024-08-08T23:55:00Z.")] = None,
    train_until: Annotated[
        str | None, typer.Option(help="The `receive_ts` to stop before, so that no later row has a say.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Parquet file to write; as in `optimal_d.path`.")] = None,
    plot: Annotated[str | None, typer.Option(help="Picture to draw: a file .html, .png or .svg.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, max=1024, help="Worker threads.")] = 1,
) -> None:
    """Choose the **fractional order d** of each instrument's log price and volume: the smallest whose fractional
    difference an augmented Dickey–Fuller test calls stationary, so that as much memory stays as can."""
    flags = settings_of(
        {
            "--tape": ("tape.path", tape),
            "--symbols": ("symbols", listed(symbols)),
            "--sampling": ("optimal_d.sampling", sampling),
            "--price": ("optimal_d.price", price),
            "--pvalue": ("optimal_d.pvalue", pvalue),
            "--start": ("optimal_d.start", start),
            "--train-until": ("optimal_d.train_until", train_until),
            "--out": ("optimal_d.path", out),
            "--plot": ("optimal_d.plot", plot),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.optimal_d import optimal_d
    optimal_d(flags, workers)
