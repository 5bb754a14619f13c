"""Bybit's websocket and REST."""

import asyncio

from simulator.simulator import Simulator
from sources.instrument import Instrument
from sources.venues.bybit_linear.simulator.limits import BybitLimits
from tests.simulator.clients import BYBIT_BTC, BYBIT_ETH, bybit_books, connect, get, simulate

BOOK = "orderbook.50.BTCUSDT"


def test_every_book_is_the_true_one() -> None:
    topics = [f"orderbook.{depth}.BTCUSDT" for depth in (1, 50, 200, 1000)]

    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            reply = await c.ask(op="subscribe", req_id="r1", args=topics)
            assert (reply["success"], reply["req_id"], reply["op"]) == (True, "r1", "subscribe")
            await c.listen(1.5)
        for topic, depth in zip(topics, (1, 50, 200, 1000), strict=True):
            books = bybit_books([m for m in c.heard if m["topic"] == topic])
            assert len(books) > 5
            true = s.true_books(BYBIT_BTC, [m["data"]["seq"] for m, _ in books])
            for (message, book), (_, whole) in zip(books, true, strict=True):
                assert book == whole.cut(depth)
                assert message["cts"] <= message["ts"]
            kinds = [m["type"] for m, _ in books]
            assert kinds == ["snapshot"] * len(kinds) if depth == 1 else kinds[1:] == ["delta"] * (len(kinds) - 1)
        orders = {tuple(m) for m in c.heard}
        assert len(orders) == 2  # of keys

    simulate(body)


def test_who_comes_later_gets_a_snapshot_of_the_same_chain() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as one, connect(s, "bybit") as other:
            await one.ask(op="subscribe", args=[BOOK])
            await one.listen(0.3)
            await other.ask(op="subscribe", args=[BOOK])
            await asyncio.gather(one.listen(0.5), other.listen(0.5))
            mine, theirs = bybit_books(one.heard), bybit_books(other.heard)
            at = {m["data"]["u"]: book for m, book in mine}
            assert len([None for m, book in theirs if at.get(m["data"]["u"]) == book]) > 10
            assert [m["type"] for m, _ in mine].count("snapshot") == 1

            await other.ask(op="unsubscribe", args=[BOOK])
            assert await other.listen(0.2) == []
            await other.ask(op="subscribe", args=[BOOK])
            assert (await other.next())["type"] == "snapshot"

    simulate(body)


def test_a_quiet_best_price_is_told_again() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            await c.ask(op="subscribe", args=["orderbook.1.BTCUSDT"])
            first = await c.next()
            s.halt(BYBIT_BTC)
            while True:
                again = await asyncio.wait_for(c.next(), 4)
                if again["data"]["u"] == first["data"]["u"]:
                    break
                first = again
            assert again["ts"] - first["ts"] >= 3000
            assert (again["data"], again["cts"]) == (first["data"], first["cts"])
            s.halt(BYBIT_BTC, False)
            assert (await c.next(lambda m: m["data"]["u"] != first["data"]["u"]))["data"]["u"] > first["data"]["u"]

    simulate(body)


def test_requests() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            bad = await c.ask(op="subscribe", req_id="q", args=["orderbook.500.BTCUSDT"])
            assert (bad["success"], bad["req_id"]) == (False, "q")
            assert bad["ret_msg"].startswith("error:handler not found")
            assert (await c.ask(op="subscribe", args=["orderbook.50.NOUSDT"]))["success"] is False
            assert (await c.ask(op="subscribe", args=[]))["success"] is False
            s.delist(BYBIT_ETH)
            assert (await c.ask(op="subscribe", args=["orderbook.50.ETHUSDT"]))["success"] is False
            s.feeds["bybit_linear"]["ETHUSDT"].trading = True
            assert (await c.ask(op="nothing", args=[]))["success"] is False
            await c.socket.send("no json")
            assert (await c.answer())["success"] is False
            await c.ask(op="subscribe", args=[BOOK])
            twice = await c.ask(op="subscribe", req_id="t", args=[BOOK, "publicTrade.ETHUSDT"])
            assert twice["success"] is False
            assert "already subscribed" in twice["ret_msg"]
            assert (await c.next(lambda m: m["topic"] == "publicTrade.ETHUSDT"))["data"]
            # Two connections, both forms of the pong.
            async with connect(s, "bybit") as other:
                pongs = [await x.ask(op="ping", req_id="p") for x in (c, other)]
            assert sorted(p["op"] for p in pongs) == ["ping", "pong"]
            assert {p["req_id"] for p in pongs} == {"p"}
            assert {p.get("ret_msg") for p in pongs} == {"pong", None}

    simulate(body)


