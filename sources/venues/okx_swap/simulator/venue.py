"""OKX swaps as the simulator is handed them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simulator.feed import Feed
from simulator.style import Style
from simulator.topic import Outlet, Topic
from simulator.venue import Listing, PlainVenue
from sources.venues.okx_swap.simulator import topics
from sources.venues.okx_swap.simulator.limits import OkxLimits
from sources.venues.okx_swap.simulator.rest import OkxRest
from sources.venues.okx_swap.simulator.server import OkxServer


@dataclass(frozen=True)
class SimulatedOkxSwap(PlainVenue):
    """`simulator.venue.SimulatedVenue` of OKX swaps.

    Raises:
        ValueError: a value is outside its range; the text begins with its name.
    """

    interval_ms: int = 20  # cadence of the market behind the book channel
    limits: OkxLimits = field(default_factory=OkxLimits)

    name = topics.OKX
    fault_streams = ("books:*", "trades:*")
    own_faults = ()

    def __post_init__(self) -> None:
        if not 1 <= self.interval_ms <= 1000:
            raise ValueError(f"interval_ms: {self.interval_ms} is outside 1 to 1000")

    @property
    def style(self) -> Style:
        """Its topics turn sizes into contracts themselves."""
        return Style(self.interval_ms)

    def topic(self, symbol: str, stream: str, path: str, phase: int, outlet: Outlet, started_ms: int) -> Topic | None:
        """The channel of that name, written ``channel:instId``."""
        return topics.make(symbol, stream, outlet, int(self.limits.silence_s * 1000))

    def sockets(self, feeds: Mapping[str, Feed], outlet: Outlet, numbers: Iterator[int]) -> OkxServer:
        """Its websockets."""
        return OkxServer(feeds, outlet, self.limits, numbers)

    def rest(self, feeds: Mapping[str, Feed], outlet: Outlet, listing: Listing) -> OkxRest:
        """Its REST."""
        return OkxRest(feeds, outlet, self.limits, listing)

    def addresses(self, at: str) -> dict[str, str]:
        """Its addresses by the names of the settings."""
        return {"venues.okx_swap.ws": f"ws://{at}/ws/v5/public", "venues.okx_swap.rest": f"http://{at}"}
