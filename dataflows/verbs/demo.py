"""``tickwax demo``: everything once, on a machine with no data and no network."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dataflows.app import app
from dataflows.kernels import announce
from dataflows.settings import load_settings
from dataflows.summary import data_set_table, newest_rows, try_line
from dataflows.verbs.live import run_live
from sources.instrument import Instrument
from sources.jit import CACHE as SOURCES
from sources.simulator.config import SimulatorConfig
from sources.simulator.thread import simulator_thread

_INSTRUMENTS = tuple(
    Instrument(venue, symbol) for venue in ("binance_futures", "bybit_linear") for symbol in ("BTCUSDT", "ETHUSDT")
)


@app.command("demo", epilog="Example:\n\n    tickwax demo --folder data/demo --duration 30s")
def demo_verb(
    folder: Annotated[Path, typer.Option(help="Where the demo's tape and features go.")] = Path("data/demo"),
    duration: Annotated[str, typer.Option(help="How long the market runs.")] = "35s",
) -> None:
    """Run **both exchanges on this machine** from a synthetic market, connect to them over real sockets, record the
    tape, compute every feature, and show what came out. The first time, compiling takes half a minute more."""
    console = Console()
    announce(SOURCES, "kernel.advance", 6)
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
        console.print(f"simulated exchanges are running; recording for {duration} …", highlight=False)
        live = run_live(settings)
    features = folder / "features"
    console.print(newest_rows(features), "")
    console.print(data_set_table(live.sinks))
    console.print(try_line(features), soft_wrap=True, highlight=False, markup=False)
