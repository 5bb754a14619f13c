"""``tickwax columns``: the data dictionary."""

from typing import Annotated

import typer

from dataflows.command_line.app import TOOLS, app
from dataflows.runtime.process_tuning import quick_imports


@app.command(
    "columns", rich_help_panel=TOOLS, epilog="Examples:\n\n    tickwax columns\n\n    tickwax columns ofi_l5_1s"
)
def columns_verb(
    name: Annotated[str | None, typer.Argument(help="A column; without, all of them.")] = None,
) -> None:
    """Tell what the columns of tape, features and books hold, with the settings in force."""
    with quick_imports():
        from dataflows.command_line.jobs.columns import list_columns, tell_column
    if name is None:
        list_columns()
    else:
        tell_column(name)
