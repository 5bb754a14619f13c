"""WriteAheadLog become files by size and time; readers see journals and files as one; a data set has one writer."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sinks.compaction import compact, recover
from sinks.journal import JournalWriter
from sinks.lock import DataSetLock
from sinks.tape import TapeWriter
from sources.errors import TickwaxError
from sources.tape.batch import RESET, TRADE, concat
from sources.tape.layout import data_files, journal_files
from sources.tape.reader import TapeReader
from sources.tape.tail import find_tail, since_reset
from tests.sinks.journals import (
    BTC,
    ETH,
    FORM,
    append,
    assert_same,
    in_files,
    open_log,
    rows,
    tape,
)

ROOT = Path(__file__).parents[2]


class TestSegments:
    def test_size(self, tmp_path):
        root = tmp_path / "tape"
        log = open_log(root, bytes=20_000)
        for n in range(0, 3000, 10):
            append(log, (BTC, rows(n, 10)), (ETH, rows(n, 10)))
        assert log.close()
        for instrument in (BTC, ETH):
            assert_same(tape(root, instrument), rows(0, 3000))
            assert len(data_files(root, instrument)) == len(log.done) == 17
        assert journal_files(root) == []

    def test_time(self, tmp_path):
        root, now = tmp_path / "tape", [0.0]
        log = open_log(root, lambda: now[0], seconds=60.0)
        for n in range(10):
            now[0] += 25.0
            append(log, (BTC, rows(10 * n, 10)))
        assert log.close()
        assert_same(tape(root, BTC), rows(0, 100))
        assert len(log.done) == 3

    def test_rows_are_on_the_disk_soon_though_no_more_come(self, tmp_path):
        log = open_log(tmp_path / "tape", sync_seconds=0.02)
        append(log, (BTC, rows(0, 10)))
        journal = log._journal
        deadline = time.monotonic() + 10
        while journal.synced != journal.position:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert log.close()

    def test_nothing_written_leaves_nothing(self, tmp_path):
        log = open_log(tmp_path / "tape")
        append(log, (BTC, rows(0, 0)))
        assert log.close()
        assert in_files(tmp_path / "tape", BTC) == []

    def test_without_time_rows_stay_in_the_journal(self, tmp_path):
        root = tmp_path / "tape"
        log = open_log(root)
        append(log, (BTC, rows(0, 50_000)))
        in_time = log.close(0.0)
        assert_same(tape(root, BTC), rows(0, 50_000))
        assert in_time == (not journal_files(root))
        recover(root)
        assert in_files(root, BTC) == list(range(50_000))

    def test_what_fails_in_the_background_is_told(self, tmp_path):
        root = tmp_path / "tape"
        log = open_log(root, bytes=1)
        (root / "exchange=binance_futures").touch()
        append(log, (BTC, rows(0, 5)))
        with pytest.raises(TickwaxError, match=f"^cannot write to {root}: (File exists|Not a directory)"):
            log.close()
        (root / "exchange=binance_futures").unlink()
        recover(root)
        assert_same(tape(root, BTC), rows(0, 5))


class TestReaders:
    """Our readers see what is not compacted, and nothing twice."""

    def test_a_journal_after_files(self, tmp_path):
        root = tmp_path / "tape"
        with TapeWriter(root, "before") as writer:
            writer.write(BTC, rows(0, 100))
        path = tmp_path / ".tape.journal" / "live.journal"
        writer = JournalWriter(path, FORM.description)
        for n in range(100, 200, 20):
            append(writer, (ETH, rows(n - 100, 20)), (BTC, rows(n, 20)))
        assert_same(tape(root, BTC), rows(0, 200))
        assert_same(tape(root, ETH), rows(0, 100))
        assert TapeReader(root, BTC).rows == 200
        for resume in (50, 100, 130, 199):
            assert_same(concat(list(TapeReader(root, BTC).batches(7, resume=resume))), rows(0, 200).slice(resume, 200))
        assert list(TapeReader(root, BTC).batches(resume=200)) == []
        assert find_tail(root, BTC).next_ordinal == 200
        assert find_tail(root, BTC).torn == (not rows(199, 1).last[0])
        start = TapeReader(root, BTC, start_ns=152)  # received as ordinal 150
        assert (start.first_ordinal, next(iter(start.batches())).ordinal[0]) == (150, 0)

    def test_a_journal_inside_a_folder_that_is_a_file_system_of_its_own(self, tmp_path):
        append(JournalWriter(tmp_path / ".tape.journal" / "a.journal", FORM.description), (BTC, rows(0, 10)))
        append(JournalWriter(tmp_path / "tape" / ".journal" / "b.journal", FORM.description), (BTC, rows(10, 10)))
        assert_same(tape(tmp_path / "tape", BTC), rows(0, 20))
        recover(tmp_path / "tape")
        assert in_files(tmp_path / "tape", BTC) == list(range(20))

    def test_rows_that_are_in_both_are_read_once(self, tmp_path):
        root = tmp_path / "tape"
        writer = JournalWriter(tmp_path / ".tape.journal" / "live.journal", FORM.description)
        for n in range(0, 100, 10):
            append(writer, (BTC, rows(n, 10)))
        for name, first, count in (("a", 0, 7), ("b", 40, 23), ("c", 99, 1)):
            with TapeWriter(root, name) as files:
                files.write(BTC, rows(first, count))
            assert_same(tape(root, BTC), rows(0, 100))

    def test_since_reset(self, tmp_path):
        root = tmp_path / "tape"
        trades = rows(0, 20)._replace(kind=np.full(20, TRADE, np.int8), last=np.ones(20, bool))
        assert since_reset(root, BTC) == []
        with TapeWriter(root, "a") as writer:
            writer.write(BTC, trades.slice(0, 5))
        assert_same(concat(since_reset(root, BTC)), trades.slice(0, 5))
        kinds = trades.kind.copy()
        kinds[[7, 9]] = RESET
        side = np.where(kinds == RESET, 0, trades.side).astype(np.int8)
        journal = JournalWriter(tmp_path / ".tape.journal" / "live.journal", FORM.description)
        append(journal, (BTC, trades._replace(kind=kinds, side=side).slice(5, 20)))
        assert concat(since_reset(root, BTC)).ordinal.tolist() == list(range(9, 20))
        tail = find_tail(root, BTC)
        assert (tail.book_known, tail.torn, tail.next_ordinal) == (False, False, 20)

    def test_a_journal_that_vanishes_while_it_is_read(self, tmp_path):
        root = tmp_path / "tape"
        root.mkdir()
        path = tmp_path / ".tape.journal" / "live.journal"
        append(JournalWriter(path, FORM.description), (BTC, rows(0, 1000)))
        reader = TapeReader(root, BTC)
        compact(root, path)
        assert_same(concat(list(reader.batches())), rows(0, 1000))
        assert_same(tape(root, BTC), rows(0, 1000))


class TestLock:
    def test_one_writer(self, tmp_path):
        root = tmp_path / "tape"
        with DataSetLock(root), pytest.raises(TickwaxError, match=f"{root}: another process is writing to it"):
            DataSetLock(root)
        DataSetLock(root).release()

    def test_a_cluster_is_one_writer(self, tmp_path):
        root = tmp_path / "tape"
        with DataSetLock(root, "a:1;b:1"), DataSetLock(root, "a:1;b:1"):
            for other in ("", "a:1;b:2"):
                with pytest.raises(TickwaxError, match="another process is writing to it"):
                    DataSetLock(root, other)
        with DataSetLock(root, "a:1;b:2"):
            pass
        with DataSetLock(root), pytest.raises(TickwaxError, match="another process"):
            DataSetLock(root, "a:1;b:1")

    def test_the_system_lets_go_of_a_dead_writer_and_its_rows_are_recovered(self, tmp_path):
        root = tmp_path / "tape"
        code = (
            "import os, signal, sys; from pathlib import Path; from sinks.lock import DataSetLock; "
            "from tests.sinks.journals import *; "
            "root = Path(sys.argv[1]); lock = DataSetLock(root); s = open_log(root); "
            "append(s, (BTC, rows(0, 77))); print('written', flush=True); signal.pause()"
        )
        process = subprocess.Popen([sys.executable, "-c", code, root], cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"written\n"
        with pytest.raises(TickwaxError, match="another process"):
            DataSetLock(root)
        assert_same(tape(root, BTC), rows(0, 77))
        process.kill()
        process.communicate()
        said: list[str] = []
        with DataSetLock(root, say=said.append):
            assert in_files(root, BTC) == list(range(77))
        assert said == [f"{root}: recovered 77 rows of a run that did not end in order"]

    def test_a_folder_that_cannot_be_written_to(self, tmp_path):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path], capture_output=True)
        if mounted.returncode:
            pytest.skip(f"cannot mount a file system: {mounted.stderr.decode().strip()}")
        try:
            for root in (tmp_path, tmp_path / "deeper"):
                with pytest.raises(TickwaxError, match=f"^cannot write to {root}: Read-only file system$"):
                    DataSetLock(root)
        finally:
            subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_costs_nothing_that_was_written(small_disk):
    root = small_disk / "tape"
    log = open_log(root)
    written = 0

    def fill() -> None:
        nonlocal written
        while True:
            append(log, (BTC, rows(written, 100)))
            written += 100

    full = f"^cannot write to {root}: .*No space left on device$"
    with pytest.raises(TickwaxError, match=full):
        fill()
    assert written > 10_000
    with pytest.raises(TickwaxError, match=f"^cannot write to {root}: "):
        append(log, (BTC, rows(written, 1)))
    assert_same(tape(root, BTC), rows(0, written))
    with pytest.raises(TickwaxError, match=full):  # no room for files either
        DataSetLock(root)
    assert_same(tape(root, BTC), rows(0, written))
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    with DataSetLock(root):
        assert in_files(root, BTC) == list(range(written))
    assert [path.name for path in small_disk.iterdir() if path.name != "tape"] in ([], [".tape.journal"])
