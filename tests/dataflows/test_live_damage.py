"""A live run over a tape in which one instrument is damaged: the others record on, and it is said what was done."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from simulator.thread import SimulatorThread, simulator_thread
from sources.instrument import Instrument
from sources.tape.batch import RESET, concat
from sources.tape.layout import data_files, set_aside_of
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import MIDNIGHT, SECOND
from tests.dataflows.test_replay import told
from tests.importers.captures import check_invariants
from tests.markets import market

VERB = ("-c", "from dataflows.cli import main; main()")
BTC, ETH = (Instrument("binance_futures", f"{base}USDT") for base in ("BTC", "ETH"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatorThread]:
    with simulator_thread(market(instruments=(BTC, ETH)), time.time_ns) as running:
        yield running


@pytest.fixture
def settings(exchange: SimulatorThread, tmp_path: Path) -> dict[str, object]:
    """A tape that has rows of both already."""
    write_synthetic_tape(tmp_path / "tape", [BTC, ETH], 2 * SECOND, 7, start_ns=MIDNIGHT)
    paths = {"tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}
    return {**exchange.addresses, **paths, "symbols": '["binance_futures:*"]', "duration": "2s"}


def run(start: Callable[..., subprocess.Popen[str]], settings: dict[str, object], verb: str) -> tuple[int, str]:
    process = start(settings, *VERB, verb)
    stdout, stderr = process.communicate(timeout=60)
    assert ("1 damaged file set aside" in stdout) == ("damaged file set aside" in stderr), stdout
    return process.returncode, stderr


def rows_of(tmp_path: Path, instrument: Instrument) -> int:
    return sum(pq.read_metadata(file).num_rows for file in data_files(tmp_path / "tape", instrument))


@pytest.mark.parametrize("how", ["truncated", "text", "empty", "folder"])
def test_a_damaged_file_costs_its_own_rows(settings, start, tmp_path, how):  # type: ignore[no-untyped-def]
    before = rows_of(tmp_path, BTC)
    (file,) = data_files(tmp_path / "tape", ETH)
    content = file.read_bytes()
    file.unlink()
    if how == "folder":
        file.mkdir()
    else:
        file.write_bytes({"truncated": content[:-100], "text": b"hello, world", "empty": b""}[how])
    code, stderr = run(start, settings, "record")
    assert code == 0, stderr
    assert rows_of(tmp_path, BTC) > before + 20
    (aside,) = set_aside_of(tmp_path / "tape", ETH)
    assert aside.name == f"{file.name}.damaged"
    (line,) = [line for line in stderr.splitlines() if "damaged file set aside" in line]
    assert str(file) in line
    assert str(aside) in line
    tape = concat(list(TapeReader(tmp_path / "tape", ETH).batches()))
    assert tape.rows > 20
    assert (tape.kind[0], tape.ordinal[0]) == (RESET, 0)  # what was set aside is a hole
    replay = {"tape.path": tmp_path / "tape", "features.path": tmp_path / "again", "features.sampling": "update"}
    process = start(replay, *VERB, "replay")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert f"{ETH}: 1 damaged file was set aside in {aside.parent.parent}" in stderr
    check_invariants(concat(list(TapeReader(tmp_path / "tape", BTC).batches())))


def test_a_tape_that_cannot_be_gone_on_with_leaves_its_instrument_out(settings, start, tmp_path):  # type: ignore[no-untyped-def]
    before = rows_of(tmp_path, BTC)
    (file,) = data_files(tmp_path / "tape", ETH)
    (file.parent / "twice.parquet").write_bytes(file.read_bytes())  # nobody can say which one counts
    code, stderr = run(start, settings, "live")
    assert code == 0, stderr
    assert rows_of(tmp_path, BTC) > before + 20
    assert len(data_files(tmp_path / "tape", ETH)) == 2
    (line,) = [line for line in stderr.splitlines() if "instrument left out" in line]
    assert "overlap those of" in line
    code, stderr = run(start, {**settings, "symbols": f'["{ETH}"]'}, "record")
    assert code == 2
    assert told(stderr)[-1].startswith(f"tickwax: {file.parent}/")
    assert "overlap those of" in told(stderr)[-1]


def test_a_damaged_file_of_features_does_not_end_the_start(settings, start, tmp_path):  # type: ignore[no-untyped-def]
    settings = {**settings, "tape.path": tmp_path / "other"}
    assert run(start, settings, "live")[0] == 0
    (file,) = data_files(tmp_path / "features", ETH)
    file.write_bytes(file.read_bytes()[:-100])
    code, stderr = run(start, settings, "live")
    assert code == 0, stderr
    assert len(set_aside_of(tmp_path / "features", ETH)) == 1
    assert len(data_files(tmp_path / "features", BTC)) == 2
    pq.write_table(pa.table({"x": [1]}), data_files(tmp_path / "features", ETH)[0])
    code, stderr = run(start, settings, "live")
    assert code == 2  # of other columns: that is a mistake in the settings
    assert "was written by an older version, which did not note its settings" in stderr
