"""Looking at what another process records: the bits of a replay, and nobody is disturbed."""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bytewax.run import cli_main
from typing_extensions import override

from dataflows.assembly.attached import prepare_attached, recorded_tape
from dataflows.runtime.recorder_watch import RecorderWatch
from dataflows.settings.model import load_settings
from operators.config import FeatureConfig
from operators.row_batch import RowBatch
from sinks.lock import DataSetLock
from sinks.tape import tape_form
from sinks.write_ahead_log import Rotation, WriteAheadLog
from sources.errors import TickwaxError
from sources.tape.batch import InstrumentBatch, concat
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import INSTRUMENTS, Start
from tests.dataflows.test_live import replayed
from tests.dataflows.test_replay import table
from window.tap import Tap

BTC = INSTRUMENTS[0]
RECORD = ("-c", "from dataflows.cli import main; main()", "record")
ATTACH = ("-c", "from dataflows.cli import main; main()", "features", "--attach", "--no-screen")


class KeepingTap(Tap):
    """Keeps every feature row."""

    def __init__(self) -> None:
        super().__init__(FeatureConfig(), time.time_ns, {})
        self.kept: dict[str, list[RowBatch]] = defaultdict(list)

    @override
    def put(self, name: str, key: str, rows: RowBatch) -> None:
        super().put(name, key, rows)
        if rows.rows:
            self.kept[key].append(rows)

    @property
    def rows(self) -> int:
        """Feature rows so far."""
        return sum(rows.rows for rows in self.kept[str(BTC)])

    def column(self, array: str, row: int) -> np.ndarray:
        return np.concatenate([getattr(rows, array)[row] for rows in self.kept[str(BTC)]])


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def attached(root: Path) -> Iterator[tuple[KeepingTap, RecorderWatch]]:
    """What is recorded to a tape meanwhile."""
    tap = KeepingTap()
    live, watch = prepare_attached(load_settings({"tape.path": str(root), "replay.start": "2026-01-01"}), tap)
    live.ready()
    thread = threading.Thread(target=cli_main, args=(live.flow,))
    thread.start()
    try:
        yield tap, watch
    finally:
        live.stop.set()
        thread.join(30)
        live.release()


def assert_bits_of_a_replay(tap: KeepingTap, root: Path, folder: Path) -> None:
    again = table(replayed(root, folder), BTC)
    assert again.num_rows > 20
    assert tap.column("integer", 0).tobytes() == again["ts"].cast("int64").to_numpy().tobytes()
    assert tap.column("integer", 2).tobytes() == again["ordinal"].to_numpy().tobytes()
    values = [name for name in again.schema.names if str(again.schema.field(name).type) == "double"]
    assert len(values) > 50
    for row, name in enumerate(values):
        assert tap.column("value", row).tobytes() == again[name].to_numpy().tobytes(), name


def test_a_tape_that_grows_gives_the_bits_of_its_replay(synthetic_tape_root, tmp_path):
    root = tmp_path / "tape"
    whole = concat(list(TapeReader(synthetic_tape_root, BTC).batches()))
    cuts = np.linspace(0, whole.rows, 8).astype(int)
    with attached(root) as (tap, watch), DataSetLock(root):
        log = WriteAheadLog(root, tape_form(), "run-0", Rotation(), time.monotonic)
        for begin, end in pairwise(cuts):
            part = InstrumentBatch(BTC, whole.slice(begin, end))
            log.append([(str(BTC), tape_form().arrays(part))])
            until(lambda end=end: tap.tape_rows == end, "rows are missing")
        until(lambda: watch.state == "", "the recorder is not seen")
        assert log.close()
    assert_bits_of_a_replay(tap, root, tmp_path / "again")


@pytest.mark.soak
def test_it_shows_the_bits_of_a_replay_over_the_death_of_the_recorder_and_its_own(exchange, start: Start, tmp_path):
    root = tmp_path / "tape"
    settings = {**exchange.addresses, "tape.path": root, "symbols": f'["{BTC}"]'}
    with attached(root) as (tap, watch):
        until(lambda: watch.state.startswith("nobody records"), "no word before the recorder")
        other = start(settings, *ATTACH)
        first = start(settings, *RECORD)
        until(lambda: tap.rows > 12, "nothing comes from the recorder")
        until(lambda: watch.state == "", "the recorder is not seen")
        other.kill()
        other.wait()
        seen = tap.rows
        until(lambda: tap.rows > seen + 5, "the recorder does not outlive one that looked on")
        first.kill()
        until(lambda: "was killed" in watch.state, "the kill is not told")
        second = start(settings, *RECORD)
        seen = tap.rows
        until(lambda: tap.rows > seen + 12, "nothing comes from the recorder after it")
        second.send_signal(signal.SIGINT)
        assert second.wait(30) == 0
        until(lambda: "has ended" in watch.state, "the end is not told")
        time.sleep(0.2)
    assert_bits_of_a_replay(tap, root, tmp_path / "again")


def test_the_watch_tells_each_change_once(tmp_path: Path) -> None:
    root, now, lines = tmp_path / "tape", [0.0], []
    watch = RecorderWatch(root, lines.append, lambda: 500, lambda: 1, lambda: now[0])

    def look() -> str:
        now[0] += 1
        watch.look()
        watch.look()
        return watch.state

    assert look() == f"nobody records to {root}; waiting"
    with DataSetLock(root):
        assert [look(), look()] == ["", ""]
    assert [look(), look()] == ["the recorder has ended; waiting for another one"] * 2
    assert len(lines) == 3
    assert watch.line() == "attached · the recorder has ended; waiting for another one · 100 rows/s · 1 instrument"


def test_a_file_is_no_tape_to_attach_to() -> None:
    with pytest.raises(TickwaxError, match=r"^tape\.path: .* is not a folder$"):
        recorded_tape(load_settings({"tape.path": __file__}))
