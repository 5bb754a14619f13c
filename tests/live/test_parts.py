"""The parts that need no socket."""

import asyncio

import msgspec
import numpy as np
import pytest

from sources.live.protocol import Answer, Operation
from sources.live.rate_limiter import RateLimiter
from sources.live.snapshot_refresh import KnownRange
from sources.live.staleness import Staleness
from sources.live.websocket import Websocket
from sources.messages import BookMessage, TradeMessage
from sources.tape.batch import DELTA, SNAPSHOT
from sources.tape.collected import NO_LEVELS, Levels
from sources.venues.binance_futures.adapter import snapshot_weight
from sources.venues.binance_futures.protocol import BinanceProtocol
from sources.venues.binance_futures.sequencer import sequencer as futures
from sources.venues.bybit_linear.protocol import BybitProtocol
from sources.venues.bybit_linear.sequencer import sequencer as bybit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_budget_never_exceeds_its_limit_in_any_span() -> None:
    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        budget = RateLimiter(100, 0.2, loop.time)
        times: list[float] = []

        async def spend() -> None:
            await budget.take(20)
            times.append(loop.time())

        await asyncio.gather(*(spend() for _ in range(15)))
        return times

    times = asyncio.run(run())
    assert times[-1] - times[0] < 1.0
    for a, b in zip(times, times[5:], strict=False):
        assert b - a >= 0.2 - 1e-6


def test_budget_serves_by_priority_and_believes_the_exchange() -> None:
    async def run() -> tuple[list[str], float]:
        loop = asyncio.get_running_loop()
        budget = RateLimiter(10, 0.1, loop.time)
        budget.reported(10)
        order: list[str] = []

        async def spend(name: str, priority: int) -> None:
            await budget.take(10, priority)
            order.append(name)

        begin = loop.time()
        await asyncio.gather(spend("later", 1), spend("first", 0), spend("second", 0))
        return order, loop.time() - begin

    order, took = asyncio.run(run())
    assert order == ["first", "second", "later"]
    assert took >= 0.3


def test_budget_pauses() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        budget = RateLimiter(10, 1.0, loop.time)
        budget.pause(0.2)
        begin = loop.time()
        await budget.take(1)
        return loop.time() - begin

    assert asyncio.run(run()) >= 0.2


def test_silence_learns_how_quiet_a_stream_is() -> None:
    s = Staleness(10.0)
    assert not s.overdue(1e9)  # not asked for
    s.start(0.0)
    assert not s.overdue(10.0)
    assert s.overdue(10.1)
    assert s.complain(11.0) == 11.0
    assert not s.overdue(30.0)  # twice the patience
    assert s.overdue(31.1)
    s.heard(35.0)  # 24 s by itself
    assert s.patience == 96.0
    s.stop()
    assert not s.overdue(1e9)


def trade(number: int, name: str = "") -> TradeMessage:
    return TradeMessage("X", 0, 0, number, 1, 1.0, 1.0, name)


def delta(first: int, final: int, previous: int) -> BookMessage:
    return BookMessage("X", DELTA, 0, 0, first, final, previous, NO_LEVELS)


def snapshot(number: int) -> BookMessage:
    return BookMessage("X", SNAPSHOT, 0, 0, number, number, -1, NO_LEVELS)


@pytest.mark.parametrize(("chain", "emitted"), [
    ([(1, 15, 0), (16, 25, 15), (26, 30, 25)], [25, 30]),  # overlaps
    ([(1, 15, 0), (16, 20, 15), (21, 30, 20)], [30]),  # meets
    ([(1, 15, 0)], None),  # behind
    ([(1, 15, 0), (16, 20, 15)], []),  # as far
    ([(21, 25, 20)], [25]),
    ([(23, 25, 22)], None),  # ahead
])  # fmt: skip
def test_futures_splice(chain: list[tuple[int, int, int]], emitted: list[int] | None) -> None:
    s = futures()
    s.snapshot(snapshot(10))
    s.delta(delta(5, 20, 4))
    out = s.splice([delta(*numbers) for numbers in chain])
    assert (None if out is None else [m.final for m in out]) == emitted
    final = emitted[-1] if emitted else 20
    assert s.delta(delta(final + 1, final + 3, final)).value == "emit"


def test_futures_splice_needs_a_book() -> None:
    assert futures().splice([delta(1, 2, 0)]) is None


def test_bybit_splice() -> None:
    s = bybit()
    assert s.splice([snapshot(1)]) is None
    s.snapshot(snapshot(10))
    assert s.splice([snapshot(11), delta(12, 12, -1)]) is None  # in the future
    assert s.splice([snapshot(8), delta(9, 9, -1)]) is None  # in the past
    assert s.splice([snapshot(9), delta(10, 10, -1)]) == []
    assert s.splice([snapshot(9), delta(10, 10, -1), delta(11, 11, -1)]) == [delta(11, 11, -1)]
    assert s.delta(delta(12, 12, -1)).value == "emit"


