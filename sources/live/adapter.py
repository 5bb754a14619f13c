"""What a venue adds to the live path: its addresses, limits, streams, rules and words."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from sources.clock import ClockBound
from sources.live.context import Context
from sources.live.instrument_state import InstrumentState
from sources.live.instruments import Listing
from sources.live.protocol import VenueProtocol
from sources.live.recorder import Recorder
from sources.live.rest import Rest
from sources.live.resync import Resync
from sources.live.words import Unknown
from sources.messages import BookMessage, Decoder, DerivativeMessage
from sources.sequencer import Sequencer


class Limit(NamedTuple):
    """At most ``units`` in ``seconds``; workers share it, but each has ``least`` at least."""

    units: int
    seconds: float
    least: int = 1


class Poll(NamedTuple):
    """What a venue tells by REST alone, and is asked for again and again, one instrument after the other."""

    weight: int  # units of the venue's limit that a request costs
    prepare: Callable[[Rest], Awaitable[None]]  # before the first one, and from time to time; raises `RestError`
    fetch: Callable[[str, Rest, Context], Awaitable[DerivativeMessage]]  # of a symbol; raises `RestError`


class VenueAdapter(Protocol):
    """One venue, as a `sources.live.connector.Connector` uses it; made of the venue's own configuration."""

    name: str
    protocol: VenueProtocol
    rest: str  # address of REST
    websockets: Mapping[str, str]  # address by kind of stream; kinds of one address share its connections
    silence: Mapping[str, float]  # by kind of stream, seconds of silence that are no fault, if more than elsewhere
    requests: Limit  # REST requests, or units of weight where the venue counts those
    poll: Poll | None
    connects: Limit  # websockets opened, at each limit's address

    async def instruments(self, rest: Rest, unknown: Unknown) -> list[Listing]:
        """The perpetuals that trade now.

        Raises:
            RestError: no reply, or one that cannot be understood.
        """
        ...

    def refusal(self, symbol: str) -> str:
        """Why a symbol that the venue has is not among its instruments; empty if that is not known."""
        ...

    def streams(self, symbol: str) -> Mapping[str, str]:
        """Names of an instrument's streams, by kind."""
        ...

    def decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection, whose exchange times are held against ``clock``."""
        ...

    def sequencer(self) -> Sequencer:
        """The sequence rule of one book."""
        ...

    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """Whether a new connection's message continues the one before, or may be the first."""
        ...

    def resync(self, state: InstrumentState, recorder: Recorder, rest: Rest) -> Resync:
        """How the book of an instrument becomes known again."""
        ...
