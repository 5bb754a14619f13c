"""Plain clients of the simulated exchanges, written from the exchanges' documentation alone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import websockets

from simulator.simulator import Simulator
from simulator.truth import TrueBook
from sources.instrument import Instrument
from tests.markets import market

BINANCE_BTC = Instrument("binance_futures", "BTCUSDT")
BINANCE_ETH = Instrument("binance_futures", "ETHUSDT")
BYBIT_BTC = Instrument("bybit_linear", "BTCUSDT")
BYBIT_ETH = Instrument("bybit_linear", "ETHUSDT")
ALL = (BINANCE_BTC, BINANCE_ETH, BYBIT_BTC, BYBIT_ETH)

Body = Callable[[Simulator], Awaitable[None]]


def simulate(body: Body, **config: Any) -> None:
    """Run ``body`` against a simulator; no test may take longer than 30 s."""

    async def run() -> None:
        async with Simulator(market(**{"instruments": ALL, **config}), time.time_ns) as simulator:
            await asyncio.wait_for(body(simulator), 30)

    asyncio.run(run())


class Client:
    """A websocket that keeps what it heard."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def ask(self, **request: Any) -> Any:
        """Send a request; the next message that is no market data is its answer."""
        await self.socket.send(json.dumps(request))
        return await self.answer()

    async def answer(self) -> Any:
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 3))
            if not _is_data(message):
                return message
            self.heard.append(message)

    async def raw(self) -> str | bytes:
        return await asyncio.wait_for(self.socket.recv(), 5)

    async def ended(self) -> websockets.ConnectionClosed:
        """Read on until the connection ends."""
        try:
            while True:
                await self.raw()
        except websockets.ConnectionClosed as end:
            return end

    async def next(self, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next message that is wanted."""
        while True:
            message = json.loads(await self.raw())
            self.heard.append(message)
            if wanted(message):
                return message

    async def listen(self, seconds: float) -> list[Any]:
        """All messages of a while."""
        out = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    out.append(json.loads(await self.socket.recv()))
        except TimeoutError:
            self.heard += out
            return out


def _is_data(message: Any) -> bool:
    return isinstance(message, dict) and bool({"e", "stream", "topic"} & set(message))


@asynccontextmanager
async def connect(simulator: Simulator, venue: str, path: str = "") -> AsyncIterator[Client]:
    """Connect to ``public``, ``market`` (Binance), ``bybit``, or ``legacy`` (Binance without a prefix)."""
    async with websockets.connect(
        url(simulator, venue) + path, max_size=1 << 20, ping_interval=None, close_timeout=0.2
    ) as socket:
        yield Client(socket)


def url(simulator: Simulator, venue: str) -> str:
    at = simulator.addresses
    if venue == "legacy":
        return at["venues.binance_futures.public_ws"].removesuffix("/public")
    return at["venues.bybit_linear.ws" if venue == "bybit" else f"venues.binance_futures.{venue}_ws"]


async def get(simulator: Simulator, path: str, **query: Any) -> tuple[int, Any, aiohttp.typedefs.LooseHeaders]:
    """Status, body (JSON where it is), headers of a REST request."""
    root = simulator.addresses["venues.bybit_linear.rest"]
    async with aiohttp.ClientSession() as http, http.get(root + path, params=query) as reply:
        text = await reply.text()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        return reply.status, body, reply.headers


async def depth(simulator: Simulator, symbol: str = "BTCUSDT", limit: int = 1000) -> Any:
    status, body, _ = await get(simulator, "/fapi/v1/depth", symbol=symbol, limit=limit)
    assert status == 200, body
    return body


def apply(book: TrueBook, bids: list[list[str]], asks: list[list[str]]) -> None:
    """Sizes are absolute, 0 removes."""
    for side, levels in ((book.bids, bids), (book.asks, asks)):
        for price, size in levels:
            if float(size):
                side[float(price)] = float(size)
            else:
                side.pop(float(price), None)


def copy(book: TrueBook) -> TrueBook:
    return TrueBook(dict(book.bids), dict(book.asks))


def binance_books(snapshot: Any, events: list[Any]) -> dict[int, TrueBook]:
    """The book at the snapshot and after every event, by number: steps 3 to 6 of the documented procedure."""
    book = TrueBook({}, {})
    apply(book, snapshot["bids"], snapshot["asks"])
    number = snapshot["lastUpdateId"]
    books = {number: copy(book)}
    joined = False
    for event in events:
        if not joined:
            if event["u"] < number:
                continue
            assert event["U"] <= number <= event["u"] or event["pu"] == number, "the snapshot does not join"
            joined = True
        else:
            assert event["pu"] == number, "the chain is broken"
        number = event["u"]
        apply(book, event["b"], event["a"])
        books[number] = copy(book)
    return books


def bybit_books(messages: list[Any]) -> list[tuple[Any, TrueBook]]:
    """The book after every message of one topic, checked as documented."""
    book, number = TrueBook({}, {}), None
    out = []
    for message in messages:
        data = message["data"]
        if message["type"] == "snapshot" or data["u"] == 1:
            book = TrueBook({}, {})
        else:
            assert number is not None, "a delta before the snapshot"
            assert data["u"] == number + 1, "the chain is broken"
        number = data["u"]
        apply(book, data["b"], data["a"])
        out.append((message, copy(book)))
    return out
