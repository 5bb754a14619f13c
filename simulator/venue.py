"""What a venue gives the simulated exchange: its streams, its websockets and REST, its ways to write and to fail."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from aiohttp import web

from simulator.feed import Feed
from simulator.server import SocketServer
from simulator.style import Style
from simulator.topic import Outlet, Topic
from sources.instrument import Instrument


class Listing(NamedTuple):
    """What stands in a venue's list of instruments beside those that are simulated as they should be."""

    contract_types: Mapping[Instrument, str]  # listed with another contract type than the exchange's
    strange_names: Sequence[str]  # symbols of no market


class RestServer(Protocol):
    """A venue's REST."""

    requests: int  # so far

    def routes(self) -> list[web.RouteDef]:
        """Where it listens."""
        ...


class SimulatedVenue(Protocol):
    """One venue's side of the simulator; made of its own limits and choices."""

    @property
    def name(self) -> str:
        """As in `sources.instrument.Instrument.venue`."""
        ...

    @property
    def style(self) -> Style:
        """How it writes its market."""
        ...

    @property
    def fault_streams(self) -> tuple[str, str]:
        """Patterns of the names of its book streams and of its trade streams."""
        ...

    @property
    def own_faults(self) -> Sequence[str]:
        """Kinds of faults that no other venue has."""
        ...

    @property
    def captures(self) -> Sequence[Path]:
        """Recordings of instruments, played instead of a synthetic market."""
        ...

    def recorded(self, outlet: Outlet, truth_rows: int) -> Iterator[Feed]:
        """The instruments of `captures`.

        Args:
            truth_rows: level changes that each remembers.

        Raises:
            TickwaxError: a recording cannot be read.
        """
        ...

    def topic(self, symbol: str, stream: str, path: str, phase: int, outlet: Outlet, started_ms: int) -> Topic | None:
        """The topic of a stream's name; None where there is no such stream on ``path``.

        Args:
            phase: connections differ in how they batch updates; only the numbers of one connection make a chain.
            started_ms: when the service started, since the epoch.
        """
        ...

    def phases(self, stream: str) -> int:
        """In how many ways the updates of a stream are batched."""
        ...

    def sockets(self, feeds: Mapping[str, Feed], outlet: Outlet, numbers: Iterator[int]) -> SocketServer:
        """Its websockets.

        Args:
            feeds: by symbol; what is listed later appears there.
            numbers: of connections.
        """
        ...

    def rest(self, feeds: Mapping[str, Feed], outlet: Outlet, listing: Listing) -> RestServer:
        """Its REST; arguments as of `sockets`."""
        ...

    def addresses(self, at: str) -> dict[str, str]:
        """Its addresses by the names of the settings, where the simulator listens ``at`` host and port."""
        ...


class PlainVenue:
    """What holds of a venue whose connections are all told the same, and of which no captures are played."""

    @property
    def captures(self) -> Sequence[Path]:
        """None."""
        return ()

    def recorded(self, outlet: Outlet, truth_rows: int) -> Iterator[Feed]:
        """None."""
        return iter(())

    def phases(self, stream: str) -> int:
        """One for all connections."""
        return 1
