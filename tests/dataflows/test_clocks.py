"""What the closing lines say of the clocks, and runs whose clock is far off."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflows.command_line.verbs import app
from simulator.thread import SimulatorThread, simulator_thread
from sources.instrument import Instrument
from sources.live.source import _LivePartition
from sources.tape.batch import InstrumentBatch
from sources.tape.layout import data_files
from tests.dataflows.conftest import processes
from tests.importers.captures import BTC, Capture
from tests.markets import market

BYBIT = Instrument("bybit_linear", "BTCUSDT")
VERB = ("-c", "from dataflows.cli import main; main()")


def latency_line(text: str) -> str:
    """The closing line, which may be broken between words."""
    (line,) = [line for line in text.replace("\n  ", " ").splitlines() if line.startswith("latency")]
    return line


def early_capture(path: Path) -> Path:
    """A capture received 1.27 s before the exchange's times."""
    capture = Capture()
    capture.snapshot()
    for _ in range(200):
        capture.delta(T=capture.ms + 1271)
        capture.trade(T=capture.ms + 1271)
    return capture.write(path)


@pytest.mark.slow
def test_import_and_replay_say_that_the_clock_was_behind(tmp_path: Path) -> None:
    capture, tape = early_capture(tmp_path / "capture.gz"), tmp_path / "tape"
    result = CliRunner().invoke(
        app, ["import", "hftbacktest", str(capture), "--symbol", "BTCUSDT", "--tape", str(tape)]
    )
    assert result.exit_code == 0, result.output
    wanted = "latency (receive − exchange) of binance_futures: median −1.27 s, range −1.27 s to "
    told = latency_line(result.output)
    assert told.startswith(wanted)
    assert told.endswith("the local clock is behind the exchange's")
    for extra in ((), ("--workers", "2"), ("--processes", "2")):
        with processes() as start:
            features = tmp_path / f"features{len(extra)}{extra[:1]}"
            process = start({}, *VERB, "replay", "--tape", tape, "--features", features, *extra)
            stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        assert latency_line(stdout) == told


@pytest.fixture
def ahead() -> Iterator[SimulatorThread]:
    with simulator_thread(market(instruments=(BTC, BYBIT), clock_offset_s=7200.0), time.time_ns) as sim:
        yield sim


@pytest.mark.slow
def test_a_run_that_recorded_nothing_is_no_success(ahead: SimulatorThread, tmp_path: Path) -> None:
    settings: dict[str, object] = {**ahead.addresses, "symbols": f'["{BTC}","{BYBIT}"]', "duration": "3s"}
    settings |= {"tape.path": tmp_path / "tape", "features.path": tmp_path / "features", "tape.derivatives": "false"}
    for command in (("-m", "bytewax.run", "dataflows.live"), (*VERB, "live"), (*VERB, "live", "--processes", "2")):
        with processes() as start:
            process = start(settings, *command)
            _, stderr = process.communicate(timeout=120)
        lines = stderr.splitlines()
        assert process.returncode == 1, stderr
        (why,) = [line for line in lines if line.startswith("tickwax: nothing was recorded: ")]
        assert "frames could not be used" in why
        assert "s ahead of the receive time" in why
        assert sum("bad frame" in line for line in lines) <= 12
        assert len(lines) < 60
        assert sum("local clock is behind" in line for line in lines) == 3  # once a connection
        assert not data_files(tmp_path / "tape", BTC)


@pytest.mark.slow
def test_a_clock_that_is_ahead_is_said_and_costs_nothing(tmp_path: Path) -> None:
    settings: dict[str, object] = {"symbols": f'["{BYBIT}"]', "duration": "2s"}
    settings |= {"tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}
    simulated = market(instruments=(BYBIT,), clock_offset_s=-7200.0)
    with simulator_thread(simulated, time.time_ns) as sim, processes() as start:
        process = start({**settings, **sim.addresses}, *VERB, "live")
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    line = latency_line(stdout)
    assert line.startswith("latency (receive − exchange) of bybit_linear: median 7")
    assert line.endswith("; the local clock is ahead of the exchange's, or frames come late")
    assert data_files(tmp_path / "tape", BYBIT)


class _Collector:
    stopped = False

    def stop(self, timeout: float) -> bool:
        self.stopped = True
        return True

    def drain(self) -> list[InstrumentBatch]:
        return []


def test_the_duration_goes_by_the_clock_that_nobody_sets() -> None:
    import threading

    elapsed, collector = [0], _Collector()
    partition = _LivePartition(
        collector,  # type: ignore[arg-type]
        lambda: elapsed[0],
        threading.Event(),
        1_000_000_000,
        lambda error: None,
        str,
    )
    partition.next_batch()
    assert not collector.stopped
    elapsed[0] = 1_000_000_000
    with pytest.raises(StopIteration):
        partition.next_batch()
    assert collector.stopped
