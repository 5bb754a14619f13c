"""Every fault on demand, by what a client sees of it."""

import asyncio
import json
import time
from itertools import pairwise

import aiohttp
import pytest
import websockets

from simulator.faults import KINDS, parse_fault
from simulator.schedule import FaultSchedule
from simulator.simulator import Simulator
from sources.errors import TickwaxError
from sources.venues.simulated import simulated_venues
from tests.simulator.clients import (
    ALL,
    BINANCE_BTC,
    BYBIT_BTC,
    Client,
    binance_books,
    bybit_books,
    connect,
    depth,
    get,
    simulate,
    url,
)

DEPTH = "btcusdt@depth@100ms"
BOTH = f"/ws/{DEPTH}/ethusdt@depth@100ms"


def test_dropped_messages_break_one_chain_and_are_logged() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", BOTH) as c:
            await c.listen(0.3)
            fault = s.fault("drop", venue="binance_futures", symbol="BTCUSDT", stream="*@depth*", count=2)
            await c.listen(0.6)
        lost = [e for e in s.sent(BINANCE_BTC, DEPTH) if e.fate == "drop"]
        assert fault.applied == len(lost) == 2
        for symbol, holes in (("BTCUSDT", 1), ("ETHUSDT", 0)):
            events = [m for m in c.heard if m["s"] == symbol]
            assert sum(b["pu"] != a["u"] for a, b in pairwise(events)) == holes
        seen = {m["u"] for m in c.heard if m["s"] == "BTCUSDT"}
        log = s.sent(BINANCE_BTC, DEPTH)
        assert {e.sequence for e in log} >= seen | {e.sequence for e in lost}
        assert not seen & {e.sequence for e in lost}

    simulate(body)


def test_a_stream_falls_silent_on_a_live_socket() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            await c.ask(op="subscribe", args=["orderbook.200.BTCUSDT", "orderbook.200.ETHUSDT"])
            await c.listen(0.1)
            s.fault("silent", stream="orderbook.200.BTCUSDT", seconds=0.6)
            assert {m["topic"] for m in await c.listen(0.5)} == {"orderbook.200.ETHUSDT"}
            assert (await c.ask(op="ping"))["op"] in ("ping", "pong")
            assert {m["topic"] for m in await c.listen(0.5)} == {"orderbook.200.BTCUSDT", "orderbook.200.ETHUSDT"}

    simulate(body)


@pytest.mark.parametrize(
    "kind", ["truncate", "garbage", "oversize", "future", "zero", "renumber", "duplicate", "unknown"]
)
def test_damaged_frames(kind: str) -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as c:
            first = await c.next()
            fault = s.fault(kind, stream="*@depth*", size=300_000)
            raw = await c.raw()
            if kind in ("truncate", "garbage"):
                with pytest.raises(ValueError, match=r"."):
                    json.loads(raw)
            elif kind == "oversize":
                assert len(raw) == 300_000
                assert json.loads(raw)["e"] == "depthUpdate"
            elif kind == "future":
                assert min(json.loads(raw)["E"], json.loads(raw)["T"]) > time.time() * 1000 + 60_000
            elif kind == "zero":
                assert (json.loads(raw)["E"], json.loads(raw)["T"]) == (0, 0)
            elif kind == "renumber":
                assert first["u"] - 1_000_000 < json.loads(raw)["u"] < first["u"] - 900_000
            elif kind == "duplicate":
                assert raw == await c.raw()
            else:
                assert json.loads(raw)["e"] == "somethingNew"
            assert (await c.next())["e"] == "depthUpdate"
            assert fault.applied == 1

    simulate(body)


def test_text_that_is_none_and_frames_that_are_too_large_end_the_connection() -> None:
    async def body(s: Simulator) -> None:
        for kind, code in (("bad_utf8", 1007), ("oversize", 1009)):
            async with connect(s, "public", f"/ws/{DEPTH}") as c:
                await c.next()
                s.fault(kind, stream="*@depth*", size=2 << 20)
                await c.ended()
                assert c.socket.close_code in (code, 1006)

    simulate(body)


def test_abrupt_and_polite_ends() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", BOTH) as c, connect(s, "market", "/ws/btcusdt@aggTrade") as other:
            assert s.fault("reset", venue="binance_futures", stream="*@depth*").applied == 1
            e = await c.ended()
            assert e.rcvd is None  # no close frame
            await other.next()
            assert s.fault("close", code=1012).applied == 1
            await other.ended()
            assert other.socket.close_code == 1012

    simulate(body)


