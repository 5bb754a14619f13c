"""Faults of every kind at random, while connections are handed over all the time."""

import time

from simulator.thread import simulator_thread
from sources.instrument import Instrument
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from tests.live.rig import Rig, config
from tests.markets import market

INSTRUMENTS = tuple(Instrument(v, s) for v in ("binance_futures", "bybit_linear") for s in ("BTCUSDT", "ETHUSDT"))
WEIGHT = 24_000


def test_the_tape_is_right_whatever_happens() -> None:
    simulated = market(
        instruments=INSTRUMENTS,
        seed=5,
        faults_per_minute=150,
        events_per_second=200,
        truth_rows=20_000_000,
        limits=BinanceLimits(weight_per_minute=WEIGHT),
    )
    with simulator_thread(simulated, time.time_ns) as sim:
        quick = {"connection_lifetime": 4.0, "hand_over_grace": 0.3, "hand_over_timeout": 2.0}
        settings = config(sim.addresses, book_silence=1.5, trade_silence=5.0, **quick)
        settings = settings.with_venue("binance_futures", weight_per_minute=WEIGHT)
        with Rig(INSTRUMENTS, settings, sim) as rig:
            rig.wait(15.0)
        for instrument in INSTRUMENTS:
            rig.check(instrument)
    assert rig.heard.counts["handed_over"] > 3
    assert rig.heard.counts["lost"] > 5
