"""Binance's websockets: paths, requests, streams."""

import asyncio
import json
from itertools import pairwise

import pytest
import websockets

from simulator.simulator import Simulator
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from tests.simulator.clients import BINANCE_BTC, binance_books, connect, depth, simulate, url

DEPTH = "btcusdt@depth@100ms"


def test_paths_wrap_messages_or_not() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}/ethusdt@depth") as raw:
            assert (await raw.next(lambda m: m["s"] == "ETHUSDT"))["e"] == "depthUpdate"
        async with connect(s, "public", f"/stream?streams={DEPTH}/ethusdt@depth") as wrapped:
            message = await wrapped.next(lambda m: m["stream"] == DEPTH)
            assert message["data"]["s"] == "BTCUSDT"
        async with connect(s, "market", "/stream") as c:
            assert await c.ask(method="SUBSCRIBE", params=["btcusdt@aggTrade"], id=3) == {"result": None, "id": 3}
            assert (await c.next())["stream"] == "btcusdt@aggTrade"
        async with connect(s, "legacy", f"/ws/{DEPTH}/btcusdt@aggTrade") as old:
            assert {m["e"] for m in await old.listen(0.5)} == {"depthUpdate"}  # what `/public` has, and no more

    simulate(body)


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("public", "btcusdt@aggTrade"),
        ("market", DEPTH),
        ("market", "btcusdt@trade"),
        ("public", "nosuchusdt@depth"),
        ("public", "BTCUSDT@depth@100ms"),  # names are lower-case
        ("public", "btcusdt@nothing"),
    ],
)
def test_wrong_path_and_unknown_symbol_are_acknowledged_and_silent(path: str, stream: str) -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, path, "/ws") as c:
            assert await c.ask(method="SUBSCRIBE", params=[stream], id=1) == {"result": None, "id": 1}
            assert await c.listen(0.25) == []
            assert (await c.ask(method="LIST_SUBSCRIPTIONS", id=2))["result"] == [stream]

    simulate(body)


def test_unsubscribe_and_errors() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as c:
            await c.next()
            assert await c.ask(method="UNSUBSCRIBE", params=[DEPTH], id="a") == {"result": None, "id": "a"}
            assert await c.listen(0.3) == []
            assert (await c.ask(method="NO", id=5))["error"]["code"] == 2
            assert (await c.ask(method="SUBSCRIBE", params=[1]))["code"] == 2
            await c.socket.send("{no json")
            assert (await c.answer())["code"] == 3
            await c.socket.send("[]")
            assert (await c.answer())["code"] == 2

    simulate(body)


def test_numbers_make_a_chain_with_holes() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as one, connect(s, "public", f"/ws/{DEPTH}") as other:
            events, others = await asyncio.gather(one.listen(1.2), other.listen(1.2))
        assert len(events) >= 10
        for before, event in pairwise(events):
            assert event["pu"] == before["u"] < event["U"] <= event["u"]
            assert event["T"] <= event["E"]
        assert any(event["U"] > event["pu"] + 1 for event in events)
        # Each connection batches in its own way: numbers of one mean nothing on the other.
        assert {e["u"] for e in events} != {e["u"] for e in others}

    simulate(body)


@pytest.mark.parametrize("stream", [DEPTH, "btcusdt@depth", "btcusdt@depth@0ms", "btcusdt@depth@500ms"])
def test_snapshot_joins_and_every_book_is_the_true_one(stream: str) -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{stream}") as c:
            events = await c.listen(0.5)
            events += [await c.next() for _ in range(0 if events else 1)]
            snapshot = await depth(s)
            events += await c.listen(0.8)
            events += [await c.next() for _ in range(3)]
        books = binance_books(snapshot, events)
        assert len(books) > 2
        for number, true in s.true_books(BINANCE_BTC, sorted(books)):
            assert books[number] == true
        told = {entry.sequence for entry in s.sent(BINANCE_BTC, stream)}
        assert set(books) - {snapshot["lastUpdateId"]} <= told

    simulate(body)