def test_refused_connections() -> None:
    async def body(s: Simulator) -> None:
        s.fault("refuse", venue="bybit_linear")
        with pytest.raises((ConnectionError, websockets.InvalidMessage, EOFError)):
            await websockets.connect(url(s, "bybit"))
        s.fault("refuse", venue="bybit_linear", how="status", status=503)
        with pytest.raises(websockets.InvalidStatus, match="503"):
            await websockets.connect(url(s, "bybit"))
        async with connect(s, "bybit") as c:
            s.fault("refuse", how="closed", seconds=0.4)
            await asyncio.sleep(0.1)
            with pytest.raises(ConnectionRefusedError):
                await websockets.connect(url(s, "public") + "/ws")
            assert (await c.ask(op="ping"))["op"] in ("ping", "pong")  # who is in stays in
            await asyncio.sleep(0.5)
            async with connect(s, "public", f"/ws/{DEPTH}") as again:
                await again.next()
        with pytest.raises(TickwaxError, match="seconds"):
            s.fault("refuse", how="closed")

    simulate(body)


def test_subscriptions_that_lead_nowhere() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", "/ws") as c, connect(s, "bybit") as b:
            s.fault("ignore_subscribe", symbol="BTCUSDT", count=2)
            assert (await c.ask(method="SUBSCRIBE", params=[DEPTH], id=1))["result"] is None
            assert (await b.ask(op="subscribe", args=["orderbook.50.BTCUSDT"]))["success"]
            assert await c.listen(0.3) == await b.listen(0.1) == []
            s.fault("reject_subscribe", count=2)
            assert "error" in await c.ask(method="SUBSCRIBE", params=["ethusdt@depth"], id=2)
            assert not (await b.ask(op="subscribe", args=["orderbook.50.ETHUSDT"]))["success"]
            await b.ask(op="unsubscribe", args=["orderbook.50.BTCUSDT"])
            await b.ask(op="subscribe", args=["orderbook.50.BTCUSDT"])
            assert (await b.next())["type"] == "snapshot"

    simulate(body)


def test_trades_come_again_after_a_reconnect() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "market", "/ws/btcusdt@aggTrade") as c:
            before = [m["a"] for m in await c.listen(1.0)]
        s.fault("repeat_trades", symbol="BTCUSDT")
        async with connect(s, "market", "/ws/btcusdt@aggTrade") as c:
            after = [m["a"] for m in await c.listen(0.4)]
        assert len(before) > 3
        assert len(set(before) & set(after)) >= 3

    simulate(body)


def test_bursts() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", BOTH) as c:
            await c.listen(0.2)
            s.fault("burst", delay=0.6)
            assert await c.listen(0.45) == []
            assert len(await c.listen(0.25)) >= 10

    simulate(body)


def test_failing_late_stale_and_torn_snapshots() -> None:
    async def body(s: Simulator) -> None:
        for status in (500, 429, 418):
            s.fault("rest_status", venue="binance_futures", symbol="BTCUSDT", status=status, retry_after=7)
            got, _, headers = await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=5)
            assert (got, headers.get("Retry-After")) == (status, None if status == 500 else "7")
        async with connect(s, "public", f"/ws/{DEPTH}") as c:
            first = await c.next()
            await c.listen(0.5)
            s.fault("rest_delay", delay=0.5)
            asked = time.monotonic()
            late = await depth(s)
            assert time.monotonic() - asked >= 0.5
            await c.listen(0.3)
            binance_books(late, c.heard)
            s.fault("rest_stale", age=10.0)
            stale = await depth(s)
            assert stale["lastUpdateId"] < first["U"]
            assert stale["bids"][0][0].count(".") == 1
        s.fault("rest_truncate")
        assert isinstance((await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=5))[1], str)
        s.fault("rest_status", venue="bybit_linear", status=500)
        assert (await get(s, "/v5/market/instruments-info", category="linear"))[0] == 500
        s.fault("rest_status", stream="/fapi/v1/exchangeInfo")
        assert (await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=5))[0] == 200
        assert (await get(s, "/fapi/v1/exchangeInfo"))[0] == 500

    simulate(body)


@pytest.mark.parametrize("instrument", [BINANCE_BTC, BYBIT_BTC], ids=str)
def test_a_crossed_book_is_part_of_the_truth(instrument) -> None:  # type: ignore[no-untyped-def]
    async def body(s: Simulator) -> None:
        binance = instrument is BINANCE_BTC
        async with connect(s, "public", f"/ws/{DEPTH}") if binance else connect(s, "bybit") as c:
            await (c.next() if binance else c.ask(op="subscribe", args=["orderbook.200.BTCUSDT"]))
            snapshot = await depth(s) if binance else None
            await c.listen(0.3)
            s.fault("cross", venue=instrument.venue, symbol="BTCUSDT", delay=0.4)
            await c.listen(1.0)
        if binance:
            books = list(binance_books(snapshot, c.heard).items())
        else:
            books = [(m["data"]["seq"], book) for m, book in bybit_books(c.heard)]
        crossed = [max(book.bids) >= min(book.asks) for _, book in books]
        assert 2 <= sum(crossed) < len(crossed) - 4
        assert not crossed[-1]
        depth_shown = None if binance else 200
        for (_, book), (_, true) in zip(books, s.true_books(instrument, [n for n, _ in books]), strict=True):
            assert book == true.cut(depth_shown)

    simulate(body)


