"""Mark prices, funding, open interest and liquidations beside the books: recorded, and of no cost to a book."""

from collections.abc import Iterator

import numpy as np
import pytest

from simulator.thread import SimulatorThread
from sources.instrument import Instrument
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, RESET, TapeBatch, is_derivative, market_rows
from tests.importers.captures import check_invariants
from tests.live.rig import BINANCE, BOTH, BYBIT, Rig, config

pytestmark = pytest.mark.slow

DERIVATIVES = (MARK, FUNDING, OPEN_INTEREST, LIQUIDATION)
STREAMS = {
    BINANCE: ("btcusdt@markPrice@1s", "btcusdt@forceOrder"),
    BYBIT: ("tickers.BTCUSDT", "allLiquidation.BTCUSDT"),
}


@pytest.fixture
def rig(sim: SimulatorThread) -> Iterator[Rig]:
    with Rig(BOTH, config(sim.addresses, derivatives=True, poll_interval=0.2), sim) as rig:
        yield rig


def count(rig: Rig, instrument: Instrument, kind: int) -> int:
    return int((rig.tape(instrument).kind == kind).sum())


def all_kinds(rig: Rig, instrument: Instrument, times: int = 1) -> bool:
    return all(count(rig, instrument, kind) >= times for kind in DERIVATIVES)


def rows(batch: TapeBatch, kind: int) -> TapeBatch:
    return TapeBatch._make(column[batch.kind == kind] for column in batch)


def check(rig: Rig, instrument: Instrument) -> None:
    """The tape as a whole, and its books and trades against the exchange's."""
    check_invariants(rig.tape(instrument))
    tape = market_rows(rig.tape(instrument))
    rig._parts[instrument] = [tape._replace(ordinal=np.arange(tape.rows))]
    rig.check(instrument)


@pytest.mark.parametrize("instrument", BOTH)
def test_what_is_recorded_is_what_was_sent(rig: Rig, instrument: Instrument) -> None:
    rig.until(lambda: all_kinds(rig, instrument, 2), 60.0)
    tape = rig.tape(instrument)
    mark, funding, interest, liquidation = (rows(tape, kind) for kind in DERIVATIVES)
    assert ((mark.price > 90_000) & (mark.price < 100_000) & (mark.size > 90_000) & (mark.size < 100_000)).all()
    assert (funding.size[-1], funding.sequence[-1] % 28_800_000) == (8.0, 0)
    assert (abs(funding.price) < 0.01).all()
    assert (funding.sequence * 1_000_000 > funding.exchange_ts).all()
    assert (interest.size > 0).all()
    assert set(liquidation.side) <= {-1, 1}
    assert rig.sim is not None
    feed = rig.sim.call(lambda simulator: list(simulator.feeds[instrument.venue]["BTCUSDT"].derivatives.liquidations))
    sent = {(one.time_ms * 1_000_000, one.side, float(one.price), float(one.size)) for one in feed}
    columns = (liquidation.exchange_ts, liquidation.side, liquidation.price, liquidation.size)
    told = list(zip(*(column.tolist() for column in columns), strict=True))
    assert set(told) <= sent
    assert len(set(told)) == len(told)
    check(rig, instrument)


def test_off(sim: SimulatorThread) -> None:
    with Rig(BOTH, config(sim.addresses, derivatives=False), sim) as rig:
        rig.wait(2.0)
    assert not any(is_derivative(rig.tape(instrument).kind).any() for instrument in BOTH)
    streams = {entry.stream for entry in sim.call(lambda simulator: list(simulator.log))}
    assert streams
    assert streams.isdisjoint({*STREAMS[BINANCE], *STREAMS[BYBIT]})


