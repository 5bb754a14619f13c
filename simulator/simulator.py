"""The simulated exchange: one server for all venues, and one loop that moves all markets."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from simulator.config import SimulatorConfig
from simulator.connection import Connection
from simulator.control import control_routes
from simulator.faults import CONNECTION_KINDS, MARKET_KINDS, Active, Fault, Faults, parse_fault
from simulator.feed import Feed, Pace, SyntheticFeed
from simulator.log import MessageLog, Sent
from simulator.schedule import FaultSchedule
from simulator.server import SocketServer, numbering
from simulator.topic import Outlet
from simulator.truth import TrueBook, Truth
from simulator.venue import Listing, RestServer
from sources.errors import TickwaxError
from sources.instrument import Instrument

_TICK_S = 0.005
_TURN_S = 0.01  # longest that the markets go on without a look at the sockets
_KEEP_ALIVE_NS = 500_000_000
_SHUTDOWN_S = 1.0
_MOST_REQUESTS = 10_000


class Simulator:
    """All exchanges on one port of the loopback; an async context manager.

    Everything happens in the event loop that runs it; `thread.simulator_thread` serves callers without one.

    Args:
        config: what to simulate.
        clock: nanoseconds since the epoch; the exchanges' time.

    Raises:
        TickwaxError: a capture cannot be read. From `start`: the port cannot be listened to.
    """

    def __init__(self, config: SimulatorConfig, clock: Callable[[], int]) -> None:
        self.config = config
        self.faults = Faults()
        self.fault_log: list[Active] = []
        self.log = MessageLog(config.log_messages)
        offset_ns = int(config.clock_offset_s * 1e9)
        self.outlet = Outlet(lambda: clock() + offset_ns, self.faults, self.log)
        self.venues = config.venues
        captures = sum(len(venue.captures) for venue in self.venues.values())
        self._truth_rows = max(1, config.truth_rows // max(1, len(config.instruments) + captures))
        self._pace = Pace(config.seed, config.events_per_second)
        self.feeds: dict[str, dict[str, Feed]] = {name: {} for name in self.venues}
        for instrument in config.instruments:
            self.list_instrument(instrument)
        for name, venue in self.venues.items():
            for feed in venue.recorded(self.outlet, self._truth_rows):
                self.feeds[name][feed.instrument.symbol] = feed
        numbers = numbering()
        listing = Listing(dict(config.contract_types), config.strange_names)
        self.servers: tuple[SocketServer, ...] = tuple(
            venue.sockets(self.feeds[name], self.outlet, numbers) for name, venue in self.venues.items()
        )
        self.rest: dict[str, RestServer] = {
            name: venue.rest(self.feeds[name], self.outlet, listing) for name, venue in self.venues.items()
        }
        self.requests: deque[tuple[str, str]] = deque(maxlen=_MOST_REQUESTS)  # method and path, of sockets too
        self.port = config.port
        self._schedule: FaultSchedule | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite | None = None
        self._deaf_until = 0  # ns; nobody listens before
        self._pump_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def addresses(self) -> dict[str, str]:
        """Where it is, by the name of the setting."""
        at = f"{self.config.host}:{self.port}"
        return {key: address for venue in self.venues.values() for key, address in venue.addresses(at).items()}

    @property
    def connections(self) -> list[Connection]:
        """All that are open."""
        return [c for server in self.servers for c in server.connections.values()]

    @web.middleware
    async def _note(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        answer: web.StreamResponse = await handler(request)
        return answer

    def all_feeds(self) -> Iterator[Feed]:
        """Every instrument of all venues."""
        return (feed for feeds in self.feeds.values() for feed in list(feeds.values()))

    async def start(self) -> None:
        """Listen, and let the markets begin."""
        app = web.Application(middlewares=[self._note])
        for server in self.servers:
            app.add_routes(server.routes())
        for rest in self.rest.values():
            app.add_routes(rest.routes())
        app.add_routes(control_routes(self))
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        try:
            await self._listen()
        except TickwaxError:
            await self._runner.cleanup()
            raise
        for feed in self.all_feeds():
            feed.advance(True)  # the first of these compiles the kernels
        if self.config.faults_per_minute:
            instruments = [feed.instrument for feed in self.all_feeds()]
            self._schedule = FaultSchedule(
                self.config.seed, self.config.faults_per_minute, instruments, self.outlet.now_ns, self.venues
            )
        self._pump_task = asyncio.create_task(self._pump())

    async def stop(self) -> None:
        """Close everything. An error that ended the loop of the markets comes up here."""
        for c in self.connections:
            c.close(1001, "the exchange goes down")
        await asyncio.gather(*(c.closed() for c in self.connections))
        assert self._pump_task is not None
        assert self._runner is not None
        self._pump_task.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await self._pump_task
        finally:
            await self._runner.cleanup()

    async def wait(self) -> None:
        """Run until cancelled."""
        assert self._pump_task is not None
        await self._pump_task

    def fault(self, kind: str, **fields: Any) -> Active:
        """Make something go wrong; the fields are those of `faults.Fault`.

        Raises:
            TickwaxError: an unknown kind or field, or a value out of range.
        """
        return self.strike(parse_fault({"kind": kind, **fields}))

    def strike(self, fault: Fault) -> Active:
        """The same for a whole fault."""
        if fault.venue is not None and fault.venue not in self.venues:
            raise TickwaxError(f"fault: venue {fault.venue!r} is not one of {', '.join(self.venues)}")
        self.outlet.look()
        now_ns = self.outlet.now_ns
        if fault.kind in CONNECTION_KINDS:
            active = Active(fault, now_ns)
            active.applied = self._strike_connections(fault)
        elif fault.kind in MARKET_KINDS:
            active = Active(fault, now_ns)
            for feed in self.all_feeds():
                if fault.matches(*feed.instrument, fault.stream):
                    active.applied += feed.strike(fault)
        elif fault.kind == "refuse" and fault.how == "closed":
            active = Active(fault, now_ns)
            active.applied = 1
            assert fault.seconds is not None
            self._deaf_until = max(self._deaf_until, now_ns + int(fault.seconds * 1e9))
        else:
            active = self.faults.add(fault, now_ns)
        self.fault_log.append(active)
        return active

    def clear(self) -> None:
        """End every fault that waits for its occasion."""
        self.faults.clear()

    def list_instrument(self, instrument: Instrument) -> None:
        """Begin to trade an instrument, in the middle of the run too."""
        venue, truth = self.venues[instrument.venue], Truth(self._truth_rows)
        feed = SyntheticFeed(instrument, self._pace, self.outlet, truth, venue, venue.style)
        self.feeds[instrument.venue][instrument.symbol] = feed

    def delist(self, instrument: Instrument) -> None:
        """End the trading of an instrument: its streams fall silent, and the universe says so."""
        self.feeds[instrument.venue][instrument.symbol].trading = False

    def halt(self, instrument: Instrument, halted: bool = True) -> None:
        """Let nothing happen in an instrument, or go on: the quiet of a market, which is no fault."""
        self.feeds[instrument.venue][instrument.symbol].halted = halted

    def sent(self, instrument: Instrument, stream: str | None = None) -> list[Sent]:
        """What was sent of an instrument, or what should have been and met a fault; ``stream`` by its whole name."""
        return [
            entry
            for entry in self.log
            if (entry.venue, entry.symbol) == instrument and (stream is None or entry.stream == stream)
        ]

    def true_book(self, instrument: Instrument, update_id: int) -> TrueBook:
        """The book after an update, by the number that messages tell (`log.Sent.update_id`).

        Raises:
            KeyError: it is older than what is remembered.
        """
        return self.feeds[instrument.venue][instrument.symbol].truth.book(update_id)

    def true_books(self, instrument: Instrument, update_ids: list[int]) -> Iterator[tuple[int, TrueBook]]:
        """The book after each of rising ``update_ids``, in one pass; the object changes, so copy it to keep it."""
        return self.feeds[instrument.venue][instrument.symbol].truth.books(update_ids)

    def _strike_connections(self, fault: Fault) -> int:
        met = [
            c
            for c in self.connections
            if fault.venue in (None, c.venue)
            and (
                (fault.symbol is None and fault.stream is None)
                or any(fault.matches(t.venue, t.symbol, t.stream) for t in c.topics.values())
            )
        ][: fault.count]
        for c in met:
            if fault.kind == "reset":
                c.reset()
            elif fault.kind == "close":
                c.close(fault.code, "")
            elif fault.kind == "shutdown":
                next(server for server in self.servers if server.venue == c.venue).shut_down(c, fault)
            else:
                c.hold(self.outlet.now_ns + int(fault.delay * 1e9))
        return len(met)

    async def _listen(self) -> None:
        try:
            sock = socket.create_server((self.config.host, self.port), backlog=512)
        except OSError as e:
            reason = os.strerror(e.errno) if e.errno and e.errno > 0 else str(e)
            raise TickwaxError(f"cannot listen on {self.config.host}:{self.port}: {reason}") from None
        self.port = sock.getsockname()[1]
        assert self._runner is not None
        self._site = web.SockSite(self._runner, sock)
        await self._site.start()

    async def _pump(self) -> None:
        """Move all markets, send what came of it, and see to the connections, again and again."""
        loop = asyncio.get_running_loop()
        outlet = self.outlet
        kept_alive = 0
        while True:
            began = loop.time()
            outlet.look()
            for fault in self._schedule.due(outlet.now_ns) if self._schedule else ():
                self.strike(fault)
            self.faults.expire(outlet.now_ns)
            worked = began
            for feed in self.all_feeds():
                feed.advance()
                if loop.time() - worked > _TURN_S:  # others have requests to answer
                    self._flush()
                    await asyncio.sleep(0)
                    worked = loop.time()
                    outlet.look()
            if outlet.now_ns - kept_alive >= _KEEP_ALIVE_NS:
                kept_alive = outlet.now_ns
                for server in self.servers:
                    server.keep_alive()
            self._flush()
            await self._open_or_shut()
            await asyncio.sleep(max(0.0, began + _TICK_S - loop.time()))

    def _flush(self) -> None:
        for connection in self.connections:
            connection.flush(self.outlet.now_ns)

    async def _open_or_shut(self) -> None:
        deaf = self.outlet.now_ns < self._deaf_until
        if deaf and self._site is not None:
            await self._site.stop()
            self._site = None
        elif not deaf and self._site is None:
            await self._listen()
