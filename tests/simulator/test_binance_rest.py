"""Binance's REST: books, the universe, the weight budget."""

import time

from simulator.simulator import Simulator
from sources.instrument import Instrument
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from sources.venues.binance_futures.simulator.rest import Budget
from tests.simulator.clients import BINANCE_BTC, BINANCE_ETH, TrueBook, apply, connect, depth, get, simulate


def test_a_book_is_the_true_one_at_its_number() -> None:
    async def body(s: Simulator) -> None:
        for limit in (5, 1000):
            snapshot = await depth(s, limit=limit)
            book = TrueBook({}, {})
            apply(book, snapshot["bids"], snapshot["asks"])
            assert book == s.true_book(BINANCE_BTC, snapshot["lastUpdateId"]).cut(limit)
            prices = [float(p) for p, _ in snapshot["bids"]]
            assert prices == sorted(prices, reverse=True)
            assert len(prices) == min(limit, len(book.bids))
            assert snapshot["T"] <= snapshot["E"] <= time.time_ns() // 10**6

    simulate(body)


def test_weights_and_errors() -> None:
    async def body(s: Simulator) -> None:
        used = 0
        for limit, weight in ((5, 2), (50, 2), (100, 5), (500, 10), (1000, 20)):
            _, _, headers = await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=limit)
            assert int(headers["X-MBX-USED-WEIGHT-1M"]) - used in (weight, weight - used)  # a minute may begin
            used = int(headers["X-MBX-USED-WEIGHT-1M"])
        assert (await get(s, "/fapi/v1/depth", symbol="NO", limit=5))[:2] == (
            400,
            {"code": -1121, "msg": "Invalid symbol."},
        )
        assert (await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=7))[1]["code"] == -4021
        assert (await get(s, "/fapi/v1/depth"))[1]["code"] == -1102

    simulate(body)


def test_over_budget_is_429_then_418() -> None:
    async def body(s: Simulator) -> None:
        statuses = []
        for _ in range(6):
            status, reply, headers = await get(s, "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
            statuses.append(status)
            if status != 200:
                assert reply["code"] == -1003
                assert 1 <= int(headers["Retry-After"]) <= 60
        assert statuses == [200, 200, 429, 429, 418, 418]

    if time.time() % 60 > 57:  # the budget is that of a minute of the clock
        time.sleep(3)
    simulate(body, limits=BinanceLimits(weight_per_minute=40, refusals_before_ban=2, ban_s=60))


def test_the_budget_begins_anew_every_minute() -> None:
    budget = Budget(BinanceLimits(weight_per_minute=20, refusals_before_ban=1, ban_s=90))
    second = 10**9
    assert budget.charge(20, 30 * second) == (200, 0)
    assert budget.charge(20, 31 * second) == (429, 29)
    assert budget.charge(20, 60 * second) == (200, 0)
    assert budget.charge(1, 61 * second) == (429, 59)
    assert budget.charge(1, 62 * second) == (418, 90)
    assert budget.charge(1, 150 * second) == (418, 2)
    assert budget.charge(1, 152 * second) == (200, 0)


def test_the_universe_has_more_than_what_trades() -> None:
    async def body(s: Simulator) -> None:
        _, info, _ = await get(s, "/fapi/v1/exchangeInfo")
        entries = {e["symbol"]: e for e in info["symbols"]}
        trading = {n for n, e in entries.items() if (e["contractType"], e["status"]) == ("PERPETUAL", "TRADING")}
        assert trading == {"BTCUSDT", "ETHUSDT"} < set(entries)
        tick = next(f["tickSize"] for f in entries["BTCUSDT"]["filters"] if f["filterType"] == "PRICE_FILTER")
        assert (float(tick), entries["BTCUSDT"]["pricePrecision"]) == (0.1, 2)

        s.list_instrument(Instrument("binance_futures", "NEWUSDT"))
        async with connect(s, "public", "/ws/newusdt@depth@100ms/ethusdt@depth@100ms") as c:
            assert {m["s"] for m in await c.listen(0.5)} == {"NEWUSDT", "ETHUSDT"}
            s.delist(BINANCE_ETH)
            await c.listen(0.2)
            assert {m["s"] for m in await c.listen(0.4)} == {"NEWUSDT"}
        _, info, _ = await get(s, "/fapi/v1/exchangeInfo")
        assert {e["symbol"]: e["status"] for e in info["symbols"]}["ETHUSDT"] == "SETTLING"

    simulate(body)


def test_a_small_snapshot_leaves_the_rest_unknown() -> None:
    async def body(s: Simulator) -> None:
        assert len((await depth(s, limit=1000))["bids"]) == 30

    simulate(body, snapshot_levels=30)
