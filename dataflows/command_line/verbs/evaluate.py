"""``tickwax evaluate``: what a model is worth beside simple ones."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.runtime.process_tuning import quick_imports

_EXAMPLES = """
Examples:

    tickwax evaluate data/model --dataset data/dataset

    tickwax evaluate data/gbm --dataset data/dataset --html report.html --parquet report.parquet
"""


@app.command("evaluate", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def evaluate_verb(
    model: Annotated[Path, typer.Argument(help="Folder of the model.")],
    dataset: Annotated[Path, typer.Option(help="Folder of the data set.")] = Path("data/dataset"),
    html: Annotated[Path | None, typer.Option(help="A page with tables and pictures.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="The figures as a file.")] = None,
    blocks: Annotated[int | None, typer.Option(help="Blocks of the splits; without, those of its training.")] = None,
    test_blocks: Annotated[int | None, typer.Option(help="Blocks that are tested at a time; likewise.")] = None,
) -> None:
    """The **worth of a model**, beside simple ones, on rows that training has not seen; needs `tickwax[learn]`."""
    with quick_imports():
        from dataflows.command_line.jobs.evaluate import evaluate
    evaluate(model, dataset, html, parquet, blocks, test_blocks)
