"""The perpetuals that trade at the live venues now."""

import asyncio

from dataflows.assembly.live_config import live_config
from dataflows.reports.text_table import TextTable, show
from dataflows.runtime.exit_codes import must_be_shown
from dataflows.runtime.metrics import LiveTelemetry
from dataflows.settings.model import load_settings
from sources.errors import TickwaxError
from sources.live.config import LiveConfig
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.instruments import Listing
from sources.live.rest import RestError
from sources.live.row_buffer import RowBuffer
from sources.live.telemetry import Telemetry
from sources.tape.builder import TapeTail
from sources.venues.names import EXPERIMENTAL, LIVE_VENUES


def list_symbols(venue: str | None, match: str) -> None:
    """Print those whose name contains ``match``: of one venue, or of all but the experimental ones.

    Raises:
        TickwaxError: the venue is unknown, or does not answer as it should.
    """
    if venue is not None and venue not in LIVE_VENUES:
        raise TickwaxError(f"venue {venue!r}: expected one of {', '.join(LIVE_VENUES)}")
    config = live_config(load_settings())
    table = TextTable(("instrument", "tick size"))
    for name in [venue] if venue else [name for name in LIVE_VENUES if name not in EXPERIMENTAL]:
        for listing in sorted(asyncio.run(_listed(name, config))):
            if match.upper() in listing.instrument.symbol.upper():
                table.add(str(listing.instrument), listing.tick_size)
    show(table)
    must_be_shown()


async def _listed(venue: str, config: LiveConfig) -> list[Listing]:
    try:
        return await list_venue(venue, config, LiveTelemetry())
    except RestError as e:
        raise TickwaxError(f"venues.{venue}.rest: {e}") from e


async def list_venue(venue: str, config: LiveConfig, telemetry: Telemetry) -> list[Listing]:
    """The perpetuals that trade at a venue now; ``telemetry`` is told of what the list says that is not known.

    Raises:
        RestError: the venue does not answer, or not as it should.
    """
    context = Context(config, telemetry, lambda: 0, RowBuffer(1), lambda _: TapeTail(), lambda _: None)
    connector = Connector(config.venues[venue].adapter(), context)
    try:
        return await connector.instruments()
    finally:
        await connector.close()
