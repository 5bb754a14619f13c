"""Playing real captures back."""

import asyncio
import gzip
import json
from bisect import bisect_right
from pathlib import Path

import pytest

from simulator.simulator import Simulator
from sources.errors import TickwaxError
from sources.venues.binance_futures.simulator.capture import read_capture
from sources.venues.binance_futures.simulator.topics import BINANCE
from tests.simulator.clients import BINANCE_BTC, Client, binance_books, connect, depth, simulate

pytestmark = pytest.mark.slow

DEPTH = "btcusdt@depth@100ms"


@pytest.fixture(scope="module")
def capture(market_data: Path) -> Path:
    return market_data / "binance_usdm" / "btcusdt_20240808.gz"


async def _everything(s: Simulator, c: Client) -> None:
    feed = s.feeds[BINANCE]["BTCUSDT"]
    while not feed.finished:  # type: ignore[attr-defined]
        await c.listen(0.3)
    await c.listen(0.3)


def test_the_rebuilt_book_is_the_recorded_best_price(capture: Path) -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/btcusdt@bookTicker/{DEPTH}") as c:
            await c.next()
            await _everything(s, c)
            snapshot = await depth(s)
        events = [m for m in c.heard if m["e"] == "depthUpdate"]
        quotes = [m for m in c.heard if m["e"] == "bookTicker"]
        numbers = [m["u"] for m in quotes]
        assert len(events) > 6500
        assert len(quotes) > 66_000
        recorded = json.loads(read_capture(capture).snapshot_payload)
        compared = 0
        book: dict[bool, dict[float, float]] = {True: {}, False: {}}
        for side, levels in ((True, recorded["bids"]), (False, recorded["asks"])):
            book[side] |= {float(p): float(q) for p, q in levels}
        for event in events:
            if event["u"] < recorded["lastUpdateId"]:
                continue
            for side, levels in ((True, event["b"]), (False, event["a"])):
                for price, size in levels:
                    book[side][float(price)] = float(size)
                    if not float(size):
                        del book[side][float(price)]
            if event["u"] >= numbers[0]:
                compared += 1
                quote = quotes[bisect_right(numbers, event["u"]) - 1]  # the newest at that number
                assert (max(book[True]), min(book[False])) == (float(quote["b"]), float(quote["a"]))
        assert compared > 6500
        # What REST serves at the end is the same book.
        assert snapshot["lastUpdateId"] == events[-1]["u"]
        assert [float(p) for p, _ in snapshot["bids"]] == sorted(book[True], reverse=True)[:1000]

    simulate(body, instruments=(), captures=(capture,), speed=0.0)


def test_messages_are_the_recorded_bytes_and_a_snapshot_joins_whenever_it_is_asked_for(capture: Path) -> None:
    lines = [line.payload for line in read_capture(capture).lines if line.kind == "depth@0ms"]

    async def body(s: Simulator) -> None:
        async with connect(s, "public", "/ws/btcusdt@depth@0ms/btcusdt@trade") as c:
            early = await depth(s)
            raw = [await c.raw() for _ in range(400)]
            c.heard += [json.loads(r) for r in raw]
            middle = await depth(s)
            await c.listen(0.5)
        told = [r.encode() if isinstance(r, str) else r for r in raw if '"depthUpdate"' in str(r)]
        assert told == lines[: len(told)]
        assert early["lastUpdateId"] == 5123107852948  # the recorded reply
        assert middle["lastUpdateId"] > early["lastUpdateId"]
        events = [m for m in c.heard if m["e"] == "depthUpdate"]
        first, second = binance_books(early, events), binance_books(middle, events)
        # Beyond the snapshot's thousand levels, each knows only what has changed since.
        for number in set(first) & set(second):
            (bids, asks), (other_bids, other_asks) = first[number].cut(500), second[number].cut(500)
            assert (bids, asks) == (other_bids, other_asks)
        for number, true in s.true_books(BINANCE_BTC, sorted(first)):
            assert first[number] == true

    simulate(body, instruments=(), captures=(capture,), speed=20.0)


def test_prints_also_come_as_aggregates(capture: Path) -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}/btcusdt@trade") as c, connect(s, "market", "/ws") as m:
            await m.ask(method="SUBSCRIBE", params=["btcusdt@aggTrade"], id=1)
            await asyncio.gather(c.listen(0.7), m.listen(0.7))
        prints = {p["t"]: (p["p"], p["q"], p["m"], p["T"]) for p in c.heard if p["e"] == "trade" and p["X"] == "MARKET"}
        aggregates = {p["a"]: (p["p"], p["q"], p["m"], p["T"]) for p in m.heard}
        both = set(prints) & set(aggregates)
        assert len(both) > 50
        assert all(prints[n] == aggregates[n] for n in both)

    simulate(body, instruments=(), captures=(capture,), speed=50.0)


def test_speed(capture: Path) -> None:
    async def body(s: Simulator) -> None:
        async with connect(s, "public", f"/ws/{DEPTH}") as c:
            await c.listen(1.0)
        spans = [m["E"] for m in c.heard]
        assert 7_000 < spans[-1] - spans[0] < 11_000  # ms of 2024 in a second

    simulate(body, instruments=(), captures=(capture,), speed=10.0)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('x {"stream":"a@b","data":{}}\n', "receive time"),
        ('1723161255030314667 {"stream":"nothing"}\n', "combined stream"),
        ('1723161255030314667 {"stream":"a@trade","data":{}}\n', "0 REST books"),
        (
            '1723161255030314667 {"stream":"a@trade","data":{}}\n1723161255030314668 {"lastUpdateId":1}\n',
            "cannot be read",
        ),
    ],
)
def test_captures_that_are_none(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "c.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(TickwaxError, match=what):
        read_capture(path)
