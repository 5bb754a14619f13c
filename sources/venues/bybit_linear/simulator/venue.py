"""Bybit V5 linear as the simulator is handed it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simulator.feed import Feed
from simulator.style import Style
from simulator.topic import Outlet, Topic
from simulator.venue import Listing, PlainVenue
from sources.venues.bybit_linear.simulator import topics
from sources.venues.bybit_linear.simulator.limits import BybitLimits
from sources.venues.bybit_linear.simulator.rest import BybitRest
from sources.venues.bybit_linear.simulator.server import BybitServer


@dataclass(frozen=True)
class SimulatedBybitLinear(PlainVenue):
    """`simulator.venue.SimulatedVenue` of Bybit V5 linear.

    Raises:
        ValueError: a value is outside its range; the text begins with its name.
    """

    interval_ms: int = 20  # cadence of the fastest book topics
    block_trades_every: int = 0  # one of so many prints is a block trade, far from the book; 0: none
    limits: BybitLimits = field(default_factory=BybitLimits)

    name = topics.BYBIT
    fault_streams = ("orderbook.*", "publicTrade.*")
    own_faults = ("restart", "resnapshot")

    def __post_init__(self) -> None:
        if not 1 <= self.interval_ms <= 1000:
            raise ValueError(f"interval_ms: {self.interval_ms} is outside 1 to 1000")
        if self.block_trades_every == 1:
            raise ValueError("block_trades_every: 1 leaves no print of the book")
        if self.block_trades_every < 0:
            raise ValueError(f"block_trades_every: {self.block_trades_every} is negative")

    @property
    def style(self) -> Style:
        """A removed level has the size ``0``."""
        return Style(self.interval_ms, bare_zero=True)

    def topic(self, symbol: str, stream: str, path: str, phase: int, outlet: Outlet, started_ms: int) -> Topic | None:
        """The topic of that name; ``started_ms`` is where its ``u`` counts from."""
        return topics.make(symbol, stream, outlet, started_ms, self.block_trades_every)

    def sockets(self, feeds: Mapping[str, Feed], outlet: Outlet, numbers: Iterator[int]) -> BybitServer:
        """Its websockets."""
        return BybitServer(feeds, outlet, self.limits, numbers)

    def rest(self, feeds: Mapping[str, Feed], outlet: Outlet, listing: Listing) -> BybitRest:
        """Its REST."""
        return BybitRest(feeds, outlet, self.limits, listing)

    def addresses(self, at: str) -> dict[str, str]:
        """Its addresses by the names of the settings."""
        return {"venues.bybit_linear.ws": f"ws://{at}/v5/public/linear", "venues.bybit_linear.rest": f"http://{at}"}
