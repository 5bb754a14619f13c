"""``tickwax reflect``: where a strategy lost money, and rules against it that prove themselves."""

from pathlib import Path
from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app, path_flag
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import settings_of

_EXAMPLES = """
Examples:

    tickwax reflect --backtest data/backtest --rules data/rules

    tickwax reflect --backtest data/monday --backtest data/tuesday --rules data/rules --html losses.html

    tickwax reflect --backtest data/backtest --analysis --parquet losses.parquet
"""


@app.command("reflect", epilog=_EXAMPLES, rich_help_panel=RECORDED)
def reflect_verb(
    backtest: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of a run; several if they do not overlap in time.", parser=path_flag, metavar="FOLDER"
        ),
    ] = None,
    rules: Annotated[str | None, typer.Option(help="Folder of the rules; as in `rules.store`.")] = None,
    features: Annotated[
        str | None, typer.Option(help="Features of the same rows, for a run without `episodes`; as in `features.path`.")
    ] = None,
    reflector: Annotated[str | None, typer.Option(help="`statistics` or `llm`; as in `rules.reflector`.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Picture of the losses: .html, .png or .svg.", parser=path_flag, metavar="FILE")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="File for the losses as Parquet.", parser=path_flag, metavar="FILE")
    ] = None,
    analysis: Annotated[bool, typer.Option("--analysis", help="Tell of losses alone; no rules.")] = False,
) -> None:
    """Where a strategy lost money, with confidence intervals; **rules** against it, adopted only if they would have
    helped on later episodes, which their proposer has not seen."""
    flags = settings_of(
        {
            "--rules": ("rules.store", rules),
            "--features": ("features.path", features),
            "--reflector": ("rules.reflector", reflector),
        }
    )
    with quick_imports():
        from dataflows.command_line.jobs.reflecting import reflect_on
    reflect_on(flags, backtest or [], html, parquet, analysis)
