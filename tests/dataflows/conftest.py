import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from simulator.thread import SimulatorThread, simulator_thread
from sources.instrument import Instrument
from tests.commands import launch
from tests.disks import shim, shim_library  # noqa: F401
from tests.markets import market

SECOND = 1_000_000_000
MIDNIGHT = 1_767_571_200 * SECOND  # 2026-01-05
INSTRUMENTS = [
    *(Instrument("binance_futures", f"{base}USDT") for base in ("BTC", "ETH", "SOL")),
    *(Instrument("bybit_linear", f"{base}USDT") for base in ("BTC", "ETH")),
]


@pytest.fixture(scope="session")
def synthetic_tape_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of five instruments at two venues, around midnight; not to be written to."""
    root = tmp_path_factory.mktemp("synthetic") / "tape"
    write_synthetic_tape(root, INSTRUMENTS, 10 * SECOND, 7, start_ns=MIDNIGHT - 4 * SECOND)
    return root


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatorThread]:
    """Simulated exchanges with one instrument, BTCUSDT of Binance."""
    with simulator_thread(market(instruments=tuple(INSTRUMENTS[:1])), time.time_ns) as running:
        yield running


def environment(settings: dict[str, object]) -> dict[str, str]:
    """The environment of a process with these settings, by dotted key, and no others."""
    around = {name: text for name, text in os.environ.items() if not name.startswith(("TICKWAX_", "BYTEWAX_"))}
    return around | {f"TICKWAX_{key.upper().replace('.', '__')}": str(value) for key, value in settings.items()}


Start = Callable[..., subprocess.Popen[str]]


@contextmanager
def processes() -> Iterator[Start]:
    """What starts Python with arguments; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(settings: dict[str, object], *arguments: object, **around: str) -> subprocess.Popen[str]:
        command = [sys.executable, *map(str, arguments)]
        pipe = subprocess.PIPE
        process = launch(command, stdout=pipe, stderr=pipe, text=True, env=environment(settings) | around)
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.fixture
def start() -> Iterator[Start]:
    with processes() as starter:
        yield starter
