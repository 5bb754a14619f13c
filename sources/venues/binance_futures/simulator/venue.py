"""Binance USD-M futures as the simulator is handed it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.feed import Feed
from simulator.style import Style
from simulator.topic import Outlet, Topic
from simulator.truth import Truth
from simulator.venue import Listing
from sources.venues.binance_futures.simulator import topics
from sources.venues.binance_futures.simulator.capture import read_capture
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from sources.venues.binance_futures.simulator.playback import PlaybackFeed
from sources.venues.binance_futures.simulator.rest import BinanceRest
from sources.venues.binance_futures.simulator.server import BinanceServer


@dataclass(frozen=True)
class SimulatedBinanceFutures:
    """`simulator.venue.SimulatedVenue` of Binance USD-M futures.

    Raises:
        ValueError: a value is outside its range; the text begins with its name.
    """

    interval_ms: int = 50  # cadence of `@depth@0ms`; the slower streams join several
    snapshot_levels: int = 1000  # most levels a side of a REST book, whatever the request asks for
    captures: tuple[Path, ...] = ()
    speed: float = 1.0  # of playback; 0: as fast as the clients read
    limits: BinanceLimits = field(default_factory=BinanceLimits)

    name = topics.BINANCE
    fault_streams = ("*@depth*", "*@aggTrade")
    own_faults = ("shutdown",)

    def __post_init__(self) -> None:
        if not 1 <= self.interval_ms <= 1000:
            raise ValueError(f"interval_ms: {self.interval_ms} is outside 1 to 1000")
        if not 1 <= self.snapshot_levels <= 1000:
            raise ValueError(f"snapshot_levels: {self.snapshot_levels} is outside 1 to 1000")
        if not 0 <= self.speed < float("inf"):
            raise ValueError(f"speed: {self.speed} is not 0 or a positive number")

    @property
    def style(self) -> Style:
        """BTCUSDT, tick 0.10, is written with two decimals."""
        return Style(self.interval_ms, padding=1)

    def recorded(self, outlet: Outlet, truth_rows: int) -> Iterator[Feed]:
        """The instruments of `captures`."""
        for capture in [read_capture(path) for path in self.captures]:
            yield PlaybackFeed(capture, self.speed, outlet, Truth(truth_rows))

    def topic(self, symbol: str, stream: str, path: str, phase: int, outlet: Outlet, started_ms: int) -> Topic | None:
        """The topic of a stream's name, or None where that name is silent on ``path``."""
        return topics.make(symbol, stream, path, phase, outlet)

    def phases(self, stream: str) -> int:
        """Books differ between connections."""
        return 2 if "@depth" in stream else 1

    def sockets(self, feeds: Mapping[str, Feed], outlet: Outlet, numbers: Iterator[int]) -> BinanceServer:
        """Its websockets."""
        return BinanceServer(feeds, outlet, self.limits, numbers)

    def rest(self, feeds: Mapping[str, Feed], outlet: Outlet, listing: Listing) -> BinanceRest:
        """Its REST."""
        return BinanceRest(feeds, outlet, self.limits, self.snapshot_levels, listing)

    def addresses(self, at: str) -> dict[str, str]:
        """Its addresses by the names of the settings."""
        return {
            "venues.binance_futures.public_ws": f"ws://{at}/public",
            "venues.binance_futures.market_ws": f"ws://{at}/market",
            "venues.binance_futures.rest": f"http://{at}",
        }
