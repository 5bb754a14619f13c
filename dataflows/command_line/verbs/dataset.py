"""``tickwax dataset``: labels beside recorded features."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

_EXAMPLES = """
Examples:

    tickwax dataset --features data/features --tape data/tape --out data/dataset

    tickwax dataset --horizons 500ms,2s --barrier 10s --width 1.5 --columns mid,ofi_z_l5_1s,volatility

    tickwax dataset --prices executable --latency 10ms --overwrite
"""


@app.command("dataset", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def dataset_verb(
    features: Annotated[str | None, typer.Option(help="Folder of the features; as in `features.path`.")] = None,
    tape: Annotated[
        str | None, typer.Option(help="Folder of the tape that they were computed from; as in `tape.path`.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder for the data set; as in `dataset.path`.")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Feature columns beside the labels, separated by commas; all without.")
    ] = None,
    horizons: Annotated[str | None, typer.Option(help="How far returns look ahead, such as `1s,5s,30s`.")] = None,
    latency: Annotated[str | None, typer.Option(help="From a row to the price at which one is in; `0ms`.")] = None,
    barrier: Annotated[str | None, typer.Option(help="The vertical barrier; `30s`.")] = None,
    width: Annotated[
        float | None, typer.Option(help="Of the horizontal barriers, in standard deviations over the vertical one.")
    ] = None,
    prices: Annotated[
        str | None, typer.Option(help="What touches the barriers: `mid`, or `executable` prices.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what these instruments have there.")] = False,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, max=1024, help="Worker threads.")] = 1,
) -> None:
    """Labels beside recorded **features**: returns, triple barriers, weights of uniqueness and segments, for
    learning."""
    flags = settings_of(
        {
            "--features": ("features.path", features),
            "--tape": ("tape.path", tape),
            "--out": ("dataset.path", out),
            "--symbols": ("symbols", listed(symbols)),
            "--columns": ("dataset.columns", listed(columns)),
            "--horizons": ("horizons", listed(horizons)),
            "--latency": ("label.latency", latency),
            "--barrier": ("barrier.horizon", barrier),
            "--width": ("barrier.width", width),
            "--prices": ("barrier.prices", prices),
            "--overwrite": ("dataset.overwrite", overwrite or None),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.dataset import dataset
    dataset(flags, workers)
