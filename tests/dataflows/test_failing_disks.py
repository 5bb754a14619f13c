"""Disks that fail while a run writes: one line, exit code 1, at once; what was recorded is there."""

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.thread import SimulatorThread
from sinks.lock import DataSetLock
from sources.instrument import Instrument
from sources.tape.batch import concat
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader
from tests.dataflows.test_replay import told
from tests.importers.captures import check_invariants
from tests.importers.test_tardis import BOOK, START, write

VERB = ("-c", "from dataflows.cli import main; main()")
BTC = Instrument("binance_futures", "BTCUSDT")

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(exchange: SimulatorThread, tmp_path: Path) -> dict[str, object]:
    return {**exchange.addresses, "tape.path": tmp_path / "data" / "tape", "symbols": f'["{BTC}"]',
            "journal.rotate_after": "500ms", "journal.sync_after": "500ms"}  # fmt: skip


def wait_for_files(root: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not data_files(root, BTC):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def ending(process: subprocess.Popen[str], begin: Callable[[], object]) -> str:
    """The last line after ``begin``; the process must end soon, with code 1."""
    begin()
    before = time.monotonic()
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - before < 5.0
    assert process.returncode == 1, stderr
    assert "Traceback" not in stdout + stderr
    assert "panic" not in stdout + stderr
    (line,) = [line for line in told(stderr) if line.startswith("tickwax: ")]
    return line


@pytest.mark.parametrize(("call", "part", "number"), [
    ("open", ".journal", errno.ENOSPC), ("write", ".journal", errno.EIO), ("fsync", ".journal", errno.EIO),
    ("write", ".part", errno.ENOSPC), ("fsync", ".part", errno.EIO), ("rename", ".parquet", errno.EIO),
])  # fmt: skip
def test_a_recorder_ends_with_one_line_and_loses_nothing(settings, start, shim, call, part, number):  # type: ignore[no-untyped-def]
    root: Path = settings["tape.path"]
    process = start(settings, *VERB, "record", **shim.environment(call, part, number))
    wait_for_files(root, process)
    line = ending(process, shim.begin)
    assert line.startswith(f"tickwax: cannot write to {root}: ")
    assert line.endswith(os.strerror(number))
    with DataSetLock(root):  # recovers
        pass
    tape = concat(list(TapeReader(root, BTC).batches()))
    check_invariants(tape)
    assert tape.rows > 20


@pytest.mark.parametrize("which", ["tape", ".tape.journal", ""])
def test_a_folder_that_is_removed_is_noticed_at_once(settings, start, which):  # type: ignore[no-untyped-def]
    root: Path = settings["tape.path"]
    slow = {**settings, "journal.rotate_after": "1h", "journal.sync_after": "10s"}
    process = start(slow, *VERB, "record")
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size > 5000 for path in root.with_name(".tape.journal").glob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    line = ending(process, lambda: shutil.rmtree(root.parent / which))
    assert line == f"tickwax: cannot write to {root}: the folder was removed or replaced while it was written to"


@pytest.mark.parametrize(("verb", "number"), [
    ("synth", errno.ENOSPC), ("import", errno.ENOSPC), ("replay", errno.ENOSPC), ("replay", errno.EIO),
    ("optimal-d", errno.ENOSPC), ("record", errno.ENOSPC), ("record", errno.EIO),
])  # fmt: skip
def test_a_verb_that_meets_a_full_or_broken_disk_ends_with_1(  # type: ignore[no-untyped-def]
    synthetic_tape_root,
    exchange,
    start,
    shim,
    tmp_path,
    verb,
    number,
):
    tape, call, part = {"tape.path": tmp_path / "tape"}, "write", str(tmp_path)
    recorded = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "features"}
    arguments: dict[str, tuple[dict[str, object], list[object]]] = {
        "synth": (tape, ["synth", "--span", "2s"]),
        "import": (tape, ["import", "tardis", tmp_path / "book.csv"]),
        "replay": (recorded, ["replay"]),
        "optimal-d": (recorded, ["optimal-d", "--out", tmp_path / "d.parquet"]),
        "record": ({**exchange.addresses, **tape, "symbols": f'["{BTC}"]'}, ["record"]),
    }
    settings, command = arguments[verb]
    if verb == "record":  # at once: as a folder that is no use, but for the reason
        call = "open"
    write(tmp_path / "book.csv", BOOK, *START)
    shim.begin()
    process = start(settings, *VERB, *command, **shim.environment(call, part, number))
    stdout, stderr = process.communicate(timeout=60)
    (line,) = [line for line in told(stderr) if line.startswith("tickwax: ")]
    assert (process.returncode, stdout) == (1, ""), stderr
    assert f"{tmp_path}" in line
    assert line.endswith(os.strerror(number))
    assert "Traceback" not in stderr
    assert sorted(tmp_path.glob(".*")) == []
