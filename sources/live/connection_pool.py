"""The connections of one address: streams spread over as many links as the venue's limits ask for."""

import asyncio
from collections.abc import Sequence

from sources.live.connection import Handler, Link
from sources.live.context import Context
from sources.live.protocol import Dialect
from sources.live.rate_limiter import Budget
from sources.live.websocket import SocketLost


class Pool:
    """Links to one address; a link is never emptied into another, so a stream stays where it was put."""

    def __init__(self, url: str, dialect: Dialect, handler: Handler, context: Context, connects: Budget) -> None:
        self.url = url
        self._dialect = dialect
        self._handler = handler
        self._context = context
        self._connects = connects
        self._links: list[Link] = []
        self._of: dict[str, Link] = {}

    @property
    def opened(self) -> bool:
        """Whether every link has been connected once."""
        return all(link.opened.is_set() for link in self._links)

    @property
    def error(self) -> SocketLost | None:
        """Why a link that never was connected could not be."""
        errors = [link.last_error for link in self._links if not link.opened.is_set()]
        return next((error for error in errors if error is not None), None)

    def add(self, streams: Sequence[str]) -> None:
        """Spread streams over the links, opening new ones as needed."""
        left = list(streams)
        for link in self._links:
            left = self._put(link, left)
        while left:
            c = self._context
            link = Link(self.url, self._dialect, self._handler, c.config, c.telemetry, self._connects)
            self._links.append(link)
            left = self._put(link, left)
            c.spawn(link.run())

    def remove(self, stream: str) -> None:
        """Ask for a stream no more."""
        self._of.pop(stream).remove([stream])

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(link.close() for link in self._links))

    def _put(self, link: Link, streams: list[str]) -> list[str]:
        """Give a link what it has room for; returns the rest."""
        mine: list[str] = []
        characters = link.characters
        room = link.room
        for name in streams:
            characters += len(name) + 3  # with quotes and comma
            if len(mine) == room or characters > self._dialect.connection_characters:
                break
            mine.append(name)
        if mine:
            link.add(mine)
            self._of.update(dict.fromkeys(mine, link))
        return streams[len(mine) :]
