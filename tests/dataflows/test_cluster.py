"""`--processes N`: real processes, real signals."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.command_line.verbs.processes import process_count
from dataflows.runtime.cluster.runs import replay_together
from dataflows.runtime.cluster.supervisor import Supervisor
from dataflows.settings.layers import as_environment, dotted_layer, environment_layer
from dataflows.settings.model import Settings, load_settings
from simulator.thread import simulator_thread
from sources.errors import TickwaxError
from sources.tape.layout import data_files, instruments
from tests.commands import launch
from tests.conftest import ROOT
from tests.dataflows.conftest import INSTRUMENTS, SECOND, environment
from tests.dataflows.test_live import assert_replay_is_live, wait_until_served
from tests.dataflows.test_replay import assert_same, run, table, told
from tests.markets import market

pytestmark = pytest.mark.slow

VERB = ("-c", "from dataflows.cli import main; main()")

# Python runs it at the start of every process: what crosses a process is pickled, and that is noted.
HOOK = """
import os
from sources import placement
from sources.tape import batch as events
notes = os.environ.get("NOTES")
if notes:
    plain = events.InstrumentBatch.__getnewargs__
    def noting(self):
        with open(notes, "a") as file:
            file.write(str(self.instrument) + "\\n")
        return plain(self)
    events.InstrumentBatch.__getnewargs__ = noting
if os.environ.get("ASTRAY"):
    placement.Placement.route = lambda self, instrument, workers: str(instrument)
if os.environ.get("BROKEN"):
    from operators.feature_engine import FeatureEngine
    def broken(self, batch):
        raise ZeroDivisionError("broken on purpose")
    parts = FeatureEngine.parts
    FeatureEngine.parts = lambda self, rows, cut=0: broken(self, rows) if rows.rows > 1000 else parts(self, rows, cut)
