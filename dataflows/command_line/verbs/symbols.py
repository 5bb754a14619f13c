"""``tickwax symbols``: what trades at the live venues now."""

from typing import Annotated

import typer

from dataflows.command_line.app import LIVE, app
from dataflows.runtime.process_tuning import quick_imports
from sources.venues.names import EXPERIMENTAL, LIVE_VENUES

_VENUES = f"One of {', '.join(LIVE_VENUES)}; all but experimental ones ({', '.join(EXPERIMENTAL)}) without."


@app.command(
    "symbols",
    rich_help_panel=LIVE,
    epilog="Examples:\n\n    tickwax symbols\n\n    tickwax symbols bybit_linear --match BTC",
)
def symbols_verb(
    venue: Annotated[str | None, typer.Argument(help=_VENUES)] = None,
    match: Annotated[str, typer.Option(help="Only symbols that contain this.")] = "",
) -> None:
    """List the perpetuals that trade now, with their tick sizes."""
    with quick_imports():
        from dataflows.command_line.jobs.symbols import list_symbols
    list_symbols(venue, match)
