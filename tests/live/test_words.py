"""Words of a venue that are new or unwanted: contract types, events, prints that are not from the book."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from dataflows.assembly.listings import list_venue
from dataflows.runtime.metrics import LiveTelemetry
from simulator.thread import simulator_thread
from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.live.context import Context
from sources.live.instrument_state import InstrumentState
from sources.live.recorder import Recorder
from sources.live.rest import RestError
from sources.live.resubscription import Resubscription
from sources.live.row_buffer import RowBuffer
from sources.live.stream import Stream
from sources.live.telemetry import Telemetry
from sources.messages import TradeMessage
from sources.tape.batch import SNAPSHOT, TRADE
from sources.tape.builder import TapeBuilder, TapeTail
from sources.venues.binance_futures import sequencer
from tests.live.rig import BINANCE, BYBIT, Heard, Rig, config
from tests.markets import market

GOLD = Instrument("binance_futures", "XAUUSDT")
USDC = Instrument("bybit_linear", "BTCPERP")
ODD = Instrument("binance_futures", "ODDUSDT")
NEW = Instrument("binance_futures", "NEWUSDT")
STRANGE = Instrument("bybit_linear", "ODDUSDT")


def listed(venue: str, settings: LiveConfig, heard: Telemetry) -> set[str]:
    return {listing.instrument.symbol for listing in asyncio.run(list_venue(venue, settings, heard))}


def test_perpetuals_by_every_name_of_the_venue_and_in_usdt_alone() -> None:
    simulated = market(
        instruments=(BINANCE, GOLD, ODD, NEW, BYBIT, USDC, STRANGE),
        contract_types=((ODD, "EVENT_PERPETUAL"), (NEW, "EVENT_PERPETUAL"), (STRANGE, "LinearEvent")),
    )
    heard = Heard()
    with simulator_thread(simulated, time.time_ns) as sim:
        settings = config(sim.addresses)
        assert listed("binance_futures", settings, heard) == {"BTCUSDT", "XAUUSDT"}
        assert listed("bybit_linear", settings, heard) == {"BTCUSDT"}
    # Known types that are not wanted (CURRENT_QUARTER, LinearFutures) and known coins (USDC) are nothing to tell of.
    assert heard.events == [
        ("unknown", "binance_futures", "contractType", {"EVENT_PERPETUAL": 2}),
        ("unknown", "bybit_linear", "contractType", {"LinearEvent": 1}),
    ]


def test_a_type_that_is_not_known_is_told_once_and_not_at_every_look() -> None:
    simulated = market(instruments=(BINANCE, GOLD, ODD), contract_types=((ODD, "EVENT_PERPETUAL"),))
    with simulator_thread(simulated, time.time_ns) as sim:
        everything = [Instrument("binance_futures", "*")]
        with Rig(everything, config(sim.addresses, universe_interval=0.1), sim) as rig:
            rig.synced(BINANCE)
            rig.synced(GOLD)
            asked = sim.call(lambda s: s.rest["binance_futures"].requests)
            rig.until(lambda: sim.call(lambda s: s.rest["binance_futures"].requests) > asked + 3)
        rig.check(GOLD)
        assert rig.kinds(GOLD) == [SNAPSHOT]
        assert rig.heard.counts["unknown"] == 1


def test_a_list_of_which_nothing_is_known_is_no_empty_market() -> None:
    simulated = market(instruments=(BINANCE,), contract_types=((BINANCE, "Perpetual"),))
    with (
        simulator_thread(simulated, time.time_ns) as sim,
        pytest.raises(RestError, match=r"exchangeInfo lists no perpetual .* not known"),
    ):
        listed("binance_futures", config(sim.addresses), Telemetry())


def test_the_log_names_a_word_once(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = LiveTelemetry()
    for _ in range(3):
        telemetry.unknown("bybit_linear", "contractType", {"LinearEvent": 2, "event": 1})
        telemetry.ignored("binance_futures", "newThing", 5)
        telemetry.off_book(BYBIT, "block trades")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("]")[2].strip().split("  ")[0] for line in lines] == [
        "unknown, left out", "frames ignored", "off-book prints dropped"
    ]  # fmt: skip
    assert "'LinearEvent' 2, 'event' 1" in lines[0]


def test_block_trades_are_dropped_and_counted() -> None:
    simulated = market(instruments=(BYBIT,), block_trades_every=3, events_per_second=2000.0)
    with simulator_thread(simulated, time.time_ns) as sim:
        with Rig([BYBIT], config(sim.addresses), sim) as rig:
            rig.synced(BYBIT)
            rig.until(lambda: rig.heard.count("off_book", BYBIT, "block trades") >= 20)
        rig.check(BYBIT)
        tape = rig.tape(BYBIT)
        trades = tape.kind == TRADE
        assert rig.kinds(BYBIT) == [SNAPSHOT]
        assert int(trades.sum()) >= rig.heard.counts["off_book"] * 2 - 2
        assert 100.0 not in tape.size[trades]
        assert float(tape.price[trades].max() / tape.price[trades].min()) < 1.02


@pytest.mark.parametrize("form", ["combined", "bare", "event"])
def test_an_announced_shutdown_is_handed_over_before_it_comes(form: str) -> None:
    with simulator_thread(market(instruments=(BINANCE,)), time.time_ns) as sim:
        with Rig([BINANCE], config(sim.addresses, hand_over_grace=0.3), sim) as rig:
            rig.synced(BINANCE)
            rig.until(lambda: TRADE in rig.tape(BINANCE).kind)
            sim.fault("shutdown", venue=BINANCE.venue, form=form, delay=4.0)
            rig.until(lambda: rig.heard.counts["handed_over"] >= 2, 8.0)
            rig.wait(0.3)
        rig.check(BINANCE)
        assert rig.kinds(BINANCE) == [SNAPSHOT]
        assert rig.heard.counts["closing"] == 2
        assert rig.heard.count("ignored", "binance_futures", "serverShutdown", 1) == 2
        for nothing in ("lost", "gap", "repeated", "bad_frame", "disconnected"):
            assert rig.heard.counts[nothing] == 0


def test_announcements_without_end_do_not_hurry_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from sources.live.connection import _Hurries

    monkeypatch.setattr("random.uniform", lambda low, high: high)
    now = 0.0
    hurries = _Hurries(LiveConfig({}, backoff_initial=0.5, backoff_max=30.0, backoff_jitter=1.0), lambda: now)
    waits = []
    for _ in range(9):
        wait = hurries.wait()
        waits.append(wait)
        now += wait
    assert waits == [1.0, 2.0, 3.0, 5.0, 9.0, 17.0, 31.0, 31.0, 31.0]
    now += 60.0
    assert hurries.wait() == 1.0


async def _entries(body: bytes) -> tuple[set[str], list[Any]]:
    from sources.live.words import Unknown
    from sources.venues.bybit_linear.instruments import instruments

    class Page:
        url = "http://x"

        async def reserve(self, weight: int) -> None: ...

        async def get(self, path: str, query: object) -> bytes:
            return body

    heard = Heard()
    found = await instruments(Page(), Unknown("bybit_linear", heard))  # type: ignore[arg-type]
    return {listing.instrument.symbol for listing in found}, heard.events


def test_one_entry_that_cannot_be_read_costs_no_other() -> None:
    good = b'{"symbol":"AUSDT","contractType":"LinearPerpetual","status":"Trading","settleCoin":"USDT","priceFilter":{"tickSize":"1"}}'  # noqa: E501
    odd = [
        b'{"symbol":7,"priceFilter":{"tickSize":"1"}}',
        good.replace(b'"Trading"', b'"Paused"').replace(b"AUSDT", b"BUSDT"),
        good.replace(b'"settleCoin":"USDT",', b"").replace(b"AUSDT", b"CUSDT"),
        good.replace(b"AUSDT", b"../D"),
        good.replace(b'"USDT"', b'"USDE"').replace(b"AUSDT", b"EUSDT"),
    ]
    body = b'{"retCode":0,"retMsg":"OK","result":{"list":[%b]}}' % b",".join([*odd, good])
    found, events = asyncio.run(_entries(body))
    assert found == {"AUSDT"}
    assert Counter(field for _, _, field, _ in events) == {"an entry": 1, "status": 1, "settleCoin": 1, "symbol": 1}
    assert ("unknown", "bybit_linear", "settleCoin", {"(missing)": 1, "USDE": 1}) in events
    assert ("unknown", "bybit_linear", "status", {"Paused": 1}) in events


def test_a_dropped_print_is_no_hole_and_is_not_recorded_twice() -> None:
    async def body() -> tuple[Heard, list[int]]:
        heard = Heard()
        context = Context(LiveConfig({}), heard, time.time_ns, RowBuffer(1000), lambda _: TapeTail(), lambda _: None)
        recorder = Recorder(context)
        handler = FeedHandler(sequencer.sequencer(), TapeBuilder())
        streams = {"trade": Stream("trade", "t", 1.0), "book": Stream("book", "b", 1.0)}
        state = InstrumentState(BINANCE, handler, streams, 0.0)
        state.resync = Resubscription(state)
        # Size 0 in the middle, ADL at the end, and after a reconnect all of them again.
        for number, what in ((1, ""), (2, "print of size 0"), (3, ""), (4, "print X=ADL"), (2, "print of size 0"),
                             (4, "print X=ADL"), (5, "")):  # fmt: skip
            recorder.record(state, TradeMessage("BTCUSDT", 1, 1, number, 1, 1.0, 1.0, off_book=what))
        batch = handler.builder.take()
        assert batch is not None
        return heard, batch.sequence.tolist()

    heard, recorded = asyncio.run(body())
    assert recorded == [1, 3, 5]
    assert heard.counts["gap"] == 0
    assert heard.counts["repeated"] == 2
    assert heard.count("off_book") == 2
