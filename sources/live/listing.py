"""What a venue lists, for whoever asks without following it."""

from sources.live.config import LiveConfig
from sources.live.connector import Connector
from sources.live.context import Context
from sources.live.instruments import Listing
from sources.live.row_buffer import RowBuffer
from sources.live.telemetry import Telemetry
from sources.tape.builder import TapeTail


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
