"""``tickwax train``: a model from a data set of labels, or an agent or a model of placement from tapes."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app, path_flag
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

_EXAMPLES = """
Examples:

    tickwax train ridge --dataset data/dataset --out data/ridge

    tickwax train gbm --validate walk-forward --out data/gbm

    tickwax train qrdqn --tape data/tape --columns ofi_l5_1s,trade_imbalance_1s --out data/agent --report agent.html

    tickwax train gbm --columns ofi_z_l5_1s,volatility --validate cpcv --overwrite

    tickwax train placement data/tape --out data/placement
"""


@app.command("train", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def train_verb(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Kind of model: `ridge`, `gbm`, `tft`, `placement`, or the agent `qrdqn`; as in `train.model`."
        ),
    ] = None,
    tapes: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tapes that a model of `placement` is estimated from; as in `placement.tapes`.", metavar="[TAPE]..."
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Folder of the data set; as in `dataset.path`.")] = None,
    tape: Annotated[str | None, typer.Option(help="Folder of the tape that an agent learns from.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder for the model; as in `train.path`.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Inputs, separated by commas; all numbers but prices without.")
    ] = None,
    validate: Annotated[str | None, typer.Option(help="How it is judged: `holdout`, `walk-forward` or `cpcv`.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of whatever is drawn.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Draw an agent's paths and its learning into this file: .html, .png or .svg.", parser=path_flag
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a model that is there.")] = False,
) -> None:
    """A **model** from a data set of labels, or an **agent** from a tape, judged on what it has not seen; needs
    `tickwax[learn]`. A model of `placement` comes from tapes, and needs nothing more."""
    flags = settings_of(
        {
            "MODEL": ("train.model", model),
            "TAPE": ("placement.tapes", tapes or None),
            "--dataset": ("dataset.path", dataset),
            "--tape": ("tape.path", tape),
            "--out": ("train.path", out),
            "--columns": ("train.columns", listed(columns)),
            "--validate": ("train.validate_by", validate),
            "--seed": ("train.seed", seed),
            "--overwrite": ("train.overwrite", overwrite or None),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.train import train
    train(flags, report)
