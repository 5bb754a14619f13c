"""Replays and recordings whose data sets lie in an S3 server, which fails now and then."""

import signal
import threading
import time
from pathlib import Path

import pytest

import tickwax as tw
from simulator.thread import simulator_thread
from sources.store.path import StorePath
from sources.tape.batch import concat
from sources.tape.layout import instruments, journal_files
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_kills import LIVE_MODULE
from tests.dataflows.test_nothing import VERB
from tests.dataflows.test_replay import MODULE
from tests.kills import checksum
from tests.markets import market
from tests.stores import bucket, s3, store  # noqa: F401

pytestmark = pytest.mark.slow


def stored(folder: Path, root: StorePath) -> StorePath:
    for file in folder.rglob("*.parquet"):
        (root / file.relative_to(folder)).put(file)
    return root


def test_a_replay_is_that_of_folders(start, synthetic_tape_root, bucket, tmp_path):  # noqa: F811
    tape = stored(synthetic_tape_root, bucket / "tape")
    for where, out in ((tape, bucket / "out"), (synthetic_tape_root, tmp_path / "out")):
        paths = {"tape.path": where, "features.path": out / "features", "books.path": out / "books"}
        assert start(paths, *MODULE).wait(120) == 0
    for name in ("features", "books"):
        here, there = (tw.read_features(out / name) for out in (tmp_path / "out", bucket / "out"))
        assert here.num_rows > 100
        assert here.schema == there.schema
        assert str(here.to_pylist()) == str(there.to_pylist())  # of which a NaN is like another
    assert tw.read_tape(tape).equals(tw.read_tape(synthetic_tape_root))
    returned = tw.replay(tape, to=bucket / "third", sampling="1s")
    assert returned == bucket / "third"
    assert tw.read_features(returned).num_rows > 0


def test_a_replay_on_several_processes(start, synthetic_tape_root, bucket):  # noqa: F811
    paths = {"tape.path": synthetic_tape_root, "features.path": bucket / "features"}
    process = start(paths, *VERB, "replay", "--processes", "2")
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert f"{bucket}/features" in stdout
    assert len(list(instruments(bucket / "features"))) == len(INSTRUMENTS)


def test_a_bucket_that_is_not_there_is_noticed_before_the_work(start, synthetic_tape_root, store):  # noqa: F811
    process = start({"tape.path": synthetic_tape_root, "features.path": "s3://no-such-bucket/f"}, *MODULE)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 2
    (line,) = stderr.splitlines()
    assert line.startswith("tickwax: s3://no-such-bucket/f/")
    assert "NO_SUCH_BUCKET" in line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_replay_whose_files_are_refused(start, synthetic_tape_root, bucket, store, workers):  # noqa: F811
    store.fault = lambda method, path: "503" if method in ("PUT", "POST") and "bybit" in path else ""
    paths = {"tape.path": synthetic_tape_root, "features.path": bucket / "features"}
    process = start(paths, *MODULE, "-w", workers)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    (line,) = [line for line in stderr.splitlines() if "object store" in line]
    assert line.startswith(f"tickwax: {bucket}/features/exchange=bybit_linear/")
    assert "SLOW_DOWN" in line
    assert "Traceback" not in stderr
    assert "AKID" not in stderr
    assert not any(bucket.sizes().values())


def test_a_resumable_replay_is_refused(start, synthetic_tape_root, bucket, tmp_path):  # noqa: F811
    paths = {"tape.path": synthetic_tape_root, "features.path": bucket / "features"}
    process = start(paths, *VERB, "replay", "--recovery", tmp_path / "r")
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "a replay with --recovery writes to folders of this machine only" in stderr


@pytest.mark.soak
def test_a_recording_that_is_killed_while_the_store_is_away(start, bucket, store):  # noqa: F811
    tape = bucket / "tape"
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as exchange:
        settings = {**exchange.addresses, "symbols": '["binance_futures:*"]', "features.path": "", "tape.path": tape,
                    "journal.rotate_after": "1s"}  # fmt: skip
        running = start(settings, *LIVE_MODULE)
        wait(lambda: any(bucket.sizes().values()))  # files have been put
        store.fault = lambda method, path: "503"
        late = threading.Timer(90, running.kill)  # which ends the lines
        late.start()
        told = next((line for line in running.stderr if "object store" in line), "")
        late.cancel()
        assert "the rows stay in journals on this machine, and it is tried again" in told
        wait(lambda: len(journal_files(tape)) > 3)
        running.send_signal(signal.SIGKILL)
        _, stderr = running.communicate()
        assert "object store" not in stderr  # said once
        store.fault = lambda method, path: ""
        assert not [key for key in bucket.sizes() if key.endswith(".journal")]
        before = {i: concat(list(TapeReader(tape, i).batches())) for i in INSTRUMENTS[:3]}
        again = start({**settings, "duration": "2s"}, *LIVE_MODULE)
        _, stderr = again.communicate(timeout=60)
        assert again.returncode == 0, stderr
        assert "recovered" in stderr
    assert journal_files(tape) == []
    for instrument, rows in before.items():
        after = concat(list(TapeReader(tape, instrument).batches()))
        assert after.rows > rows.rows > 0
        assert checksum(after.slice(0, rows.rows)) == checksum(rows)


def wait(until) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)
