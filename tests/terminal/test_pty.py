"""`tickwax features` on a real terminal: the screen comes, and the prompt is clean when it goes."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.thread import SimulatorThread, simulator_thread
from sources.instrument import Instrument
from sources.tape.layout import journal_files
from sources.tape.tail import find_tail
from tests.dataflows.conftest import environment
from tests.markets import market

pytestmark = pytest.mark.slow
BTC = Instrument("binance_futures", "BTCUSDT")
TICKWAX = (sys.executable, "-c", "from dataflows.cli import main; main()")
WITHIN_S = 180  # the kernels may have to be compiled
COMES, GOES = b"\x1b[?1049h", b"\x1b[?1049l"
# Of what the screen switches on: the mouse, pasting in brackets; and the cursor, that it hides.
SWITCHED = [(f"\x1b[?{mode}h".encode(), f"\x1b[?{mode}l".encode()) for mode in (1000, 1003, 1006, 2004)]
SWITCHED.append((b"\x1b[?25l", b"\x1b[?25h"))


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatorThread]:
    with simulator_thread(market(instruments=(BTC,)), time.time_ns) as running:
        yield running


class Run:
    """A process on a terminal of its own."""

    def __init__(self, settings: dict[str, object], verb: str = "features") -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        around = environment(settings) | {"TERM": "xterm-256color", "COLUMNS": "110", "LINES": "30"}
        pipes = {"stdin": self.theirs, "stdout": self.theirs, "stderr": self.theirs}
        self.process = subprocess.Popen([*TICKWAX, verb, "--symbols", str(BTC)], env=around, **pipes)
        self.shown = b""

    def read(self) -> None:
        if select.select([self.ours], [], [], 0.1)[0]:
            self.shown += os.read(self.ours, 65536)

    def until(self, word: bytes) -> None:
        deadline = time.monotonic() + WITHIN_S
        while word not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self.process.poll() is None, self.shown
            self.read()

    def ended(self) -> str:
        """What is shown after the screen has gone; all that it switched is as it was."""
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self.read()
        while select.select([self.ours], [], [], 0)[0]:
            self.read()
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.shown.count(COMES) == self.shown.count(GOES) == 1
        for on, off in SWITCHED:
            assert self.shown.rindex(off) > self.shown.rindex(on), on
        return self.shown[self.shown.rindex(GOES) :].decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def run(exchange: SimulatorThread, request: pytest.FixtureRequest) -> Iterator[Run]:
    running = Run({**exchange.addresses, **getattr(request, "param", {})})
    yield running
    running.close()


def test_ctrl_c_ends_in_order_and_the_prompt_is_clean(run: Run) -> None:
    run.until(b"warm in ")
    run.until(b"book known")  # in the log pane
    os.write(run.ours, b"\x03")  # the terminal is raw, so this is a key and no signal
    rest = run.ended()
    assert run.process.returncode == 0, rest
    assert "Traceback" not in rest
    assert "warm in" not in rest


@pytest.mark.parametrize("run", [{"venues.binance_futures.rest": "http://127.0.0.1:1"}], indirect=True)
def test_an_error_is_one_line_behind_the_screen(run: Run) -> None:
    run.until(b"connecting")
    rest = run.ended()
    assert run.process.returncode == 2
    lines = [line for line in rest.replace("\r", "").split("\n") if "tickwax: " in line]
    assert len(lines) == 1
    assert "127.0.0.1:1" in lines[0]
    assert "Traceback" not in rest


@pytest.mark.soak
def test_a_terminal_that_takes_nothing_holds_up_neither_the_run_nor_its_end(
    exchange: SimulatorThread, tmp_path: Path
) -> None:
    root = tmp_path / "tape"
    run = Run({**exchange.addresses, "tape.path": root, "features.path": tmp_path / "features"}, "live")
    try:
        run.until(b"warm in ")  # from now on nobody reads
        time.sleep(3)  # a dozen pictures, of which the terminal holds 4 kB
        sizes = []
        for _ in range(3):
            time.sleep(1)
            (journal,) = journal_files(root)
            sizes.append(journal.stat().st_size)
        assert sizes[0] < sizes[1] < sizes[2]
        rows = find_tail(root, BTC).next_ordinal
        run.process.send_signal(signal.SIGINT)
        run.process.wait(20)
        assert journal_files(root) == []
        assert find_tail(root, BTC).next_ordinal > rows
    finally:
        run.close()
