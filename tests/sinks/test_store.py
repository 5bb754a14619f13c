"""Data sets in an S3 server: the same rows as on a disk, and none by half when the store fails."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from sinks.compaction import recover
from sinks.lock import DataSetLock
from sinks.quarantine import set_aside
from sinks.store_commit import settle
from sinks.tape import TapeWriter
from sinks.target import check_target
from sources.errors import DamagedError, TickwaxError
from sources.parquet import CheckedFile
from sources.store.path import StoreAway, StorePath, StoreRefusal
from sources.tape.layout import data_files, instruments, journal_files
from tests.conftest import ROOT
from tests.sinks.journals import BTC, ETH, append, assert_same, open_log, rows, tape

pytestmark = pytest.mark.slow


def write(root: Path, *first: int, name: str = "run") -> None:
    with TapeWriter(root, name) as writer:
        for instrument in (BTC, ETH):
            for n in first:
                writer.write(instrument, rows(n, 1000))


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert "secret" not in text
    assert "AKID" not in text
    return text


class TestPaths:
    def test_it_is_an_address_wherever_it_is_shown(self):
        path = StorePath.parse("s3://bucket/a/b/")
        assert str(path) == "s3://bucket/a/b"
        assert (path / "c", path.parent, path.name) == (StorePath.parse("s3://bucket/a/b/c"), path.parent, "b")
        assert str(path.parent) == "s3://bucket/a"
        assert path.resolve() == path
        assert str((path / "c" / "d").relative_to(path)) == "c/d"

    @pytest.mark.parametrize("text", ["s3:/bucket/a", "s3://", "s3://B/a", "s3://bucket//a", "s3://bucket/../a",
                                      "s3://bucket/a?endpoint_override=x", "s3://me:hunter2@bucket/a"])  # fmt: skip
    def test_what_is_none(self, text):
        with pytest.raises(ValueError, match=r"is not an address of the form|has a name and a key") as e:
            StorePath.parse(text)
        assert "hunter2" not in str(e.value)

    def test_nothing_takes_it_for_a_path_of_this_machine(self):
        with pytest.raises(TickwaxError, match="lies in an object store"):
            os.listdir(StorePath.parse("s3://bucket/a"))


class TestFiles:
    def test_rows_are_those_that_were_written(self, bucket):
        root = bucket / "tape"
        write(root, 0, 1000)
        assert list(instruments(root)) == [BTC, ETH]
        assert_same(tape(root, ETH), rows(0, 2000))
        assert [file.name[:4] for file in data_files(root, BTC)] == ["run-"]

    def test_a_footer_is_read_without_the_file(self, bucket, store):
        write(bucket / "tape", 0)
        file = data_files(bucket / "tape", BTC)[0]
        store.requests.clear()
        with CheckedFile(file) as opened:
            assert opened.metadata.num_rows == 1000
            asked = len(store.requests)
            assert sum(batch.num_rows for batch in opened.batches(100, [0], ["ordinal"])) == 1000
        assert len(store.requests) == asked + 1

    def test_more_than_one_block(self, bucket, monkeypatch):
        monkeypatch.setattr("sources.store.fetched._BLOCK", 1000)
        monkeypatch.setattr("sources.store.fetched._FOOTER", 100)
        write(bucket / "tape", 0, 1000, 2000)
        assert_same(tape(bucket / "tape", BTC), rows(0, 3000))

    def test_damage_is_found(self, bucket, store):
        write(bucket / "tape", 0)
        file = data_files(bucket / "tape", BTC)[0]
        _, content = store.ask("GET", f"/{file.key}")
        hurt = bytearray(content)
        hurt[len(hurt) // 3] ^= 16
        store.ask("PUT", f"/{file.key}", bytes(hurt))
        with pytest.raises(DamagedError, match="damaged"):
            tape(bucket / "tape", BTC)
        aside = set_aside(bucket / "tape", file)
        assert aside.read_bytes() == bytes(hurt)
        assert data_files(bucket / "tape", BTC) == []

    def test_a_folder_of_another_kind_is_refused(self, bucket):
        write(bucket / "tape", 0)
        with pytest.raises(TickwaxError, match="holds a tape, not features"):
            check_target(bucket / "tape", "features", "features.path")
        with pytest.raises(TickwaxError, match="lies inside the data set s3://"):
            check_target(bucket / "tape" / "inner", "features", "features.path")
        with pytest.raises(TickwaxError, match="holds the data set s3://"):
            check_target(bucket, "features", "features.path")

    def test_one_writer_of_this_machine(self, bucket):
        with DataSetLock(bucket / "tape"), pytest.raises(TickwaxError, match="another process is writing to it"):
            DataSetLock(bucket / "tape")


class TestFaults:
    """Of the store: 503 for some time or for ever, an answer that takes long, connections cut in the middle."""

    @pytest.mark.parametrize("fault", ["503", "slow", "cut request", "cut answer"])
    def test_a_passing_one_is_not_noticed(self, bucket, store, fault):
        numbers = count()
        store.fault = lambda method, path: fault if next(numbers) % 5 == 3 else ""
        store.seconds = 0.2
        write(bucket / "tape", 0)
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))
        assert next(numbers) > 10

    @pytest.mark.parametrize("fault", ["503", "cut request"])
    def test_a_write_is_whole_or_none(self, bucket, store, fault):
        write(bucket / "tape", 0)
        before = bucket.sizes()
        # The second file of two is refused for ever.
        store.fault = lambda method, path: fault if "ETH" in path and method in ("PUT", "POST") else ""
        with pytest.raises(StoreAway) as e:
            write(bucket / "tape", 1000)
        assert one_line(e.value).startswith(f"{bucket}/tape/exchange=")
        assert "the object store: " in str(e.value)
        store.fault = lambda method, path: ""
        assert {key: size for key, size in bucket.sizes().items() if size} == before

    def test_what_could_not_be_undone_is_undone_later(self, bucket, store):
        store.fault = lambda method, path: "503" if "ETH" in path or method == "DELETE" else ""
        with pytest.raises(StoreAway):
            write(bucket / "tape", 0)
        assert [key for key in bucket.sizes() if "BTC" in key]
        store.fault = lambda method, path: ""
        with DataSetLock(bucket / "tape"):
            assert not any(bucket.sizes().values())
        write(bucket / "tape", 0)
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))

    def test_a_kill_in_the_middle_leaves_nothing_for_long(self, bucket, store):
        program = (
            "from pathlib import Path\nfrom tests.sinks.test_store import write\n"
            "from sources.store.path import StorePath\n"
            f"write(StorePath.parse('{bucket}/tape'), 0)\n"
        )
        arrived = threading.Event()

        def fault(method: str, path: str) -> str:
            if method in ("PUT", "POST") and "ETH" in path:
                arrived.set()
                return "slow"
            return ""

        store.seconds, store.fault = 5.0, fault
        process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
        assert arrived.wait(30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        store.fault = lambda method, path: ""
        assert [key for key in bucket.sizes() if "BTC" in key]
        settle(bucket / "tape")
        time.sleep(6)  # what was still on its way
        assert not any(bucket.sizes().values())

    def test_replaced_files_go_only_when_the_new_are_there(self, bucket, store):
        write(bucket / "tape", 0)
        old = data_files(bucket / "tape", BTC)
        writer = TapeWriter(bucket / "tape", "run")
        writer.write(BTC, rows(0, 500))
        store.fault = lambda method, path: "503" if method == "PUT" and "BTC" in path else ""
        with pytest.raises(StoreAway):
            writer.commit([BTC])
        writer.abort()
        store.fault = lambda method, path: ""
        assert data_files(bucket / "tape", BTC) == old
        writer = TapeWriter(bucket / "tape", "run")
        writer.write(BTC, rows(0, 500))
        writer.commit([BTC])
        assert_same(tape(bucket / "tape", BTC), rows(0, 500))
        assert not set(old).intersection(data_files(bucket / "tape", BTC))

    def test_reading_from_a_store_that_is_away(self, bucket, store):
        write(bucket / "tape", 0)
        store.fault = lambda method, path: "503"
        with pytest.raises(StoreAway) as e:
            list(instruments(bucket / "tape"))
        assert "SLOW_DOWN" in one_line(e.value)

    def test_a_bucket_that_is_not_there(self, store):
        with pytest.raises(StoreRefusal) as e:
            write(StorePath.parse("s3://no-such-bucket/tape"), 0)
        assert "NO_SUCH_BUCKET" in one_line(e.value)


class TestJournals:
    """What is recorded waits on this machine for a store that does not take it."""

    def test_files_appear_and_the_journal_goes(self, bucket):
        log = open_log(bucket / "tape", bytes=20_000)
        for n in range(0, 1000, 10):
            append(log, (BTC, rows(n, 10)))
        assert log.close()
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))
        assert journal_files(bucket / "tape") == []

    def test_an_outage(self, bucket, store, monkeypatch):
        monkeypatch.setattr("sinks.write_ahead_log._PAUSE", 0.1)
        told: list[tuple[bool, bool]] = []
        log = open_log(bucket / "tape", bytes=20_000)
        log._on_store = lambda error, first: told.append((error is None, first))
        store.fault = lambda method, path: "503"
        for n in range(0, 1000, 10):
            append(log, (BTC, rows(n, 10)))
        deadline = time.monotonic() + 60
        while len(told) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        store.fault = lambda method, path: ""
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))  # out of journals, by whoever reads on this machine
        assert log.close()
        assert told[0] == (False, True)
        assert told[-1] == (True, False)
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))
        assert journal_files(bucket / "tape") == []

    def test_an_end_while_the_store_is_away(self, bucket, store):
        log = open_log(bucket / "tape")
        append(log, (BTC, rows(0, 1000)))
        store.fault = lambda method, path: "503"
        assert not log.close()
        assert len(journal_files(bucket / "tape")) == 1
        store.fault = lambda method, path: ""
        assert not any(bucket.sizes().values())
        said: list[str] = []
        with DataSetLock(bucket / "tape", say=said.append):
            pass
        assert "recovered 1,000 rows" in said[0]
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))
        assert journal_files(bucket / "tape") == []

    def test_a_journal_goes_only_after_its_files_are_confirmed(self, bucket, store):
        log = open_log(bucket / "tape")
        append(log, (BTC, rows(0, 1000)))
        # All bytes come, and the answers to the question whether they did are lost.
        store.fault = lambda method, path: "503" if method == "HEAD" and path.endswith(".parquet") else ""
        assert not log.close()
        assert len(journal_files(bucket / "tape")) == 1
        store.fault = lambda method, path: ""
        recover(bucket / "tape")
        assert_same(tape(bucket / "tape", BTC), rows(0, 1000))
