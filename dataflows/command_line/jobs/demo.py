"""Simulated exchanges on this machine, recorded and computed."""

import time
from pathlib import Path

from dataflows.command_line.jobs.live import run_live
from dataflows.reports.summary import data_set_table, newest_rows, try_line
from dataflows.reports.terminal import line
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import announce
from dataflows.settings.model import load_settings
from simulator.config import SimulatorConfig
from simulator.thread import simulator_thread
from sources.instrument import Instrument
from synthetic.jit import CACHE as SYNTHETIC

_INSTRUMENTS = tuple(
    Instrument(venue, symbol) for venue in ("binance_futures", "bybit_linear") for symbol in ("BTCUSDT", "ETHUSDT")
)


def demo(folder: Path, duration: str) -> None:
    """Simulated exchanges, recorded, computed, shown."""
    announce(SYNTHETIC, "kernel.advance", 6)
    with simulator_thread(SimulatorConfig(instruments=_INSTRUMENTS), time.time_ns) as simulator:
        settings = load_settings(
            {
                **simulator.addresses,
                "symbols": [str(i) for i in _INSTRUMENTS],
                "duration": duration,
                "tape.path": str(folder / "tape"),
                "features.path": str(folder / "features"),
            }
        )
        line(f"simulated exchanges are running; recording for {duration} …")
        live = run_live(settings)
    features = folder / "features"
    show(newest_rows(features))
    line("")
    show(data_set_table(live.sinks))
    if hint := try_line(features):
        line(hint)
