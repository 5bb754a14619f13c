"""One browser at the page's websocket: what it looks at, what it has seen, and how far it lags behind.

Back pressure: frames wait in a short queue. While it is full nothing new is put together, so a slow browser costs the
engine less than a quick one; it gets the rows it missed with the next frame, as far as they are kept, and is told how
many frames were skipped and how many rows are gone.
"""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

import msgspec
import numpy as np
from aiohttp import WSMsgType, web

from sources.tape.batch import Float64s
from window.frames import binary, text

_WAITING = 4  # turns whose frames may wait
_MANY = 100  # instruments, beyond which their table is not sent at every turn
_TURNS_OF_MANY = 5
_TURNS_OF_BEAT = 10  # turns between two signs of life
_LONGEST_MESSAGE = 4096
_LONGEST_NAME = 200
_GOODBYE = 0.3  # seconds


class Source(Protocol):
    """What browsers are served from: `window.tap.Tap`, or a recording."""

    def hello(self) -> dict[str, Any]:
        """What the page must know before the first frame."""

    def known(self, key: str) -> bool:
        """Whether there is such an instrument."""

    def watch(self, key: str) -> None:
        """Somebody looks at it."""

    def since(self, key: str, seen: dict[str, int]) -> dict[str, tuple[Float64s, int, int]]:
        """As of `window.tap.Tap`."""

    def changed(self, versions: Float64s) -> tuple[list[str], Float64s, Float64s]:
        """As of `window.tap.Tap`."""

    def sparks(self) -> Float64s:
        """As of `window.overview.Overview`."""

    def stretch(self, key: str, begin: float, end: float) -> list[bytes]:
        """Frames of a recorded stretch, ms since 1970; may take a while.

        Raises:
            TickwaxError: it cannot be read.
        """

    def beat(self) -> dict[str, Any]:
        """How the run is."""


class Browser:
    """Serves one websocket."""

    def __init__(self, socket: web.WebSocketResponse, source: Source) -> None:
        self._socket = socket
        self._source = source
        self._queue: asyncio.Queue[list[str | bytes]] = asyncio.Queue(_WAITING)
        self._watched = ""
        self._seen: dict[str, int] = {}
        self._versions: Float64s = np.empty(0)
        self._turns = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.skipped = 0  # turns for which there was no room

    async def serve(self) -> None:
        """Send and listen until the browser goes."""
        await self._socket.send_str(text(kind="hello", **self._source.hello()))
        sender = asyncio.create_task(self._send())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._asked(message.data)
        finally:
            for task in (sender, *self._tasks):
                task.cancel()

    async def end(self) -> None:
        """The run is over: say so, without waiting for one that does not listen."""
        with suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(self._socket.close(code=1001, message=b"the run has ended"), _GOODBYE)

    def turn(self) -> None:
        """Put together what is new, if there is room for it."""
        self._turns += 1
        if self._queue.full():
            self.skipped += 1
            return
        frames: list[str | bytes] = []
        if len(self._versions) <= _MANY or self._turns % _TURNS_OF_MANY == 0:
            frames += self._overview()
        if self._watched:
            for name, (rows, gone, count) in self._source.since(self._watched, self._seen).items():
                missed = gone if name in self._seen else 0  # what was gone before it looked it has not missed
                self._seen[name] = count
                frames.append(binary(rows, kind="rows", of=name, symbol=self._watched, gone=missed))
        if self._turns % _TURNS_OF_BEAT == 1:
            frames.append(text(kind="beat", skipped=self.skipped, **self._source.beat()))
        if frames:
            self._queue.put_nowait(frames)

    def _overview(self) -> list[str | bytes]:
        before = len(self._versions)
        names, rows, self._versions = self._source.changed(self._versions)
        frames: list[str | bytes] = []
        if names:
            frames.append(text(kind="instruments", first=before, names=names))
            sparks = self._source.sparks()[:, before : before + len(names)]
            frames.append(binary(sparks, kind="sparks", first=before))
        if rows.size:
            frames.append(binary(rows, kind="overview"))
        return frames

    async def _send(self) -> None:
        while True:
            for frame in await self._queue.get():
                if isinstance(frame, str):
                    await self._socket.send_str(frame)
                else:
                    await self._socket.send_bytes(frame)

    async def _asked(self, message: str) -> None:
        try:
            asked = msgspec.json.decode(message) if len(message) <= _LONGEST_MESSAGE else {}
            symbol = str(asked.get("symbol", ""))[:_LONGEST_NAME]
            if asked.get("do") == "watch":
                await self._watch(symbol)
            elif asked.get("do") == "stretch":
                task = asyncio.create_task(self._stretch(symbol, float(asked["from"]), float(asked["to"])))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError):
            await self._socket.send_str(text(kind="refused", why="a message that the page does not send"))

    async def _watch(self, symbol: str) -> None:
        self._watched, self._seen = "", {}
        if symbol and not self._source.known(symbol):
            await self._socket.send_str(text(kind="unknown", symbol=symbol))
        elif symbol:
            self._source.watch(symbol)
            self._watched = symbol

    async def _stretch(self, symbol: str, begin: float, end: float) -> None:
        if not self._source.known(symbol):
            await self._socket.send_str(text(kind="unknown", symbol=symbol))
            return
        loop = asyncio.get_running_loop()
        try:
            frames = await loop.run_in_executor(None, self._source.stretch, symbol, begin, end)
        except Exception as e:  # a file that is damaged must not end the page
            await self._socket.send_str(text(kind="refused", why=str(e)))
            return
        for frame in frames:
            await self._socket.send_bytes(frame)
