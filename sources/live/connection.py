"""A set of streams kept alive: reconnected with backoff, handed over before the venue ends the connection."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import stamina

from sources.live.config import LiveConfig
from sources.live.protocol import Operation, VenueProtocol
from sources.live.rate_limiter import RateLimiter
from sources.live.telemetry import Telemetry
from sources.live.websocket import SocketLost, Websocket

_STEADY = 30.0  # seconds after which a connection has proved itself: the next backoff begins anew
_SETTLE_INTERVAL = (0.01, 0.1)  # seconds, between them
_MAX_REFUSED_WAIT = 300.0
_BLOCKED = 600.0  # exchange documentation: HTTP 403 lasts ten minutes at least


class Handler(Protocol):
    """What a connection tells; called on the loop."""

    def received(self, socket: Websocket, frames: list[bytes]) -> None:
        """Market data came."""

    def attached(self, socket: Websocket, streams: Sequence[str]) -> None:
        """Streams will come from ``socket``: at once if they come from nowhere, else after a hand-over."""

    def subscribed(self, socket: Websocket, streams: Sequence[str]) -> None:
        """The exchange has acknowledged streams."""

    def detached(self, socket: Websocket, reason: str) -> None:
        """A connection has ended."""

    def settle(self, old: Websocket, new: Websocket, force: bool) -> int:
        """Move streams from the old to the new connection where that loses nothing, or at any price; gives how many
        stay."""
        ...


class Connection:
    """One connection's worth of streams at one address."""

    def __init__(
        self,
        url: str,
        protocol: VenueProtocol,
        handler: Handler,
        config: LiveConfig,
        telemetry: Telemetry,
        connects: RateLimiter,
        beside: bool = False,
    ) -> None:
        """``beside``: a stream that is refused is not asked for again."""
        self.url = url
        self.streams: dict[str, None] = {}  # in order of subscription
        self.opened = asyncio.Event()  # once, ever
        self.last_error: SocketLost | None = None
        self._protocol = protocol
        self._handler = handler
        self._config = config
        self._telemetry = telemetry
        self._connects = connects
        self._beside = beside
        self._refusals: dict[str, int] = {}  # times that a stream was refused, but one
        self._sockets: list[Websocket] = []  # open ones, the newest last

    @property
    def room(self) -> int:
        """Streams that may still be added."""
        return self._config.streams_per_connection - len(self.streams)

    @property
    def characters(self) -> int:
        """Length of the names of all streams, with quotes and commas."""
        return sum(len(name) + 3 for name in self.streams)

    def add(self, streams: Iterable[str]) -> None:
        """Ask for streams from now on."""
        names = list(streams)
        self.streams.update(dict.fromkeys(names))
        for socket in self._sockets:
            self._handler.attached(socket, names)
            socket.request(Operation.SUBSCRIBE, names)

    def remove(self, streams: Iterable[str]) -> None:
        """Ask for streams no more."""
        names = list(streams)
        for name in names:
            self.streams.pop(name, None)
        for socket in self._sockets:
            socket.request(Operation.UNSUBSCRIBE, names)

    async def run(self) -> None:
        """Keep the streams coming until cancelled."""
        c = self._config
        while True:
            async for attempt in stamina.retry_context(
                on=_wait, attempts=None, timeout=None,
                wait_initial=c.backoff_initial, wait_max=c.backoff_max, wait_jitter=c.backoff_jitter,
            ):  # fmt: skip
                with attempt:
                    await self._serve()
            # Connections that were lost together do not come back together.
            await asyncio.sleep(random.uniform(0.0, c.backoff_jitter))

    async def close(self) -> None:
        """Close what is open; for after `run` was cancelled."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))

    async def _serve(self) -> None:
        """One connection and those that take over from it, until one is lost.

        Raises:
            SocketLost: soon after it was opened, so that the backoff goes on.
        """
        loop = asyncio.get_running_loop()
        socket = await self._open()
        begin = loop.time()
        lifetime = self._lifetime()
        hurries = _Hurries(self._config, loop.time)
        try:
            while (reason := await socket.ended(lifetime)) is None:
                if socket.closing():
                    self._telemetry.closing(self._protocol.venue, self.url)
                    reason = await socket.ended(hurries.wait())
                    if reason is not None:
                        break
                successor = await self._hand_over(socket)
                lifetime = min(self._lifetime(), self._config.backoff_max) if successor is None else self._lifetime()
                socket = successor or socket
            if loop.time() - begin < _STEADY:
                raise SocketLost(reason)
        finally:
            await self._drop(socket)

    def _lifetime(self) -> float:
        """Connections that were opened together are not handed over together."""
        return self._config.connection_lifetime * random.uniform(0.9, 1.0)

    async def _open(self) -> Websocket:
        await self._connects.take(1)
        names = list(self.streams)
        h = self._handler
        socket = Websocket(self._protocol, self._config.answer_timeout, h.received, h.subscribed, self._refused)
        try:
            c = self._config
            await socket.open(self.url, c.open_timeout, c.close_timeout, c.proxies.of(self.url))
        except SocketLost as e:
            self.last_error = e
            self._telemetry.disconnected(self._protocol.venue, self.url, str(e))
            if e.status in (403, 418, 429):
                wait = e.wait or (_BLOCKED if e.status == 403 else self._config.backoff_max)
                e.wait = wait
                if self._connects.pause(wait):
                    self._telemetry.throttled(self._protocol.venue, e.status, wait)
            raise
        self._sockets.append(socket)
        self._telemetry.connected(self._protocol.venue, self.url, len(names))
        self._handler.attached(socket, names)
        socket.request(Operation.SUBSCRIBE, names)
        self.opened.set()
        return socket

    async def _hand_over(self, old: Websocket) -> Websocket | None:
        """Open a new connection beside the old one and move every stream; None when the old one stays."""
        try:
            new = await self._open()
        except SocketLost:
            return None
        deadline = asyncio.get_running_loop().time() + self._config.hand_over_timeout
        await asyncio.wait([lost := asyncio.ensure_future(old.lost())], timeout=self._config.hand_over_grace)
        forced = 0
        while not new.gone and not old.gone and (forced := self._handler.settle(old, new, False)):
            if asyncio.get_running_loop().time() >= deadline:
                self._handler.settle(old, new, True)
                break
            # Not at a fixed interval: in step with streams of the same one, the new connection could always be behind.
            await asyncio.sleep(random.uniform(*_SETTLE_INTERVAL))
        lost.cancel()
        if new.gone:
            await self._drop(new)
            if not old.gone:
                self._handler.attached(old, [name for name in self.streams if name in old.subscribed])
            return None
        await self._drop(old)
        self._telemetry.handed_over(self._protocol.venue, self.url, forced)
        return new

    async def _drop(self, socket: Websocket) -> None:
        if socket not in self._sockets:
            return
        self._sockets.remove(socket)
        reason = socket.reason or "closed"
        self._handler.detached(socket, reason)
        if socket.gone:
            self._telemetry.disconnected(self._protocol.venue, self.url, reason)
        await socket.close()

    def _refused(self, socket: Websocket, stream: str, reason: str) -> None:
        """A stream is asked for again later: what is refused today may be a fault of the exchange."""
        self._telemetry.refused(self._protocol.venue, stream or self.url, reason)
        if self._beside:
            self.streams.pop(stream, None)
        elif stream in self.streams:
            times = self._refusals[stream] = self._refusals.get(stream, -1) + 1
            wait = min(self._config.refused_wait * 2.0**times, _MAX_REFUSED_WAIT)
            asyncio.get_running_loop().call_later(wait, self._ask_again, socket, stream)

    def _ask_again(self, socket: Websocket, stream: str) -> None:
        if stream in self.streams and not socket.gone:
            socket.request(Operation.SUBSCRIBE, [stream])


class _Hurries:
    """How long to wait between the announcement of a connection's end and the hand-over.

    An announcement reaches all connections at once, so that they must be spread; and a new connection may be told the
    same at once, so that the patience doubles until one has proved itself.
    """

    def __init__(self, config: LiveConfig, time: Callable[[], float]) -> None:
        self._config = config
        self._time = time
        self._times = 0
        self._last = time()

    def wait(self) -> float:
        """Seconds to wait after one more announcement."""
        c = self._config
        now = self._time()
        if now - self._last >= _STEADY:
            self._times = 0
        patience = min(c.backoff_initial * 2.0**self._times, c.backoff_max) if self._times else 0.0
        self._times += 1
        self._last = now + patience
        return patience + random.uniform(0.0, c.backoff_jitter)


def _wait(error: Exception) -> bool | float:
    """For how long to stay away: the exchange's word, or the backoff's."""
    if not isinstance(error, SocketLost):
        return False
    return error.wait or True
