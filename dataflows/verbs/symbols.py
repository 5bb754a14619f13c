"""``tickwax symbols``: what trades at the live venues now."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dataflows.app import app
from dataflows.live_flow import live_config
from dataflows.settings import LIVE_VENUES, load_settings
from sources.errors import TickwaxError
from sources.live.config import LiveConfig
from sources.live.listing import list_venue
from sources.live.rest import RestError
from sources.live.universe import Listing


@app.command("symbols", epilog="Examples:\n\n    tickwax symbols\n\n    tickwax symbols bybit_linear --match BTC")
def symbols_verb(
    venue: Annotated[str | None, typer.Argument(help=f"One of {', '.join(LIVE_VENUES)}; all without.")] = None,
    match: Annotated[str, typer.Option(help="Only symbols that contain this.")] = "",
) -> None:
    """List the perpetuals that trade now, with their tick sizes."""
    if venue is not None and venue not in LIVE_VENUES:
        raise TickwaxError(f"venue {venue!r}: expected one of {', '.join(LIVE_VENUES)}")
    config = live_config(load_settings())
    table = Table(box=None, pad_edge=False)
    table.add_column("instrument", no_wrap=True)
    table.add_column("tick size", justify="right")
    for name in [venue] if venue else LIVE_VENUES:
        for listing in sorted(asyncio.run(_listed(name, config))):
            if match.upper() in listing.instrument.symbol.upper():
                table.add_row(str(listing.instrument), listing.tick_size)
    Console().print(table)


async def _listed(venue: str, config: LiveConfig) -> list[Listing]:
    try:
        return await list_venue(venue, config)
    except RestError as e:
        raise TickwaxError(f"venues.{venue}.rest: {e}") from e
