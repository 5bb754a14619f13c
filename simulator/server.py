"""What the websocket servers of all venues share: who may connect, reading, and keeping connections alive."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import count

from aiohttp import WSMsgType, web

from simulator.connection import Connection, abort
from simulator.damage import PAGE
from simulator.faults import CONNECT_KINDS, SUBSCRIBE_KINDS, Fault
from simulator.feed import Feed
from simulator.limits import Limits, Window
from simulator.topic import Outlet
from simulator.wire import PONG, frame

_CONNECTS_SPAN_S = 300.0
_MAX_REQUEST_BYTES = 1 << 20
_CLOSE_TIMEOUT_S = 2.0


class SocketServer:
    """One venue's websockets.

    Attributes:
        connections: those that are open, by number.
        accepted: how many have ever been.
    """

    venue: str

    def __init__(self, feeds: Mapping[str, Feed], outlet: Outlet, limits: Limits, numbers: Iterator[int]) -> None:
        """``feeds``: by symbol; ``numbers``: of connections."""
        self.feeds = feeds
        self.outlet = outlet
        self.limits = limits
        self.connections: dict[int, Connection] = {}
        self.accepted = 0
        self._numbers = numbers
        self._connects = Window(limits.connects, _CONNECTS_SPAN_S)

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        raise NotImplementedError

    def opened(self, connection: Connection, request: web.Request) -> None:
        """A connection came to be."""

    def heard(self, connection: Connection) -> bool:
        """Something came from the client; False if that is the end of the connection."""
        return True

    def asked(self, connection: Connection, text: str) -> None:
        """Answer a request."""
        raise NotImplementedError

    def goodbye(self, connection: Connection, form: str) -> bytes | None:
        """The announcement that a connection is about to be closed; None where the venue sends none."""
        return None

    def shut_down(self, connection: Connection, fault: Fault) -> None:
        """Announce the end of a connection, and end it later if it is still there."""
        announcement = self.goodbye(connection, fault.form)
        if announcement is not None:
            connection.reply(announcement)

        def end() -> None:
            if connection.number in self.connections:
                connection.close(1001, "server shutdown")

        asyncio.get_running_loop().call_later(fault.delay, end)

    def keep_alive(self) -> None:
        """Called about once a second: cut off those who do not read or have lived too long."""
        now_ns = self.outlet.now_ns
        for c in list(self.connections.values()):
            if c.unread > self.limits.send_buffer_bytes:
                c.reset()
            elif now_ns - c.opened_ns > self.limits.lifetime_s * 1e9:
                c.close(1001, "lifetime is over")

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its beginning to its end."""
        self.outlet.look()
        refusal = await self._refusal(request)
        if refusal is not None:
            return refusal
        ws = web.WebSocketResponse(
            timeout=_CLOSE_TIMEOUT_S, autoping=False, compress=False, max_msg_size=_MAX_REQUEST_BYTES
        )
        try:
            await ws.prepare(request)
        except ConnectionError:  # the client did not wait
            return web.Response(status=408)
        c = Connection(next(self._numbers), self.venue, ws, request, self.outlet.now_ns)
        self.connections[c.number] = c
        self.accepted += 1
        try:
            self.opened(c, request)
            async for message in ws:
                self.outlet.look()
                if not self.heard(c):
                    break
                if message.type is WSMsgType.TEXT:
                    self.asked(c, message.data)
                elif message.type is WSMsgType.PING:
                    c.pings += 1
                    c.out.append(frame(bytes(message.data), PONG))
                elif message.type is WSMsgType.PONG and bytes(message.data) == c.ping:
                    c.ping = None
        finally:
            c.leave()
            del self.connections[c.number]
            await c.closed()
        return ws

    def subscribe_fault(self, symbol: str | None, stream: str, *kinds: str) -> Fault | None:
        """The fault that a subscription meets."""
        assert set(kinds) <= set(SUBSCRIBE_KINDS)
        return self.outlet.faults.take(kinds, self.venue, symbol, stream, self.outlet.now_ns)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        fault = self.outlet.faults.take(CONNECT_KINDS, self.venue, None, request.path, self.outlet.now_ns)
        if fault is not None and fault.how == "mute":
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.how != "status":
            if isinstance(request.transport, asyncio.WriteTransport):
                abort(request.transport)
            return web.Response(status=503)  # to nobody
        if fault is not None and fault.page:
            return web.Response(status=fault.status, text=PAGE, content_type="text/html")
        if fault is not None:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return web.Response(status=fault.status, headers=headers)
        if not self._connects.admit(self.outlet.now_ns):
            return web.Response(status=429, text="too many connections")
        return None


def numbering() -> Iterator[int]:
    """Numbers for the connections of one simulator."""
    return count()
