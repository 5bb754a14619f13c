"""Recovery whose patience only a book that stays known restores."""

from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest

from simulator.thread import SimulatorThread
from sources.decimals import parse_levels
from sources.feed_handler import FeedHandler
from sources.live.instrument_state import InstrumentState
from sources.live.protocol import Operation
from sources.live.stream import Stream
from sources.live.websocket import Websocket
from sources.messages import BookMessage
from sources.sequencer import Outcome
from sources.tape.batch import DELTA, KINDS, SNAPSHOT
from sources.tape.builder import TapeBuilder
from sources.venues.binance_futures.sequencer import sequencer as futures
from sources.venues.bybit_linear.sequencer import sequencer as bybit
from tests.live.rig import BINANCE, BYBIT, Rig, config


class Minute:
    """An instrument whose book is lost again as soon as it may be asked for."""

    def __init__(self, answered: bool) -> None:
        stream = Stream("book", "x", 1.0)
        self.state = InstrumentState(BYBIT, FeedHandler(bybit(), TapeBuilder()), {"book": stream, "trade": stream}, 0.0)
        self.asked: list[float] = []
        self._answered = answered

    def run(self, seconds: float) -> list[float]:
        """When the book was asked for."""
        for tick in range(int(seconds * 10)):
            now = tick / 10
            self.state.lose(now)
            if self.state.may_ask(now, waited=True):
                self.state.ask(now)
                self.asked.append(now)
                if self._answered:
                    self.state.know(now)
        return self.asked


def test_frames_that_cannot_be_read_are_asked_for_ever_more_rarely() -> None:
    assert Minute(answered=False).run(60.0) == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_a_snapshot_that_is_good_does_not_restore_the_patience() -> None:
    """What comes behind it may be as bad as before."""
    assert len(Minute(answered=True).run(60.0)) <= 8


def test_a_book_that_stayed_known_is_asked_for_at_once() -> None:
    minute = Minute(answered=True)
    minute.run(60.0)
    state = minute.state
    state.know(100.0)
    assert state.lose(111.0)
    assert state.may_ask(111.0, waited=False)


LEVELS = parse_levels([msgspec.Raw(b'[["99","1"]]'), msgspec.Raw(b'[["101","1"]]')])[0]


def message(kind: int, final: int, receive_s: float = 0.0, previous: int = -1, first: int | None = None) -> BookMessage:
    ts = int(receive_s * 1e9)
    return BookMessage("X", kind, ts, ts, final if first is None else first, final, previous, LEVELS)


def kinds(handler: FeedHandler) -> list[str]:
    batch = handler.builder.take()
    assert batch is not None
    return [KINDS[k] for k in batch.kind[batch.last]]


def test_a_snapshot_behind_a_hole_is_preceded_by_a_reset() -> None:
    """Two resubscriptions: what lay between the second one's end and its snapshot never came."""
    handler = FeedHandler(bybit(), TapeBuilder())
    for m in (message(SNAPSHOT, 10), message(DELTA, 11), message(SNAPSHOT, 14), message(DELTA, 15)):
        assert handler.book(m) is Outcome.EMIT
    assert kinds(handler) == ["snapshot", "delta", "reset", "snapshot", "delta"]
    assert handler.sequencer.gaps == 1


@pytest.mark.parametrize("number", [11, 12, 7, 1])
def test_a_snapshot_that_continues_or_begins_anew_is_no_hole(number: int) -> None:
    handler = FeedHandler(bybit(), TapeBuilder())
    for m in (message(SNAPSHOT, 10), message(DELTA, 11), message(SNAPSHOT, number)):
        handler.book(m)
    assert kinds(handler) == ["snapshot", "delta", "snapshot"]


def test_snapshots_of_depth_1_need_not_follow_one_another() -> None:
    handler = FeedHandler(bybit(numbered=False), TapeBuilder())
    for number in (10, 14, 90):
        handler.book(message(SNAPSHOT, number))
    assert kinds(handler) == ["snapshot"] * 3


def test_a_snapshot_ahead_of_the_stream_is_lost_after_seconds() -> None:
    """Every delta would be stale for ever, and the book called known."""
    handler = FeedHandler(futures(), TapeBuilder())
    assert handler.book(message(DELTA, 10, 0.0, previous=9)) is Outcome.HOLD
    assert handler.book(message(SNAPSHOT, 10**6, 0.1)) is Outcome.EMIT
    outcomes = Counter(handler.book(message(DELTA, 10 + n, 0.1 + n * 0.1, previous=9 + n)) for n in range(1, 80))
    assert outcomes == {Outcome.DROP: 50, Outcome.GAP: 1, Outcome.HOLD: 28}
    assert kinds(handler) == ["snapshot", "reset"]
    assert not handler.sequencer.synced
    assert handler.book(message(SNAPSHOT, 85, 8.2)) is Outcome.EMIT  # and is fetched again
    assert handler.sequencer.synced


def test_a_quiet_market_keeps_its_snapshot() -> None:
    handler = FeedHandler(futures(), TapeBuilder())
    handler.book(message(DELTA, 10, 0.0, previous=9))
    handler.book(message(SNAPSHOT, 12, 0.1))
    assert handler.book(message(DELTA, 11, 0.2, previous=10)) is Outcome.DROP
    assert handler.book(message(DELTA, 15, 99.0, previous=11, first=12)) is Outcome.EMIT


@pytest.mark.slow
def test_a_field_that_changes_its_type(sim: SimulatorThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame of the book is unreadable: few requests, and all is well once the field is a number again."""
    asked: list[str] = []
    request = Websocket.request

    def counted(self: Websocket, operation: Operation, streams: Iterable[str]) -> None:
        names = list(streams)
        asked.extend(name for name in names if operation is Operation.SUBSCRIBE)
        request(self, operation, names)

    with Rig([BYBIT, BINANCE], config(sim.addresses)) as rig:
        rig.synced(BYBIT)
        rig.synced(BINANCE)
        monkeypatch.setattr(Websocket, "request", counted)
        sim.fault("retype", stream="orderbook.*", seconds=5.0)
        rig.until(lambda: rig.heard.count("lost", BYBIT) == 1)
        rig.until(lambda: rig.heard.count("synced", BYBIT) == 2, timeout=20.0)
        rig.until(lambda: rig.heard.count("synced", BINANCE) == 1)
        assert asked in [["orderbook.50.BTCUSDT"] * n for n in (2, 3, 4, 5)]
        assert rig.heard.count("lost") == 1
        assert rig.heard.count("bad_frame", "bybit_linear") > 20
