"""Clocks that differ: measured on every connection, said once, and no frame far beyond the usual is believed."""

import time
from collections.abc import Sequence

import pytest

from simulator.thread import SimulatorThread, simulator_thread
from sources.clock import MAX_AHEAD_NS
from sources.instrument import Instrument
from sources.live.clock import ConnectionClock
from sources.tape.batch import RESET, SNAPSHOT
from tests.live.rig import BINANCE, BOTH, BYBIT, Rig, config
from tests.markets import market

S = 1_000_000_000
T = 1_700_000_000 * S


class Probe(ConnectionClock):
    def __init__(self) -> None:
        self.told: list[int] = []
        self.offsets: list[int] = []
        super().__init__(self.told.append, lambda offsets: self.offsets.extend(offsets))

    def good(self, ahead_ns: Sequence[int]) -> list[bool]:
        out = []
        for ahead in ahead_ns:
            try:
                self.check(T + ahead, T)
                out.append(True)
            except ValueError:
                out.append(False)
        return out


def test_until_the_offset_is_known_the_outer_bound_holds() -> None:
    clock = Probe()
    assert clock.good([MAX_AHEAD_NS, MAX_AHEAD_NS + 1]) == [True, False]
    assert clock.told == []


@pytest.mark.parametrize("usual", [-7200 * S, -20_000_000, 30 * S])
def test_five_seconds_beyond_the_usual_are_too_many(usual: int) -> None:
    clock = Probe()
    assert all(clock.good([usual] * 100))
    assert clock.told == [usual]
    assert clock.good([usual + 5 * S, usual + 5 * S + 1, usual]) == [True, False, True]
    clock.flush()
    assert len(clock.offsets) == 102


@pytest.mark.parametrize("time", [0, -1, 1 << 62])
def test_what_is_no_time_of_a_tape_is_refused_and_not_learned_from(time: int) -> None:
    """Behind the receive time nothing else bounds it."""
    clock = Probe()
    for _ in range(100):
        with pytest.raises(ValueError, match=f"exchange time {time} ns is not between 1970 and 2116"):
            clock.check(time, T)
    clock.flush()
    assert (clock.told, clock.offsets) == ([], [])


def test_the_outer_bound_stays() -> None:
    clock = Probe()
    assert all(clock.good([58 * S] * 16))
    assert clock.good([MAX_AHEAD_NS, MAX_AHEAD_NS + 1]) == [True, False]


def test_frames_that_were_held_up_do_not_make_those_on_time_too_early() -> None:
    clock = Probe()
    assert all(clock.good([0] * 16))
    assert all(clock.good([-1200 * S] * 5000))
    assert all(clock.good([0] * 5000))
    late = Probe()  # held up from the beginning on, until the backlog is read
    assert all(late.good([-8 * S + n * S // 10 for n in range(80)] + [0] * 100))


def test_a_clock_that_was_set_costs_a_few_frames() -> None:
    clock = Probe()
    assert all(clock.good([0] * 100))
    after = clock.good([10 * S] * 100)
    assert after == [False] * 15 + [True] * 85
    assert clock.told == [0, 10 * S]
    assert clock.good([0]) == [True]


def test_a_clock_that_is_hours_behind_is_told_once_and_nothing_is_believed() -> None:
    clock = Probe()
    assert not any(clock.good([7200 * S] * 1000))
    assert clock.told == [7200 * S]


@pytest.mark.parametrize("instrument", BOTH)
def test_a_frame_ten_seconds_ahead_is_bad(sim: SimulatorThread, instrument: Instrument) -> None:
    book = "*@depth*" if instrument == BINANCE else "orderbook.*"
    with Rig([instrument], config(sim.addresses), sim) as rig:
        rig.until(lambda: rig.heard.counts["clock"] >= (2 if instrument == BINANCE else 1))
        rig.synced(instrument)
        sim.fault("future", venue=instrument.venue, stream=book, ahead=10.0)
        rig.synced(instrument, 2)
    rig.check(instrument)
    assert rig.kinds(instrument) == [SNAPSHOT, RESET, SNAPSHOT]
    assert rig.heard.counts["bad_frame"] == 1


@pytest.mark.parametrize("offset", [7200.0, -7200.0])
def test_clocks_two_hours_apart(offset: float) -> None:
    simulated = market(instruments=BOTH, clock_offset_s=offset)
    with simulator_thread(simulated, time.time_ns) as sim, Rig(BOTH, config(sim.addresses), sim) as rig:
        rig.until(lambda: rig.heard.counts["clock"] >= 3)
        if offset < 0:
            for instrument in BOTH:
                rig.synced(instrument)
        else:
            rig.until(lambda: rig.heard.counts["bad_frame"] > 50)
        told = [e[-1] for e in rig.heard.events if e[0] == "clock"]
        assert len(told) == 3
        assert all(abs(ahead - offset * S) < 3 * S for ahead in told)
    rows = sum(len(rig.tape(i).ordinal) for i in (BINANCE, BYBIT))
    assert (rows > 0) == (offset < 0)