def test_every_third_message() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as c:
            await c.next()
            s.fault("garbage", stream="*@depth*", seconds=60.0, every=3)
            bad = []
            for _ in range(12):
                try:
                    json.loads(await c.raw())
                    bad.append(False)
                except ValueError:
                    bad.append(True)
            at = bad.index(True)
            assert bad[at:] == [n % 3 == 0 for n in range(12 - at)]

    simulate(body)


def test_a_snapshot_of_the_future_and_one_that_is_numbered_anew() -> None:
    async def body(s: Simulator) -> None:
        sound = await depth(s)
        s.fault("rest_future", ahead=100.0)
        assert (await depth(s))["T"] > sound["T"] + 99_000
        s.fault("rest_renumber", back=1_000)
        assert (await depth(s))["lastUpdateId"] < sound["lastUpdateId"]
        s.fault("rest_huge", size=300_000)
        huge = await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=5)
        assert huge[0] == 200
        assert set(huge[1]) == set(sound)

    simulate(body)


def test_faults_that_cannot_be() -> None:
    for fields in (
        {"kind": "no"},
        {"kind": "drop", "colour": 1},
        {"kind": "drop", "count": 0},
        {"kind": "close", "code": 3},
    ):
        with pytest.raises(TickwaxError, match=r"^fault: "):
            parse_fault(fields)
    with pytest.raises(TickwaxError, match=r"^fault: "):
        parse_fault(b"{")


def test_the_control_endpoint() -> None:
    async def body(s: Simulator) -> None:
        root = s.addresses["venues.bybit_linear.rest"]
        async with connect(s, "public", BOTH) as c, aiohttp.ClientSession() as http:
            await c.next()
            fault = {"kind": "silent", "symbol": "BTCUSDT", "seconds": 60}
            async with http.post(f"{root}/control/fault", json=fault) as reply:
                assert reply.status == 200
            await c.listen(0.1)
            assert {m["s"] for m in await c.listen(0.4)} == {"ETHUSDT"}
            async with http.delete(f"{root}/control/fault"):
                pass
            assert {m["s"] for m in await c.listen(0.4)} == {"BTCUSDT", "ETHUSDT"}
            async with http.post(f"{root}/control/fault", json={"kind": "drop", "x": 1}) as reply:
                assert reply.status == 400
                assert "x" in (await reply.json())["error"]
            async with http.get(f"{root}/control/status") as reply:
                status = await reply.json()
            assert status["faults"][0]["fault"]["kind"] == "silent"
            assert status["faults"][0]["applied"] > 0
            assert status["connections"][0]["streams"] == [DEPTH, "ethusdt@depth@100ms"]

    simulate(body)


def test_random_faults_follow_from_the_seed_and_cover_every_kind() -> None:
    def faults(seed: int) -> list[str]:
        schedule = FaultSchedule(seed, 60.0, ALL, 0, simulated_venues())
        return [repr(f) for f in schedule.due(1000 * 10**9)]

    assert faults(1) == faults(1) != faults(2)
    assert 700 < len(faults(1)) < 1300
    kinds = {f.kind for f in FaultSchedule(1, 60.0, ALL, 0, simulated_venues()).due(1000 * 10**9)}
    assert kinds == set(KINDS)


def test_a_storm_of_random_faults_does_not_harm_the_exchange() -> None:
    async def client(s: Simulator, venue: str) -> int:
        heard = 0
        while True:
            try:
                async with connect(s, venue, "" if venue == "bybit" else BOTH) as c:
                    if venue == "bybit":
                        await c.socket.send(
                            json.dumps({"op": "subscribe", "args": ["orderbook.200.BTCUSDT", "publicTrade.BTCUSDT"]})
                        )
                    while True:
                        await c.raw()
                        heard += 1
                        if heard % 50 == 0:
                            await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
            except (OSError, TimeoutError, websockets.WebSocketException, aiohttp.ClientError):
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                return heard

    async def body(s: Simulator) -> None:
        tasks = [asyncio.create_task(client(s, venue)) for venue in ("public", "bybit")]
        await asyncio.sleep(2.0)
        pending = set(tasks)
        while pending:  # Python 3.11's `wait_for` may lose a cancellation that comes together with a message
            for task in pending:
                task.cancel()
            pending = (await asyncio.wait(pending, timeout=0.1))[1]
        assert min(await asyncio.gather(*tasks)) > 5
        s._schedule = None  # the storm is over
        s.clear()
        await asyncio.sleep(0.3)
        async with connect(s, "public", BOTH) as c:
            calm: Client = c
            await calm.next()
        assert len(s.fault_log) > 20

    simulate(body, faults_per_minute=1500.0)