"""


@pytest.fixture
def start(tmp_path) -> Iterator[object]:
    """Starts a verb with settings and variables; whatever still runs at the end is killed."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK)
    started: list[subprocess.Popen[str]] = []

    def starter(settings: dict[str, object], *arguments: object, **variables: object) -> subprocess.Popen[str]:
        around = environment(settings) | {"PYTHONPATH": f"{hooks}:{ROOT}"}
        around |= {name: str(value) for name, value in variables.items()}
        command = [sys.executable, *VERB, *map(str, arguments)]
        pipe = subprocess.PIPE
        started.append(launch(command, stdout=pipe, stderr=pipe, text=True, env=around))
        return started[-1]

    yield starter
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def long_tape(tmp_path_factory) -> Path:
    """So long that a replay with a row an update takes a second."""
    root = tmp_path_factory.mktemp("long") / "tape"
    write_synthetic_tape(root, INSTRUMENTS, 200 * SECOND, 7)
    return root


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def beside(folder: Path) -> list[str]:
    """What a run left beside its data sets; the note of who writes is not of the data."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".") and path.suffix != ".writers"]


def test_two_processes_give_the_rows_of_one(synthetic_tape_root, start, tmp_path):
    run(tape__path=str(synthetic_tape_root), features__path=str(tmp_path / "one"))
    # The same rows are there already, from a worker that is home to all: each is replaced by its new home.
    run(tape__path=str(synthetic_tape_root), features__path=str(tmp_path / "two"))
    flags = ("replay", "--tape", synthetic_tape_root, "--features", tmp_path / "two", "--overwrite")
    process = start({}, *flags, "--processes", 2, NOTES=tmp_path / "notes")
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, told(stderr)) == (0, [])
    for instrument in INSTRUMENTS:
        assert_same(table(tmp_path / "two", instrument), table(tmp_path / "one", instrument))
    assert not (tmp_path / "notes").exists(), "items crossed processes"
    homes = [data_files(tmp_path / "two", i)[0].name.split("-")[1] for i in INSTRUMENTS]
    assert sorted(map(homes.count, "01")) == [2, 3]  # by hash, one process has four of the five
    assert stdout.count("replayed ") == 1
    rows = sum(table(tmp_path / "one", i).num_rows for i in INSTRUMENTS)
    (summary,) = (line for line in stdout.splitlines() if line.startswith("features "))
    assert summary.split()[2:4] == [f"{rows:,}", str(sum(len(data_files(tmp_path / "one", i)) for i in INSTRUMENTS))]
    assert beside(tmp_path) == []


def test_items_that_cross_processes_are_noticed_and_change_nothing(synthetic_tape_root, start, tmp_path):
    """What would happen if Bytewax changed where keys live."""
    run(tape__path=str(synthetic_tape_root), features__path=str(tmp_path / "one"))
    flags = ("replay", "--tape", synthetic_tape_root, "--features", tmp_path / "two", "--processes", 2)
    process = start({}, *flags, NOTES=tmp_path / "notes", ASTRAY=1)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    crossed = set((tmp_path / "notes").read_text().split())
    assert f"tickwax: {len(crossed)} instruments, such as " in stderr
    for instrument in INSTRUMENTS:
        assert_same(table(tmp_path / "two", instrument), table(tmp_path / "one", instrument))


def test_a_process_that_is_killed_ends_the_run(long_tape, start, tmp_path):
    settings = {"tape.path": long_tape, "features.path": tmp_path / "features", "features.sampling": "update"}
    process = start(settings, "replay", "--processes", 2)
    wait_for(lambda: len(list(tmp_path.glob(".features.staging*"))) == 2, process)
    pids = children(process)
    os.kill(pids[1], signal.SIGKILL)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, told(stderr)) == (1, ["tickwax: process 2 of 2 was killed by SIGKILL"])
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert (list(instruments(tmp_path / "features")), beside(tmp_path)) == ([], [])


def test_an_interruption_of_a_replay_leaves_nothing(long_tape, start, tmp_path):
    settings = {"tape.path": long_tape, "features.path": tmp_path / "features", "features.sampling": "update"}
    process = start(settings, "replay", "--processes", 2)
    wait_for(lambda: len(list(tmp_path.glob(".features.staging*"))) == 2, process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, told(stderr)) == (130, ["tickwax: interrupted; nothing was written"])
    assert (list(instruments(tmp_path / "features")), beside(tmp_path)) == ([], [])


def test_an_interruption_while_processes_import_is_heard_at_once(long_tape, start, tmp_path):
    process = start({"tape.path": long_tape, "features.path": tmp_path / "features"}, "replay", "--processes", 2)
    wait_for(lambda: len(children(process)) == 2, process)
    pids = children(process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, told(stderr)) == (130, ["tickwax: interrupted"])
    wait_until_gone(pids)
    assert not (tmp_path / "features").exists()
    assert beside(tmp_path) == []


def test_a_supervisor_that_is_killed_leaves_no_process_behind(long_tape, start, tmp_path):
    settings = {"tape.path": long_tape, "features.path": tmp_path / "features", "features.sampling": "update"}
    process = start(settings, "replay", "--processes", 2)
    wait_for(lambda: len(list(tmp_path.glob(".features.staging*"))) == 2, process)
    pids = children(process)
    process.kill()
    wait_until_gone(pids)
    assert (list(instruments(tmp_path / "features")), beside(tmp_path)) == ([], [])


def test_an_error_of_our_own_is_one_line_that_says_where(synthetic_tape_root, start, tmp_path):
    settings = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "features"}
    process = start(settings, "replay", "--processes", 2, BROKEN=1)
    _, stderr = process.communicate(timeout=60)
    (line,) = told(stderr)
    assert process.returncode == 1
    assert line.startswith("tickwax: ended by an error: ZeroDivisionError: broken on purpose (sitecustomize.py:")


def test_bad_input_is_noticed_before_anything_is_done(tmp_path):
    settings = load_settings({"tape.path": str(tmp_path / "none"), "features.path": str(tmp_path / "features")})
    none = f"^tape.path: {tmp_path / 'none'} holds no tape"
    with Supervisor(2, {}) as supervisor, pytest.raises(TickwaxError, match=none):
        replay_together(settings, supervisor, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["0", "-1", "two", "2.5", "", "129", "²"])
def test_a_number_of_processes_that_is_none(text):
    with pytest.raises(TickwaxError, match=rf"^--processes: '{re.escape(text)}' is not a whole number from 1 to 128$"):
        process_count(text)


def test_flags_come_to_the_processes_as_they_were_given(monkeypatch):
    flags = {"tape.path": "", "symbols": ["binance_futures:*"], "features.overwrite": True, "duration": None}
    for name in [n for n in os.environ if n.startswith("TICKWAX_")]:
        monkeypatch.delenv(name)
    for name, value in as_environment(flags).items():
        monkeypatch.setenv(name, value)
    expected = dotted_layer({**flags, "features.overwrite": "true"})
    assert environment_layer(Settings) == expected
    assert load_settings().features.overwrite is True


def test_a_signal_ends_a_live_run_in_order(start, tmp_path):
    paths = {"tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as exchange:
        settings = {**exchange.addresses, **paths, "symbols": '["binance_futures:*","bybit_linear:*"]'}
        process = start(settings, "live", "--processes", 2)
        wait_until_served(exchange, 6)
        process.send_signal(signal.SIGINT)
        before = time.monotonic()
        stdout, stderr = process.communicate(timeout=30)
        assert time.monotonic() - before < 5.0
    assert process.returncode == 0, stderr
    assert stderr.count(": stopping …") == 1
    assert stdout.count("data set") == 1
    assert_replay_is_live(tmp_path, set(INSTRUMENTS))
    names = {path.name.split("-")[3] for i in INSTRUMENTS for path in data_files(tmp_path / "tape", i)}
    assert names == {"0", "1"}, "both processes had instruments"
