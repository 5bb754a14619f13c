"""``tickwax models``: trained models on the disk."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import TOOLS, App, app, path_flag
from dataflows.runtime.process_tuning import quick_imports

models_app = App(
    no_args_is_help=True,
    help="Models on the disk: what they are, and what they were worth.",
    epilog="Example:\n\n    tickwax models list data",
)
app.add_typer(models_app, name="models", rich_help_panel=TOOLS)

Folder = Annotated[Path, typer.Argument(help="Folder of a model.", parser=path_flag, metavar="MODEL")]


@models_app.command("list", epilog="Example:\n\n    tickwax models list data", has_settings=False)
def list_verb(
    folder: Annotated[
        Path, typer.Argument(help="Folder whose folders are looked through.", parser=path_flag, metavar="FOLDER")
    ] = Path("data"),
) -> None:
    """Every model in a **folder**; a damaged one with what is wrong with it."""
    with quick_imports():
        from dataflows.command_line.jobs.models import list_models
    list_models(folder)


@models_app.command("show", epilog="Example:\n\n    tickwax models show data/model", has_settings=False)
def show_verb(model: Folder) -> None:
    """What a **model** was made of: columns, settings, times, parameters, versions."""
    with quick_imports():
        from dataflows.command_line.jobs.models import show_model
    show_model(model)


@models_app.command("compare", epilog="Example:\n\n    tickwax models compare data/ridge data/gbm", has_settings=False)
def compare_verb(
    models: Annotated[list[Path], typer.Argument(help="Folders of models.", parser=path_flag, metavar="MODELS...")],
) -> None:
    """**Models** side by side: what their reports say, and what they differ in."""
    with quick_imports():
        from dataflows.command_line.jobs.models import compare_models
    compare_models(models)
