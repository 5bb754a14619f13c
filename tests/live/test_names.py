"""Names in a venue's list that no folder can have, or that two would share: left out, counted, named once."""

import time

import pytest
from prometheus_client import REGISTRY

from dataflows.runtime.metrics import LiveTelemetry
from simulator.simulator import Simulator
from simulator.thread import simulator_thread
from sources.instrument import Instrument
from sources.live.words import Unknown
from sources.tape.batch import SNAPSHOT
from tests.live.rig import BINANCE, BOTH, BYBIT, Heard, Rig, config
from tests.markets import market

HOSTILE = (
    *("A" * 241, "币" * 81, "NUL\0USDT", "ESC\x1b[2JUSDT", "LINE\nUSDT", "TURN\u202eTDSU", "ISO\u2066USDT"),
    *("ZERO\u200bUSDT", "../../etc", "A/B", "", ".", "sym=bol", "100%", "[A]", "*", "__HIVE_DEFAULT_PARTITION__"),
)
TWINS = ("BTCusdt", "btcusdt")


def looks(simulator: Simulator) -> int:
    """At either list."""
    return simulator.rest["binance_futures"].requests + simulator.rest["bybit_linear"].requests


@pytest.mark.parametrize("venue", ["binance_futures", "bybit_linear"])
def test_a_hostile_list_costs_none_of_the_others(venue: str) -> None:
    simulated = market(instruments=BOTH, strange_names=(*HOSTILE, *TWINS))
    instrument = BINANCE if venue == "binance_futures" else BYBIT
    with simulator_thread(simulated, time.time_ns) as sim:
        with Rig([Instrument(venue, "*")], config(sim.addresses, universe_interval=0.3), sim) as rig:
            rig.synced(instrument)
            asked = sim.call(looks)
            rig.until(lambda: sim.call(looks) > asked + 3)
        rig.check(instrument)
    assert rig.kinds(instrument) == [SNAPSHOT]
    assert {event[1] for event in rig.heard.events if event[0] == "synced"} == {instrument}
    told = [event for event in rig.heard.events if event[0] == "unknown"]
    assert [event[1:3] for event in told] == [
        (venue, "symbol"),
        (venue, "symbol, but for capitals that of another"),
    ]
    assert sum(told[0][3].values()) == len(HOSTILE)
    assert told[1][3] == dict.fromkeys(TWINS, 1)
    assert rig.heard.counts["listed"] == rig.heard.counts["delisted"] == 0


def test_of_twins_the_one_that_was_there_before_stays() -> None:
    heard = Heard()
    unknown = Unknown("bybit_linear", heard)
    lower, upper = (Instrument("bybit_linear", symbol) for symbol in ("btcusdt", "BTCUSDT"))
    assert unknown.without_twins([lower]) == {lower}
    assert unknown.without_twins([upper, lower]) == {lower}
    assert unknown.without_twins([upper]) == {upper}
    assert Unknown("bybit_linear", heard).without_twins([lower, upper, upper]) == {upper}


def test_the_log_line_moves_no_cursor(capfd: pytest.CaptureFixture[str]) -> None:
    telemetry = LiveTelemetry()
    labels = {"venue": "bybit_linear", "field": "symbol"}
    before = REGISTRY.get_sample_value("tickwax_listings_left_out_total", labels) or 0.0
    telemetry.unknown("bybit_linear", "symbol", dict.fromkeys(HOSTILE, 1))
    telemetry.bad_frame("bybit_linear", "A\x1bB", "x\u202ey", "\x1b[2J\u2028")
    assert REGISTRY.get_sample_value("tickwax_listings_left_out_total", labels) == before + len(HOSTILE)
    lines = capfd.readouterr().err
    assert "NUL" in lines
    assert "x\\u202ey" in lines
    assert not set("\0\u202e\u2028\u2066") & set(lines)
    assert "\x1b[2J" not in lines