def test_bybit_splice_needs_the_same_message_since_a_restart_counts_anew() -> None:
    s = bybit()
    s.snapshot(snapshot(10))
    after_restart = [
        msgspec.structs.replace(message, exchange_ts=5)
        for message in (snapshot(1), delta(10, 10, -1), delta(11, 11, -1))
    ]
    assert s.splice(after_restart) is None


def asked(*requests: tuple[Operation, list[str]]) -> list[tuple[Operation, tuple[str, ...]]]:
    async def ask() -> list[tuple[Operation, tuple[str, ...]]]:
        socket = Websocket(BybitProtocol(), 1.0, lambda *_: None, lambda *_: None, lambda *_: None)
        for operation, streams in requests:
            socket.request(operation, streams)
        return list(socket._requests)

    return asyncio.run(ask())


SUB, UNSUB = Operation.SUBSCRIBE, Operation.UNSUBSCRIBE


def test_requests_that_wait_share_messages() -> None:
    books = [(operation, [name]) for name in "abc" for operation in (UNSUB, SUB)]
    assert asked(*books) == [(UNSUB, ("a", "b", "c")), (SUB, ("a", "b", "c"))]


def test_a_request_that_waits_stays_behind_those_about_the_same_stream() -> None:
    assert asked((SUB, ["a"]), (UNSUB, ["a"]), (SUB, ["b", "a"])) == [(SUB, ("a",)), (UNSUB, ("a",)), (SUB, ("b", "a"))]
    assert asked((UNSUB, ["a"]), (SUB, ["a"]), (UNSUB, ["a"])) == [(UNSUB, ("a",)), (SUB, ("a",)), (UNSUB, ("a",))]


def levels(bids: list[float], asks: list[float]) -> Levels:
    side = np.array([1] * len(bids) + [-1] * len(asks), np.int8)
    return Levels(side, np.array(bids + asks), np.ones(len(side)))


def test_known_range() -> None:
    r = KnownRange()
    assert not r.left(levels([1e9], [1e-9]))
    r.widen(levels([100.0, 99.0, 90.0], [101.0, 102.0, 111.0]), 3)
    assert not r.left(levels([106.0], [95.0]))
    assert r.left(levels([], [94.9]))
    assert r.left(levels([106.1], []))
    assert not r.left(levels([1.0], [200.0]))  # far from the touch, as deep levels are
    r.widen(levels([100.0, 99.0], [101.0, 102.0]), 3)  # known to its end
    assert not r.left(levels([1e9], [1e-9]))


@pytest.mark.parametrize(("levels", "weight"), [(5, 2), (50, 2), (100, 5), (500, 10), (1000, 20)])
def test_snapshot_weight(levels: int, weight: int) -> None:
    assert snapshot_weight(levels) == weight


@pytest.mark.parametrize(("raw", "answer"), [
    (b'{"result":null,"id":3}', Answer(3)),
    (b'{"id":3,"result":["x"]}', Answer(3)),
    (b'{"code":2,"msg":"Invalid request"}', Answer(None, "2 Invalid request")),
    (b'{"error":{"code":2,"msg":"no"},"id":3}', Answer(3, "2 no")),
    (b'{"data":{},"stream":"x"}', None),
    (b'{"e":"depthUpdate"}', None),
    (b'{"strea', None),
    (b'{}', None),
])  # fmt: skip
def test_binance_answers(raw: bytes, answer: Answer | None) -> None:
    assert BinanceProtocol().answer(raw) == answer


@pytest.mark.parametrize(("raw", "answer"), [
    (b'{"success":true,"ret_msg":"","req_id":"7","op":"subscribe"}', Answer(7)),
    (b'{"success":true,"ret_msg":"pong","op":"ping"}', Answer(None)),
    (b'{"op":"pong","args":["1"]}', Answer(None)),
    (b'{"success":false,"ret_msg":"error:handler not found","req_id":"7","op":"subscribe"}',
     Answer(7, "error:handler not found")),
    (b'{"success":false,"ret_msg":"error:already subscribed,topic:x","req_id":"7","op":"subscribe"}', Answer(7)),
    (b'{"type":"delta","topic":"x"}', None),
    (b"\xff", None),
])  # fmt: skip
def test_bybit_answers(raw: bytes, answer: Answer | None) -> None:
    assert BybitProtocol().answer(raw) == answer


def test_requests() -> None:
    text = BinanceProtocol().request(Operation.SUBSCRIBE, ["a", "b"], 1)
    assert text == '{"method":"SUBSCRIBE","params":["a","b"],"id":1}'
    text = BybitProtocol().request(Operation.UNSUBSCRIBE, ["a"], 2)
    assert text == '{"op":"unsubscribe","req_id":"2","args":["a"]}'
