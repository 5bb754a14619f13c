"""The simulated OKX, to a plain client that is written from the exchange's documentation alone."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any

import aiohttp
import websockets

from simulator.simulator import Simulator
from sources.instrument import Instrument
from sources.venues.okx_swap.simulator.limits import OkxLimits
from tests.markets import market

BTC = Instrument("okx_swap", "BTC-USDT-SWAP")
ODD = Instrument("okx_swap", "ODD-USDT-SWAP")


def simulate(body: Callable[[Simulator], Awaitable[None]], **config: Any) -> None:
    async def run() -> None:
        async with Simulator(market(**{"instruments": (BTC, ODD), **config}), time.time_ns) as simulator:
            await asyncio.wait_for(body(simulator), 30)

    asyncio.run(run())


class Client:
    """Keeps what it hears."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.books: list[dict[str, Any]] = []
        self.prints: list[dict[str, Any]] = []

    async def subscribe(self, *streams: tuple[str, Instrument], number: str = "1") -> None:
        args = [{"channel": channel, "instId": instrument.symbol} for channel, instrument in streams]
        await self.socket.send(json.dumps({"id": number, "op": "subscribe", "args": args}))

    async def listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            try:
                text = await asyncio.wait_for(self.socket.recv(), left)
            except TimeoutError:
                return
            message = json.loads(text)
            if "event" in message:
                self.events.append(message)
            elif message["arg"]["channel"] == "books":
                self.books.append(message)
            else:
                self.prints += message["data"]


def connect(s: Simulator) -> websockets.connect:
    return websockets.connect(s.addresses["venues.okx_swap.ws"], proxy=None)


async def listed(s: Simulator) -> dict[str, dict[str, str]]:
    url = s.addresses["venues.okx_swap.rest"] + "/api/v5/public/instruments?instType=SWAP"
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        body = await reply.json()
    assert (reply.status, body["code"]) == (200, "0")
    return {entry["instId"]: entry for entry in body["data"]}


def book_at_the_end(messages: list[dict[str, Any]], unit: Fraction) -> dict[str, dict[float, float]]:
    """ "Merging incremental data into full data", with sizes in base currency."""
    book: dict[str, dict[float, float]] = {}
    before = None
    for message in messages:
        (data,) = message["data"]
        if message["action"] == "snapshot":
            assert data["prevSeqId"] == -1
            book = {"bids": {}, "asks": {}}
        else:
            assert data["prevSeqId"] == before
        before = data["seqId"]
        for side, levels in book.items():
            for price, size, zero, orders in data[side]:
                assert (zero, orders) == ("0", "1")
                levels[float(price)] = float(Fraction(size) * unit)
                if Fraction(size) == 0:
                    del levels[float(price)]
    return book


def test_the_last_book_is_the_true_one_in_base_currency() -> None:
    async def body(s: Simulator) -> None:
        units = {name: Fraction(e["ctVal"]) * Fraction(e["ctMult"]) for name, e in (await listed(s)).items()}
        assert (units[BTC.symbol], units[ODD.symbol]) == (Fraction(1, 100), Fraction(1, 2))
        async with connect(s) as socket:
            c = Client(socket)
            await c.subscribe(("books", BTC), ("books", ODD), ("trades", BTC), number="12")
            await c.listen(1.5)
        assert [(e["event"], e["id"], e["arg"]["channel"]) for e in c.events] == [
            ("subscribe", "12", "books"), ("subscribe", "12", "books"), ("subscribe", "12", "trades"),
        ]  # fmt: skip
        assert len({p["tradeId"] for p in c.prints}) == len(c.prints) > 0
        for instrument in (BTC, ODD):
            mine = [m for m in c.books if m["arg"]["instId"] == instrument.symbol]
            assert [m["action"] for m in mine[:2]] == ["snapshot", "update"]
            number = s.sent(instrument, f"books:{instrument.symbol}")[len(mine) - 1].update_id
            true = s.true_book(instrument, number).cut(400)
            assert book_at_the_end(mine, units[instrument.symbol]) == {"bids": true.bids, "asks": true.asks}

    simulate(body)


def test_a_quiet_book_and_one_after_a_maintenance() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s) as socket:
            c = Client(socket)
            await c.subscribe(("books", BTC))
            await c.listen(0.3)
            s.halt(BTC)
            await c.listen(0.7)
            (beat,) = c.books[-1]["data"]
            assert (beat["asks"], beat["bids"], beat["seqId"]) == ([], [], beat["prevSeqId"])
            s.halt(BTC, halted=False)
            s.fault("restart", venue="okx_swap")
            await c.listen(0.5)
        falls = [m for m in c.books if m["data"][0]["seqId"] < m["data"][0]["prevSeqId"]]
        assert len(falls) == 1
        book_at_the_end(c.books, Fraction(1, 100))

    simulate(body, limits=OkxLimits(silence_s=0.3))


def test_requests_that_are_refused() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s) as socket:
            c = Client(socket)
            await socket.send("ping")
            assert await socket.recv() == "pong"
            await c.subscribe(("books", Instrument("okx_swap", "NONE-USDT-SWAP")), number="7")
            await c.subscribe(("candles", BTC))
            await socket.send("{")
            await c.subscribe(("books", BTC))  # the third request that counts
            await c.listen(0.3)
        assert [(e.get("id"), e["code"]) for e in c.events if e["event"] == "error"] == [
            ("7", "60018"), ("1", "60018"), (None, "60012"), ("1", "60014"),
        ]  # fmt: skip
        assert c.books == []

    simulate(body, limits=OkxLimits(requests_per_hour=2))