def test_best_prices_are_those_of_the_book() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", "/ws/btcusdt@bookTicker/btcusdt@depth@0ms") as c:
            await c.next()
            snapshot = await depth(s)
            messages = await c.listen(1.0)
        books = binance_books(snapshot, [m for m in c.heard if m["e"] == "depthUpdate"])
        quotes = [m for m in messages if m["e"] == "bookTicker" and m["u"] in books]
        assert len(quotes) > 5
        for q in quotes:
            bids, asks = books[q["u"]]
            assert (max(bids), bids[max(bids)]) == (float(q["b"]), float(q["B"]))
            assert (min(asks), asks[min(asks)]) == (float(q["a"]), float(q["A"]))

    simulate(body)


def test_partial_books_look_like_diffs() -> None:
    async def body(s: Simulator) -> None:
        streams = "btcusdt@depth5@100ms/btcusdt@depth@100ms"
        async with connect(s, "public", f"/stream?streams={streams}") as c:
            messages = await c.listen(0.8)
        kinds = {m["stream"]: m["data"] for m in messages}
        assert set(kinds) == set(streams.split("/"))
        partial, diff = (kinds[stream] for stream in streams.split("/"))
        assert list(partial) == list(diff)
        assert len(partial["b"]) == len(partial["a"]) == 5

    simulate(body)


def test_prints_and_aggregates() -> None:
    async def body(s: Simulator) -> None:
        async with (
            connect(s, "public", "/ws/btcusdt@trade") as trades,
            connect(s, "market", "/ws/btcusdt@aggTrade") as a,
        ):
            prints, aggregates = await asyncio.gather(trades.listen(1.2), a.listen(1.2))
        numbers = [m["a"] for m in aggregates]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert all(m["f"] <= m["l"] and m["nq"] == m["q"] for m in aggregates)
        told = {m["t"]: (m["p"], m["q"], m["m"]) for m in prints if m["X"] in ("MARKET", "RPI")}
        common = [m for m in aggregates if m["l"] in told]
        assert len(common) > 100
        assert all(told[m["l"]] == (m["p"], m["q"], m["m"]) for m in common)
        strange = [m for m in prints if m["X"] not in ("MARKET", "RPI")]
        assert {"NA", "INSURANCE_FUND"} <= {m["X"] for m in strange}
        assert all(m["p"] == m["q"] == "0" for m in strange if m["X"] == "NA")

    simulate(body, events_per_second=5000.0)


def test_symbols_that_are_not_ascii() -> None:
    from sources.instrument import Instrument

    async def body(s: Simulator) -> None:
        async with connect(s, "public", "/ws") as c:
            await c.ask(method="SUBSCRIBE", params=["币安人生usdt@depth@100ms"], id=1)
            assert (await c.next())["s"] == "币安人生USDT"

    simulate(body, instruments=(Instrument("binance_futures", "币安人生USDT"),))


def test_too_many_requests_close_the_connection() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", "/ws") as c:
            for n in range(11):
                await c.socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": n}))
            await c.ended()
            assert c.socket.close_code == 1008

    simulate(body)


def test_too_many_streams() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", "/ws") as c:
            many = [f"s{n}usdt@depth" for n in range(1025)]
            assert (await c.ask(method="SUBSCRIBE", params=many, id=1))["error"]["code"] == 2
            assert (await c.ask(method="SUBSCRIBE", params=many[:1024], id=2))["result"] is None
            assert "error" in await c.ask(method="SUBSCRIBE", params=[DEPTH], id=3)

    simulate(body)


def test_pings_have_to_be_answered() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as polite:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(
                b"GET /public/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            await polite.listen(1.5)
            rest = await asyncio.wait_for(reader.read(), 5)  # to the end: never answered
            assert rest[0] == 0x89
            assert b"\x88" in rest
            assert int.from_bytes(rest[rest.index(b"\x88") + 2 :][:2], "big") == 1008
            assert (await polite.next())["e"] == "depthUpdate"
            writer.close()

    simulate(body, limits=BinanceLimits(ping_interval_s=0.2, pong_timeout_s=0.6))


def test_connections_have_a_lifetime_and_a_number() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as c, connect(s, "bybit"):
            await c.ended()
            assert c.socket.close_code == 1001
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(url(s, "public") + "/ws")

    simulate(body, limits=BinanceLimits(lifetime_s=0.5, connects=1))
