"""From a simulated OKX through the live path to a tape: its books are the true ones, in base currency."""

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from simulator.thread import SimulatorThread, simulator_thread
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.config import LiveConfig
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE
from sources.venues.okx_swap.simulator.limits import OkxLimits
from sources.venues.okx_swap.simulator.topics import MULTIPLIERS
from tests.live.rig import OKX, Rig, config
from tests.markets import market

ETH = Instrument("okx_swap", "ETH-USDT-SWAP")
ODD = Instrument("okx_swap", "ODD-USDT-SWAP")  # a contract is half a unit: no power of ten
ALL = (OKX, ETH, ODD)


@pytest.fixture
def sim() -> Iterator[SimulatorThread]:
    limits = OkxLimits(silence_s=0.5)
    with simulator_thread(market(instruments=ALL, limits=limits), time.time_ns) as running:
        yield running


def settings(sim: SimulatorThread, **options: object) -> LiveConfig:
    return config(sim.addresses, **options)  # type: ignore[arg-type]


def test_books_and_trades_are_the_true_ones(sim: SimulatorThread) -> None:
    with Rig([Instrument("okx_swap", "*")], settings(sim), sim) as rig:
        for instrument in ALL:
            rig.synced(instrument)
        rig.wait(1.0)
    assert {event[1] for event in rig.heard.events if event[0] == "synced"} == set(ALL)
    for instrument in ALL:
        rig.check(instrument)
        tape = rig.tape(instrument)
        assert rig.kinds(instrument) == [SNAPSHOT]
        assert {DELTA, TRADE} <= set(tape.kind.tolist())
    assert rig.heard.counts["bad_frame"] == rig.heard.counts["gap"] == 0


def test_what_is_recorded_of_a_print_is_what_the_market_traded(sim: SimulatorThread) -> None:
    """Sizes of prints, of which the simulator's log says nothing: whole lots of the base currency."""
    with Rig([OKX, ODD], settings(sim), sim) as rig:
        for instrument in (OKX, ODD):
            rig.until(lambda i=instrument: (rig.tape(i).kind == TRADE).sum() > 20)  # type: ignore[misc]
    for instrument in (OKX, ODD):
        tape = rig.tape(instrument)
        digits = sim.call(lambda s, i=instrument: s.feeds[i.venue][i.symbol].parameters.size_digits)  # type: ignore[misc]
        for size in tape.size[tape.kind == TRADE].tolist():
            assert size > 0.0
            assert size == float(f"{size:.{digits}f}")


@pytest.mark.parametrize("kind", ["drop", "truncate", "garbage", "future", "zero", "duplicate"])
def test_a_damaged_book_frame_costs_one_book_and_is_told(sim: SimulatorThread, kind: str) -> None:
    with Rig([OKX, ETH], settings(sim), sim) as rig:
        rig.synced(OKX)
        rig.synced(ETH)
        sim.fault(kind, venue="okx_swap", symbol=OKX.symbol, stream="books:*")
        rig.synced(OKX, 2)
        # What cannot be read at all may have been any book of the connection.
        rig.synced(ETH, 2 if kind == "garbage" else 1)
    rig.check(OKX)
    rig.check(ETH)
    assert rig.kinds(OKX) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.kinds(ETH) == ([SNAPSHOT, RESET, SNAPSHOT] if kind == "garbage" else [SNAPSHOT])
    assert rig.heard.counts["gap"] == (kind in ("drop", "duplicate"))


def test_a_reset_of_the_numbers_costs_nothing(sim: SimulatorThread) -> None:
    with Rig([OKX], settings(sim), sim) as rig:
        rig.synced(OKX)
        assert sim.fault("restart", venue="okx_swap").applied == 1
        rig.until(lambda: bool((rig.tape(OKX).sequence < 10_000).any()))
        rig.wait(0.5)
    rig.check(OKX)
    assert rig.kinds(OKX) == [SNAPSHOT]
    sequence = rig.tape(OKX).sequence[rig.tape(OKX).kind != TRADE]
    assert sequence[0] > sequence[-1] > sequence.min()


def test_a_quiet_book_says_that_it_lives_and_is_not_taken_for_stale(sim: SimulatorThread) -> None:
    # Patience of 0.2 s with every venue, of 1.5 s with this one; the exchange speaks after 0.5 s.
    with Rig([OKX], settings(sim, silence=1.5, book_silence=0.2), sim) as rig:
        rig.synced(OKX)
        sim.call(lambda s: s.halt(OKX))
        rig.wait(2.0)
        beats = sim.call(lambda s: s.sent(OKX, f"books:{OKX.symbol}")[-3:])
        sim.call(lambda s: s.halt(OKX, halted=False))
        rig.wait(0.5)
    assert len({beat.sequence for beat in beats}) == 1
    rig.check(OKX)
    assert rig.kinds(OKX) == [SNAPSHOT]
    assert rig.heard.count("stale", OKX, "book") == 0


