"""``tickwax demo``: everything once, on a machine with no data and no network."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dataflows.app import app
from dataflows.kernels import announce
from dataflows.progress import instrument_bars
from dataflows.settings import load_settings
from dataflows.summary import newest_rows
from dataflows.synthesis import write_synthetic_tape
from dataflows.verbs.replay import report, run_replay
from sources.instrument import Instrument
from sources.jit import CACHE as SOURCES
from sources.tape.layout import data_files

_INSTRUMENTS = [
    Instrument(venue, symbol) for venue in ("binance_futures", "bybit_linear") for symbol in ("BTCUSDT", "ETHUSDT")
]
_SPAN_NS = 10 * 60 * 1_000_000_000
_SEED = 7


@app.command("demo", epilog="Example:\n\n    tickwax demo --folder data/demo")
def demo_verb(
    folder: Annotated[Path, typer.Option(help="Where the demo's tape and features go.")] = Path("data/demo"),
) -> None:
    """Make a **synthetic market**, record its tape, compute every feature of it, and show what came out.

    Takes some seconds; the first time half a minute more, to compile the kernels for this machine. Running it again
    uses the tape that is there and replaces the features.
    """
    console = Console()
    tape, features = folder / "tape", folder / "features"
    settings = load_settings(
        {
            "symbols": [str(i) for i in _INSTRUMENTS],
            "tape.path": str(tape),
            "features.path": str(features),
            "features.overwrite": True,
        }
    )
    missing = [i for i in _INSTRUMENTS if not data_files(tape, i)]
    if missing:
        announce(SOURCES, "kernel.advance", 6)
        with instrument_bars(missing, _SPAN_NS) as progress:
            write_synthetic_tape(tape, missing, _SPAN_NS, _SEED, progress=progress)
        console.print(f"recorded 10 minutes of a synthetic market, {len(missing)} instruments: {tape}")
    else:
        console.print(f"the tape is there already: {tape}")
    replay = run_replay(settings)
    console.print(newest_rows(features), "")
    report(settings, replay)