def test_args_have_a_total_length() -> None:
    instruments = tuple(Instrument("bybit_linear", f"S{n}USDT") for n in range(4))

    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            for n, good in enumerate((True, True, False)):
                reply = await c.ask(op="subscribe", args=[f"orderbook.200.S{n}USDT"])  # 20 characters
                assert reply["success"] is good
            await c.ask(op="unsubscribe", args=["orderbook.200.S0USDT"])
            assert (await c.ask(op="subscribe", args=["orderbook.200.S3USDT"]))["success"]

    simulate(body, instruments=instruments, limits=BybitLimits(args_characters=45))


def test_prints() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            await c.ask(op="subscribe", args=["publicTrade.BTCUSDT"])
            messages = await c.listen(1.0)
        prints = [p for m in messages for p in m["data"]]
        assert any(len(m["data"]) > 1 for m in messages)
        assert len({p["i"] for p in prints}) == len(prints) > 50
        assert {p["S"] for p in prints} == {"Buy", "Sell"}
        numbers = [p["seq"] for p in prints]
        assert numbers == sorted(numbers)

    simulate(body, events_per_second=5000.0)


def test_snapshots_out_of_turn_and_restart() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            await c.ask(op="subscribe", args=[BOOK])
            await c.listen(0.2)
            assert s.fault("resnapshot", symbol="BTCUSDT").applied == 1
            await c.listen(0.2)
            for as_delta in (False, True):
                s.fault("restart", venue="bybit_linear", as_delta=as_delta)
                await c.listen(0.2)
        books = bybit_books(c.heard)
        again = [m for m, _ in books if m["type"] == "snapshot" or m["data"]["u"] == 1]
        assert [(m["type"], m["data"]["u"] == 1) for m in again] == [
            ("snapshot", False),
            ("snapshot", False),
            ("snapshot", True),
            ("delta", True),
        ]
        true = s.true_books(BYBIT_BTC, [m["data"]["seq"] for m, _ in books])
        assert all(book == whole.cut(50) for (_, book), (_, whole) in zip(books, true, strict=True))

    simulate(body, instruments=(BYBIT_BTC, BYBIT_ETH))


def test_the_universe_comes_in_pages() -> None:
    names = [f"S{n:02}USDT" for n in range(25)]

    async def body(s: Simulator) -> None:
        found, cursor, pages = [], "", 0
        while pages == 0 or cursor:
            query = {"category": "linear", "limit": 10, "cursor": cursor}
            _, reply, _ = await get(s, "/v5/market/instruments-info", **query)
            found += reply["result"]["list"]
            cursor, pages = reply["result"]["nextPageCursor"], pages + 1
        assert pages == 3
        wanted = ("Trading", "LinearPerpetual", "USDT")
        trading = [e["symbol"] for e in found if (e["status"], e["contractType"], e["settleCoin"]) == wanted]
        assert trading == names
        assert len(found) > len(names)  # those before their launch, and those that expire
        _, reply, _ = await get(s, "/v5/market/instruments-info", category="linear", status="PreLaunch")
        assert [e["symbol"] for e in reply["result"]["list"]] == ["SOONUSDT"]
        for bad in ({}, {"category": "linear", "limit": 1001}, {"category": "linear", "cursor": "x"}):
            assert (await get(s, "/v5/market/instruments-info", **bad))[1]["retCode"] == 10001
        for _ in range(20):
            status, _, _ = await get(s, "/v5/market/instruments-info", category="linear")
        assert status == 403  # and it stays so

    simulate(body, instruments=tuple(Instrument("bybit_linear", n) for n in names), limits=BybitLimits(requests=20))


def test_pings_are_answered_on_the_frame_level_too() -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "bybit") as c:
            await asyncio.wait_for(await c.socket.ping(b"echo"), 2)

    simulate(body)
