"""Simulated exchanges on this machine, recorded and computed."""

import os
import sys
import time
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import typer

from dataflows.command_line.jobs.live import run_live
from dataflows.reports.summary import data_set_table, newest_rows, try_line
from dataflows.reports.terminal import line
from dataflows.reports.text_table import show
from dataflows.runtime.exit_codes import say
from dataflows.runtime.kernels import announce
from dataflows.runtime.live_run import Live
from dataflows.settings.model import load_settings
from simulator.config import SimulatorConfig
from simulator.thread import simulator_thread
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.simulated import simulated_venues
from synthetic.jit import CACHE as SYNTHETIC

_INSTRUMENTS = tuple(
    Instrument(venue, symbol) for venue in ("binance_futures", "bybit_linear") for symbol in ("BTCUSDT", "ETHUSDT")
)
_LOG = "demo.log"
_PICTURE = "demo.html"


def demo(folder: Path, duration: str, ui: bool) -> None:
    """Simulated exchanges, recorded, computed, told of; what the recording logs goes to a file in the folder.

    Args:
        ui: open the page in a browser, where somebody could look at it.
    """
    seen = ui and can_look(sys.stdout.isatty(), os.environ)
    announce(SYNTHETIC, "kernel.advance", 6)
    with simulator_thread(SimulatorConfig(simulated_venues(), _INSTRUMENTS), time.time_ns) as simulator:
        settings = load_settings(
            {
                **simulator.addresses,
                "symbols": [str(i) for i in _INSTRUMENTS],
                "duration": duration,
                "tape.path": str(folder / "tape"),
                "features.path": str(folder / "features"),
                "ui.on": seen,
                "ui.port": 0,
            }
        )
        with _log_file(folder / _LOG) as log:
            line(f"simulated exchanges are running; recording for {duration}, Ctrl-C ends it …")
            live = run_live("demo", settings, log=log, on_ready=_open_page)
    features = folder / "features"
    written = live.sinks["features"].rows_written
    if written:
        show(newest_rows(features))
        line("")
    show(data_set_table(live.sinks))
    line(f"log: {folder / _LOG}")
    if written:
        _picture(features, folder / _PICTURE)
        if hint := try_line(features):
            line(hint)
        _what_next(folder)
    if live.nothing:
        say(live.nothing)
        raise typer.Exit(1)


def can_look(terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether a person sits before the program, and a browser has a screen to open on.

    >>> can_look(True, {"DISPLAY": ":0"}), can_look(True, {}), can_look(True, {"DISPLAY": ":0", "CI": "true"})
    (True, False, False)
    """
    screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return terminal and bool(screen) and not environ.get("CI")


def _open_page(live: Live) -> None:
    if live.page:
        with suppress(webbrowser.Error):  # where none is installed the address has been said
            webbrowser.open(live.page)


def _picture(features: Path, out: Path) -> None:
    if find_spec("plotly") is None:
        line("pip install 'tickwax[plot]' adds a picture of the features")
        return
    from dataflows.command_line.jobs.plotting import plot

    plot({"features.path": str(features)}, str(_INSTRUMENTS[0]), None, None, out)


def _what_next(folder: Path) -> None:
    line("next:")
    for command, what in (
        (f"tickwax backtest --tape {folder}/tape --strategy glft --out {folder}/backtest", "a strategy on what came"),
        ("tickwax features --symbols binance_futures:BTCUSDT", "the real market, on the whole terminal"),
        ("tickwax live --help", "record it, and compute"),
    ):
        line(f"  {command}  # {what}")


def _log_file(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", buffering=1, encoding="utf-8")
    except OSError as e:
        raise TickwaxError(f"--folder: cannot write {path}: {e.strerror}") from None
