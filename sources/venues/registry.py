"""The venues that frames can come from: how each is decoded and sequence-checked."""

from collections.abc import Callable
from typing import NamedTuple

from sources.errors import TickwaxError
from sources.messages import Decoder
from sources.sequencer import Sequencer
from sources.venues.binance_futures import decoder as futures_decode
from sources.venues.binance_futures import sequencer as futures_sequence
from sources.venues.binance_spot import decoder as spot_decode
from sources.venues.binance_spot import sequencer as spot_sequence
from sources.venues.bybit_linear import decoder as bybit_decode
from sources.venues.bybit_linear import sequencer as bybit_sequence


class Venue(NamedTuple):
    """What turns a venue's frames into checked messages; one decoder a connection, one sequencer an instrument."""

    name: str
    decoder: Callable[[], Decoder]
    sequencer: Callable[[], Sequencer]


VENUES = {
    venue.name: venue
    for venue in (
        Venue("binance_futures", futures_decode.decoder, futures_sequence.sequencer),
        Venue("binance_spot", spot_decode.decoder, spot_sequence.sequencer),
        Venue("bybit_linear", bybit_decode.decoder, bybit_sequence.sequencer),
    )
}


def venue(name: str) -> Venue:
    """The venue of that name.

    Raises:
        TickwaxError: there is none.
    """
    if name not in VENUES:
        raise TickwaxError(f"venue {name!r}: expected one of {', '.join(VENUES)}")
    return VENUES[name]
