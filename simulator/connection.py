"""One websocket connection, as the exchange sees it."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Protocol

from aiohttp import web

from simulator.limits import Window
from simulator.wire import frame

_LINGER_OFF = struct.pack("ii", 1, 0)  # closing sends RST at once and forgets what was not sent


class Subscription(Protocol):
    """A topic, as far as a subscriber knows it."""

    venue: str
    symbol: str
    stream: str

    def leave(self, connection: "Connection") -> None:
        """Remove a subscriber."""
        ...


class Connection:
    """Frames go to `out` and leave together at the next `flush`.

    Attributes:
        number: counts the connections of the simulator from 0.
        enveloped: whether messages are wrapped as ``{"stream":…,"data":…}`` with the stream's name.
        topics: what is subscribed to and flows, by stream.
        silent: streams that are subscribed to, were acknowledged, and never send anything.
    """

    def __init__(self, number: int, venue: str, ws: web.WebSocketResponse, request: web.Request, now_ns: int) -> None:
        self.number = number
        self.venue = venue
        self.opened_ns = now_ns
        self.enveloped = False
        self.path = ""  # where it was opened, in the venue's words
        self.window: Window | None = None  # of incoming messages, where the venue limits them
        self.topics: dict[str, Subscription] = {}
        self.silent: set[str] = set()
        self.out: list[bytes] = []
        self.sent = 0  # frames of market data
        self.pings = 0  # received, of either kind
        self.ping: bytes | None = None  # payload of the server's ping that waits for its answer
        self.ping_ns = now_ns  # when the last one was sent
        self._held_until = 0
        transport = request.transport
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._ws = ws
        self._closing: asyncio.Task[bool] | None = None

    def reply(self, payload: bytes) -> None:
        """Answer a request: after what has been sent so far, before what comes."""
        self.out.append(frame(payload))
        self.flush(self._held_until)

    def flush(self, now_ns: int) -> int:
        """Send what is waiting, unless it is held back; returns the number of bytes the client has left unread."""
        if self.out and now_ns >= self._held_until:
            if not self._transport.is_closing():
                self._transport.write(b"".join(self.out))
            self.out.clear()
        return self.unread

    @property
    def unread(self) -> int:
        """Bytes that the client has not read."""
        return self._transport.get_write_buffer_size()

    def hold(self, until_ns: int) -> None:
        """Send nothing before ``until_ns``, and then all at once."""
        self._held_until = until_ns

    def reset(self) -> None:
        """End the connection without a word."""
        abort(self._transport)

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close frame."""
        self.flush(self._held_until)
        if self._closing is None:
            self._closing = asyncio.create_task(self._ws.close(code=code, message=reason.encode()))

    async def closed(self) -> None:
        """Wait for an end that was begun."""
        if self._closing is not None:
            with suppress(ConnectionError):
                await self._closing

    def leave(self) -> None:
        """Unsubscribe from everything."""
        for topic in list(self.topics.values()):
            topic.leave(self)
        self.topics.clear()
        self.silent.clear()


def abort(transport: asyncio.WriteTransport) -> None:
    """Reset a TCP connection."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
    transport.abort()