@pytest.mark.parametrize("kind", ["ignore_subscribe", "reject_subscribe"])
def test_streams_that_are_silent_or_unknown_cost_nothing(sim: SimulatorThread, kind: str) -> None:
    for instrument in BOTH:
        for stream in STREAMS[instrument]:
            sim.fault(kind, venue=instrument.venue, stream=stream, seconds=60.0)
    settings = config(sim.addresses, derivatives=True, ticker_silence=0.3, refused_wait=0.2)
    with Rig(BOTH, settings, sim) as rig:
        for instrument in BOTH:
            rig.synced(instrument)
        rig.wait(2.5)
    for instrument in BOTH:
        assert rig.kinds(instrument).count(RESET) == 0
        assert not any((rig.tape(instrument).kind == kind).any() for kind in (MARK, FUNDING, LIQUIDATION))
        check(rig, instrument)
        if kind == "ignore_subscribe":
            assert rig.heard.count("stale", instrument, "ticker") == 1
            assert rig.heard.count("stale", instrument, "liquidation") == 0
    if kind == "reject_subscribe":
        streams = [stream for instrument in BOTH for stream in STREAMS[instrument]]
        assert [sum(stream in event for event in rig.heard.events if event[0] == "refused") for stream in streams] == [
            1, 1, 1, 1
        ]  # fmt: skip
    assert rig.heard.counts["lost"] == rig.heard.counts["disconnected"] == rig.heard.counts["gap"] == 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("garbage", {"count": 3}),
        ("truncate", {"count": 2}),
        ("future", {}),
        ("retype", {}),
        ("silent", {"seconds": 1.5}),
    ],
)
def test_damaged_frames_cost_no_book(sim: SimulatorThread, kind: str, fields: dict[str, float]) -> None:
    with Rig(BOTH, config(sim.addresses, derivatives=True), sim) as rig:
        for instrument in BOTH:
            rig.synced(instrument)
            rig.until(lambda instrument=instrument: count(rig, instrument, MARK) > 0)
        faults = [
            sim.fault(kind, venue=instrument.venue, stream=STREAMS[instrument][0], **fields) for instrument in BOTH
        ]
        rig.until(lambda: all(fault.applied for fault in faults))
        rig.wait(1.5)
    for instrument in BOTH:
        assert rig.kinds(instrument).count(RESET) == 0
        check(rig, instrument)


def test_a_lost_connection_of_derivatives_costs_no_book(rig: Rig) -> None:
    assert rig.sim is not None
    for instrument in BOTH:
        rig.synced(instrument)
        rig.until(lambda instrument=instrument: count(rig, instrument, MARK) > 0)
    for instrument in BOTH:
        assert rig.sim.fault("reset", venue=instrument.venue, stream=STREAMS[instrument][0]).applied == 1
    before = [count(rig, instrument, MARK) for instrument in BOTH]
    rig.until(lambda: all(count(rig, i, MARK) > n + 1 for i, n in zip(BOTH, before, strict=True)), 20.0)
    for instrument in BOTH:
        assert rig.kinds(instrument).count(RESET) == 0
        check(rig, instrument)


def test_a_handed_over_connection_repeats_nothing(sim: SimulatorThread) -> None:
    settings = config(sim.addresses, derivatives=True, connection_lifetime=1.5, hand_over_grace=0.5)
    with Rig(BOTH, settings, sim) as rig:
        rig.until(lambda: rig.heard.counts["handed_over"] >= 8, 40.0)
    for instrument in BOTH:
        tape = rig.tape(instrument)
        for kind in (MARK, FUNDING, LIQUIDATION):
            of_kind = rows(tape, kind)
            columns = (of_kind.exchange_ts, of_kind.side, of_kind.price, of_kind.size)
            told = list(zip(*(column.tolist() for column in columns), strict=True))
            assert len(set(told)) == len(told)
        assert count(rig, instrument, MARK) > 3
        check(rig, instrument)


def test_open_interest_waits_for_a_venue_that_refuses(sim: SimulatorThread) -> None:
    sim.fault("rest_status", venue="binance_futures", stream="/fapi/v1/openInterest", status=503, count=3)
    with Rig([BINANCE], config(sim.addresses, derivatives=True, poll_interval=0.1), sim) as rig:
        rig.synced(BINANCE)
        rig.until(lambda: count(rig, BINANCE, OPEN_INTEREST) >= 2, 20.0)
    assert sum("open interest" in str(event) for event in rig.heard.events if event[0] == "refused") == 1
    assert rig.kinds(BINANCE).count(RESET) == 0
