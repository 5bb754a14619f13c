"""The perpetuals that trade at the live venues now."""

from dataflows.assembly.listings import list_venues
from dataflows.assembly.live_config import live_config
from dataflows.reports.text_table import TextTable, show
from dataflows.runtime.exit_codes import must_be_shown
from dataflows.runtime.metrics import LiveTelemetry
from dataflows.settings.model import load_settings
from sources.errors import TickwaxError
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
        for listing in sorted(list_venues([name], config, LiveTelemetry())):
            if match.upper() in listing.instrument.symbol.upper():
                table.add(str(listing.instrument), listing.tick_size)
    show(table)
    must_be_shown()
