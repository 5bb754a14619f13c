"""The connections of one address: streams spread over as many connections as the venue's limits ask for."""

import asyncio
from collections.abc import Sequence

from sources.live.connection import Connection, Handler
from sources.live.context import Context
from sources.live.protocol import VenueProtocol
from sources.live.rate_limiter import RateLimiter
from sources.live.websocket import SocketLost


class ConnectionPool:
    """Connections to one address; none is emptied into another, so a stream stays where it was put."""

    def __init__(
        self,
        url: str,
        protocol: VenueProtocol,
        handler: Handler,
        context: Context,
        connects: RateLimiter,
        beside: bool = False,
    ) -> None:
        """``beside``: a stream that is refused is not asked for again, and nobody waits for these connections."""
        self.url = url
        self.beside = beside
        self._protocol = protocol
        self._handler = handler
        self._context = context
        self._connects = connects
        self._connections: list[Connection] = []
        self._of: dict[str, Connection] = {}

    @property
    def opened(self) -> bool:
        """Whether every connection has been connected once."""
        return all(connection.opened.is_set() for connection in self._connections)

    @property
    def error(self) -> SocketLost | None:
        """Why a connection that never was connected could not be."""
        errors = [connection.last_error for connection in self._connections if not connection.opened.is_set()]
        return next((error for error in errors if error is not None), None)

    def add(self, streams: Sequence[str]) -> None:
        """Spread streams over the connections, opening new ones as needed."""
        left = list(streams)
        for connection in self._connections:
            left = self._put(connection, left)
        while left:
            c = self._context
            connection = Connection(
                self.url, self._protocol, self._handler, c.config, c.telemetry, self._connects, self.beside
            )
            self._connections.append(connection)
            left = self._put(connection, left)
            c.spawn(connection.run())

    def remove(self, stream: str) -> None:
        """Ask for a stream no more."""
        self._of.pop(stream).remove([stream])

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(connection.close() for connection in self._connections))

    def _put(self, connection: Connection, streams: list[str]) -> list[str]:
        """Give a connection what it has room for; returns the rest."""
        mine: list[str] = []
        characters = connection.characters
        room = connection.room
        for name in streams:
            characters += len(name) + 3  # with quotes and comma
            if len(mine) == room or characters > self._protocol.connection_characters:
                break
            mine.append(name)
        if mine:
            connection.add(mine)
            self._of.update(dict.fromkeys(mine, connection))
        return streams[len(mine) :]
