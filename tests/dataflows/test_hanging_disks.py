"""A disk that hangs while a live run writes: metrics, log and health say so, and nothing is lost."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflows.health import main
from simulator.thread import SimulatorThread
from sources.instrument import Instrument
from sources.tape.batch import concat
from sources.tape.reader import TapeReader
from tests.disks import HANGS
from tests.importers.captures import check_invariants
from tests.ports import free_ports

VERB = ("-c", "from dataflows.cli import main; main()")
BTC = Instrument("binance_futures", "BTCUSDT")

pytestmark = pytest.mark.slow


class Run:
    """A recorder whose disk can be made to hang."""

    def __init__(self, exchange: SimulatorThread, start, shim, folder: Path, call: str) -> None:  # type: ignore[no-untyped-def]
        self.shim = shim
        self.root = folder / "tape"
        (self.port,) = free_ports(1)
        settings = {**exchange.addresses, "tape.path": self.root, "symbols": f'["{BTC}"]',
                    "journal.sync_after": "500ms", "stalled_after": "6s"}  # fmt: skip
        api = {"BYTEWAX_DATAFLOW_API_ENABLED": "1", "BYTEWAX_DATAFLOW_API_PORT": str(self.port)}
        # Bytewax leaves a drawing of the dataflow where it is started with its endpoint on.
        code = f"import os; os.chdir({str(folder)!r}); {VERB[1]}"
        environment = shim.environment(call, ".journal", HANGS) | api
        self.process: subprocess.Popen[str] = start(settings, "-c", code, "record", **environment)
        self.until(lambda: self.metrics().get('tickwax_rows_total{sink="tape"}', 0.0) > 100)

    def until(self, condition: Callable[[], bool], timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, self.metrics()
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.1)

    def metrics(self) -> dict[str, float]:
        try:
            text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=4).read().decode()
        except OSError:
            return {}
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("tickwax"))
        return {name: float(value) for name, _, value in lines}

    def healthy(self, monkeypatch: pytest.MonkeyPatch) -> bool:
        monkeypatch.setattr(sys, "argv", ["health", str(self.port)])
        return main() == 0

    def end(self) -> str:
        self.process.terminate()
        _, stderr = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, stderr
        tape = concat(list(TapeReader(self.root, BTC).batches()))
        check_invariants(tape)
        assert tape.rows > 100
        return stderr


def test_a_write_that_hangs_is_seen(exchange, start, shim, tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    run = Run(exchange, start, shim, tmp_path, "write")
    assert run.metrics()["tickwax_healthy"] == 1.0
    assert run.metrics()["tickwax_turn_age_seconds"] < 2.0
    assert run.healthy(monkeypatch)
    run.shim.begin()
    run.until(lambda: run.metrics()["tickwax_healthy"] == 0.0, 15.0)
    found = run.metrics()
    assert found["tickwax_turn_age_seconds"] > 6.0
    assert found["tickwax_newest_row_age_seconds"] > 6.0
    assert found["tickwax_buffered_rows"] > 100  # what waits, and not what waited when all was well
    assert not run.healthy(monkeypatch)
    run.shim.end()
    run.until(lambda: run.metrics()["tickwax_healthy"] == 1.0, 10.0)
    assert run.healthy(monkeypatch)
    stderr = run.end()
    assert stderr.count("behind: the dataflow stands still") == 1
    assert "rows_waiting=" in stderr
    assert stderr.count("the dataflow goes on") == 1


def test_an_fsync_that_hangs_is_seen(exchange, start, shim, tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    run = Run(exchange, start, shim, tmp_path, "fsync")
    run.shim.begin()
    run.until(lambda: run.metrics()["tickwax_healthy"] == 0.0, 15.0)
    found = run.metrics()
    assert found['tickwax_unsynced_seconds{sink="tape"}'] > 6.0
    assert found["tickwax_turn_age_seconds"] < 2.0  # no row waits for it
    assert not run.healthy(monkeypatch)
    run.shim.end()
    run.until(lambda: run.healthy(monkeypatch), 10.0)
    run.end()
