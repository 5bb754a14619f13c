"""The perpetuals that live venues list now."""

import asyncio
from collections.abc import Iterable

from sources.errors import TickwaxError
from sources.live.config import LiveConfig
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.instruments import Listing
from sources.live.rest import RestError
from sources.live.row_buffer import RowBuffer
from sources.live.telemetry import Telemetry
from sources.tape.builder import TapeTail


def list_venues(venues: Iterable[str], config: LiveConfig, telemetry: Telemetry) -> list[Listing]:
    """The perpetuals that trade at these venues, one venue after the other.

    Raises:
        TickwaxError: a venue does not answer, or not as it should.
    """
    return [listing for venue in venues for listing in asyncio.run(_listed(venue, config, telemetry))]


async def _listed(venue: str, config: LiveConfig, telemetry: Telemetry) -> list[Listing]:
    try:
        return await list_venue(venue, config, telemetry)
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