def test_a_book_that_falls_silent_is_asked_for_again(sim: SimulatorThread) -> None:
    with Rig([OKX], settings(sim, silence=0.8, book_silence=0.2), sim) as rig:
        rig.synced(OKX)
        sim.fault("silent", venue="okx_swap", stream="books:*", seconds=1.2)
        rig.synced(OKX, 2)
    rig.check(OKX)
    assert rig.heard.count("stale", OKX, "book") == 1


def test_an_announced_end_is_a_hand_over_that_loses_nothing(sim: SimulatorThread) -> None:
    with Rig([OKX], settings(sim, hand_over_grace=0.3), sim) as rig:
        rig.synced(OKX)
        sim.fault("shutdown", venue="okx_swap", delay=10.0)
        rig.until(lambda: rig.heard.count("handed_over") == 1)
        rig.wait(0.5)
    rig.check(OKX)
    assert rig.heard.counts["closing"] == 1
    assert RESET not in rig.kinds(OKX)


def test_a_lost_connection_is_a_reset_and_repeated_prints_are_known(sim: SimulatorThread) -> None:
    with Rig([OKX, ETH], settings(sim), sim) as rig:
        rig.synced(OKX)
        rig.synced(ETH)
        rig.until(lambda: (rig.tape(OKX).kind == TRADE).any())
        sim.fault("repeat_trades", venue="okx_swap", symbol=OKX.symbol)
        sim.fault("reset", venue="okx_swap")
        rig.synced(OKX, 2)
        rig.synced(ETH, 2)
    for instrument in (OKX, ETH):
        rig.check(instrument)
        assert rig.kinds(instrument) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.heard.counts["repeated"] > 0
    names = rig.tape(OKX).sequence[rig.tape(OKX).kind == TRADE].tolist()
    assert len(set(names)) == len(names)


def test_a_refused_stream_is_asked_for_again(sim: SimulatorThread) -> None:
    sim.fault("reject_subscribe", venue="okx_swap", symbol=OKX.symbol, stream="books:*")
    with Rig([OKX], settings(sim, refused_wait=0.1), sim) as rig:
        rig.synced(OKX)
    rig.check(OKX)
    assert rig.heard.count("refused", "okx_swap", f"books:{OKX.symbol}") == 1


def test_pings_keep_a_connection_and_without_them_it_is_closed() -> None:
    limits = OkxLimits(idle_s=1.0, silence_s=60.0)
    with simulator_thread(market(instruments=(OKX,), limits=limits), time.time_ns) as sim:
        with Rig([OKX], settings(sim, silence=10.0), sim) as rig:
            rig.synced(OKX)
            sim.call(lambda s: s.halt(OKX))
            rig.until(lambda: rig.heard.counts["disconnected"] > 0)
        assert any("4004" in str(e) for e in rig.heard.events if e[0] == "disconnected")


@pytest.mark.parametrize(("symbol", "text"), [
    ("BTC-USD-SWAP", "'okx_swap:BTC-USD-SWAP' is a contract of type inverse, whose sizes are not in the base"),
    ("BTC-USDC-SWAP", "'okx_swap:BTC-USDC-SWAP' is settled in USDC"),
    ("BTCUSDT", "'okx_swap:BTCUSDT' is unknown or not trading; did you mean BTC-USDT-SWAP?"),
])  # fmt: skip
def test_what_is_not_followed_is_refused_with_a_reason(sim: SimulatorThread, symbol: str, text: str) -> None:
    with pytest.raises(TickwaxError) as refused, Rig([Instrument("okx_swap", symbol)], settings(sim), sim):
        pass
    assert text in str(refused.value)


def test_a_contract_that_changes_its_size_costs_the_book_once(
    sim: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list says so, and the next book is read in the new unit."""
    with Rig([OKX], settings(sim, universe_interval=0.2), sim) as rig:
        rig.synced(OKX)
        monkeypatch.setitem(MULTIPLIERS, "BTC", Decimal("0.5"))
        rig.synced(OKX, 2)
    assert rig.kinds(OKX) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.heard.counts["bad_frame"] == 1
    # Until the list was read again sizes came in the new unit and were taken for the old one: what follows is right.
    tape = rig.tape(OKX)
    after = tape.ordinal > tape.ordinal[tape.kind == RESET][0]
    for size in tape.size[after].tolist():
        assert size == float(f"{size:.3f}")


def test_the_tape_is_right_whatever_happens() -> None:
    """Faults of every kind at random, while connections are handed over all the time."""
    limits = OkxLimits(requests_per_hour=100_000, connects=100_000)
    busy = market(
        instruments=ALL, seed=1, faults_per_minute=200, events_per_second=200, truth_rows=20_000_000, limits=limits
    )
    quick = {"connection_lifetime": 4.0, "hand_over_grace": 0.3, "hand_over_timeout": 2.0}
    with simulator_thread(busy, time.time_ns) as sim:
        with Rig(ALL, settings(sim, silence=1.5, book_silence=1.5, trade_silence=5.0, **quick), sim) as rig:
            rig.wait(10.0)
        for instrument in ALL:
            rig.check(instrument)
    assert rig.heard.counts["lost"] > 2
