"""Journals: what was appended is read back, whatever was cut off or damaged after it; compaction can be killed."""

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import FeatureConfig
from operators.features import FeatureRows
from operators.schema import book_columns, feature_columns
from sinks.compaction import compact, recover
from sinks.journal import JournalWriter
from sinks.lock import DataSetLock
from sinks.rows import rows_form, rows_to_arrow
from sinks.segments import Rotation, Segments
from sinks.tape import TapeWriter, tape_form
from sources.errors import TickwaxError
from sources.events import DELTA, RESET, SNAPSHOT, TRADE, InstrumentBatch, TapeBatch, concat, tape_batch
from sources.instrument import Instrument
from sources.journal import Journal
from sources.tape.layout import data_files, instruments, journal_files
from sources.tape.reader import TapeReader
from sources.tape.tail import find_tail, since_reset

BTC, ETH, SOL = (Instrument("binance_futures", f"{name}USDT") for name in ("BTC", "ETH", "SOL"))
DAY = 86_400_000_000_000
FORM = tape_form()
ROOT = Path(__file__).parents[2]


def rows(first: int, count: int, day: int = 0) -> TapeBatch:
    """Tape rows whose every column follows from their ordinals."""
    n = np.arange(first, first + count)
    return tape_batch(
        ordinal=n, exchange_ts=n + 1 + day * DAY, receive_ts=n + 2 + day * DAY, sequence=n * 3,
        kind=np.where(n == 0, SNAPSHOT, DELTA), side=np.where(n % 2, 1, -1), price=1 + np.sqrt(n), size=n / 7,
        last=n % 3 == 2,
    )  # fmt: skip


def append(writer: JournalWriter | Segments, *items: tuple[Instrument, TapeBatch]) -> None:
    writer.append((str(instrument), FORM.arrays(InstrumentBatch(instrument, batch))) for instrument, batch in items)


def assert_same(found: TapeBatch, expected: TapeBatch) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def read(journal: Journal) -> dict[str, TapeBatch]:
    return {
        key: TapeBatch(*(journal.read(items, name) for name in TapeBatch._fields)) for key, items in journal.by_key()
    }


def tape(root: Path, instrument: Instrument) -> TapeBatch:
    return concat(list(TapeReader(root, instrument).batches()))


def in_files(root: Path, instrument: Instrument) -> list[int]:
    """Ordinals as anybody reads them."""
    return sorted(
        n for path in data_files(root, instrument) for n in pq.ParquetFile(path).read()["ordinal"].to_pylist()
    )


Appends = st.lists(st.lists(st.tuples(st.sampled_from((BTC, ETH, SOL)), st.integers(0, 9)), max_size=3), max_size=8)


class Written:
    """A journal with these appends, and what it must hold after each."""

    def __init__(self, path: Path, appends: list[list[tuple[Instrument, int]]]) -> None:
        self.path = path
        writer = JournalWriter(path, FORM.description)
        have: dict[str, list[TapeBatch]] = {}
        self.positions = [writer.position]
        self.contents: list[dict[str, TapeBatch]] = [{}]
        for items in appends:
            batches = []
            for instrument, count in items:
                at = sum(batch.rows for batch in have.get(str(instrument), []))
                batches.append((instrument, rows(at, count)))
                have.setdefault(str(instrument), []).append(batches[-1][1])
            append(writer, *batches)
            self.positions.append(writer.position)
            self.contents.append({k: joined for k, v in have.items() if (joined := concat(v)).rows})
        writer.close()

    def at(self, position: int) -> dict[str, TapeBatch]:
        """What was there when so many bytes were."""
        return self.contents[max((n for n, p in enumerate(self.positions) if p <= position), default=0)]

    def check(self, journal: Journal, position: int) -> None:
        found, expected = read(journal), self.at(position)
        assert found.keys() == expected.keys()
        for key, batch in expected.items():
            assert_same(found[key], batch)


class TestReadingBack:
    @given(Appends, st.data())
    def test_a_journal_that_is_cut_anywhere_holds_what_was_whole(self, tmp_path_factory, appends, data):
        written = Written(tmp_path_factory.mktemp("j") / "a.journal", appends)
        whole = written.path.read_bytes()
        written.check(Journal(written.path), len(whole))
        cut = data.draw(st.integers(0, len(whole)))
        damage = data.draw(st.sampled_from(("cut", "zeros", "noise")))
        # A file system may have grown the file and not have filled it when the power went.
        tail = {"cut": b"", "zeros": bytes(len(whole) - cut), "noise": os.urandom(len(whole) - cut)}[damage]
        written.path.write_bytes(whole[:cut] + tail)
        if damage == "noise" and cut < 8:
            return  # even the name of the format is gone, and such a file is refused
        journal = Journal(written.path)
        written.check(journal, cut)
        assert (journal.description is None) == (cut < written.positions[0])

    @given(Appends, st.data())
    def test_a_changed_byte_ends_the_journal_before_it(self, tmp_path_factory, appends, data):
        written = Written(tmp_path_factory.mktemp("j") / "a.journal", appends)
        whole = bytearray(written.path.read_bytes())
        place = data.draw(st.integers(8, len(whole) - 1))
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
        written.path.write_bytes(whole)
        written.check(Journal(written.path), place)

    @given(Appends, Appends, st.data())
    def test_going_on_from_a_position(self, tmp_path_factory, appends, more, data):
        folder = tmp_path_factory.mktemp("j")
        written = Written(folder / "a.journal", appends)
        kept = data.draw(st.integers(0, len(appends)))
        whole = Written(folder / "b.journal", appends[:kept] + more)
        writer = JournalWriter(written.path, FORM.description, written.positions[kept])
        have = {key: batch.rows for key, batch in written.contents[kept].items()}
        for items in more:
            batches = []
            for instrument, count in items:
                batches.append((instrument, rows(have.get(str(instrument), 0), count)))
                have[str(instrument)] = have.get(str(instrument), 0) + count
            append(writer, *batches)
        assert written.path.read_bytes() == whole.path.read_bytes()

    def test_another_format_is_refused(self, tmp_path):
        for text in (b"TWJRNL\x02\nmore", b"PAR1", b"{}"):
            (tmp_path / "x").write_bytes(text)
            with pytest.raises(TickwaxError, match="is no journal of this version"):
                Journal(tmp_path / "x")

    def test_feature_rows_and_books(self, tmp_path):
        random = np.random.default_rng(1)
        config = FeatureConfig()
        columns = feature_columns(config)
        room = FeatureRows(
            random.integers(0, 9, (4, 50)), random.integers(-1, 3, (2, 50)).astype(np.int8),
            random.normal(size=(sum(c.array == "value" for c in columns), 50)), random.normal(size=(80, 50)),
        )  # fmt: skip
        parts = [FeatureRows(*(a[:, start:stop] for a in room)) for start, stop in ((0, 1), (1, 1), (1, 7), (7, 50))]
        for name, chosen in (("features", columns), ("books", book_columns())):
            form = rows_form(chosen)
            writer = JournalWriter(tmp_path / name, form.description)
            for part in parts:
                writer.append([(str(BTC), form.arrays(part))])
            journal = Journal(tmp_path / name)
            ((key, items),) = journal.by_key()
            found = form.arrow({field.name: journal.read(items, field.name) for field in form.fields})
            assert key == str(BTC)
            assert found.equals(rows_to_arrow(room, chosen, form.file.schema))


KILLED = """
import os, signal, sys
from pathlib import Path
from sinks import compaction, dataset
root, kill_at, number = Path(sys.argv[1]), int(sys.argv[2]), 0
def dying(act):
    def wrapped(*arguments, **named):
        global number
        number += 1
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*arguments, **named)
    return wrapped
os.replace, os.unlink, os.rmdir = dying(os.replace), dying(os.unlink), dying(os.rmdir)
Path.unlink = dying(Path.unlink)
dataset.sync = dying(dataset.sync)
compaction.recover(root)
print(number)
"""


EXPECTED = {BTC: (rows(0, 700), rows(700, 300, 1)), ETH: (rows(0, 10),), SOL: (rows(0, 5, 1), rows(5, 5))}


class TestCompaction:
    def journal(self, root: Path, name: str = "live-0-000000") -> Path:
        root.mkdir(exist_ok=True)
        path = root.parent / f".{root.name}.journal" / f"{name}.journal"
        writer = JournalWriter(path, FORM.description)
        for batches in zip(*(split(concat(list(parts))) for parts in EXPECTED.values()), strict=True):
            append(writer, *zip(EXPECTED, batches, strict=True))
        return path

    def check(self, root: Path, compacted: bool = True) -> None:
        for instrument, parts in EXPECTED.items():
            expected = concat(list(parts))
            assert_same(tape(root, instrument), expected)
            if compacted:
                assert in_files(root, instrument) == list(range(expected.rows))
        if compacted:
            assert journal_files(root) == []
            assert {path.name for path in root.parent.iterdir()} <= {root.name, f".{root.name}.journal"}

    def test_files_by_instrument_and_date(self, tmp_path):
        root = tmp_path / "tape"
        path = self.journal(root)
        self.check(root, compacted=False)
        done = compact(root, path)
        assert done.rows == 1020
        assert sorted(str(file.relative_to(root)) for file in done.files) == [
            f"exchange=binance_futures/symbol={symbol}USDT/date={date}/live-0-000000-{number:06d}.parquet"
            for symbol, number, date in (
                ("BTC", 0, "1970-01-01"), ("BTC", 1, "1970-01-02"), ("ETH", 0, "1970-01-01"),
                ("SOL", 1, "1970-01-01"), ("SOL", 0, "1970-01-02"),
            )
        ]  # fmt: skip
        self.check(root)

    def test_memory_is_bounded_by_row_groups(self, tmp_path):
        root = tmp_path / "tape"
        path = self.journal(root)
        journal = Journal(path)
        for _, items in journal.by_key():
            parts = list(journal.parts(items, 100))
            assert np.concatenate(parts).tolist() == items.tolist()
            assert all(journal.rows[part].sum() < 200 for part in parts)

    def test_killed_on_the_way_and_done_again(self, tmp_path):
        """Every name that changes and every fsync is a step; readers see each row once after any of them."""

        def run(folder: str, kill_at: int) -> tuple[Path, subprocess.CompletedProcess[str]]:
            root = tmp_path / folder / "tape"
            root.parent.mkdir()
            self.journal(root)
            command = [sys.executable, "-c", KILLED, str(root), str(kill_at)]
            return root, subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

        root, whole = run("whole", 0)
        self.check(root)
        steps = int(whole.stdout)
        assert steps > 20
        for kill_at in np.linspace(1, steps, 5).astype(int).tolist():
            root, killed = run(str(kill_at), kill_at)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            self.check(root, compacted=False)
            recover(root)
            self.check(root)

    def test_files_of_an_earlier_attempt_that_cut_them_otherwise_go(self, tmp_path):
        root = tmp_path / "tape"
        path = self.journal(root)
        with TapeWriter(root, path.stem) as writer:
            for day in (0, 1, 5):
                writer.write(BTC, rows(day, 1, day))
        with TapeWriter(root, "other") as writer:
            writer.write(Instrument("bybit_linear", "X"), rows(0, 3))
        compact(root, path)
        assert in_files(root, BTC) == list(range(1000))
        assert in_files(root, Instrument("bybit_linear", "X")) == [0, 1, 2]

    @settings(max_examples=15)
    @given(st.data())
    def test_after_a_power_cut_what_was_synced_is_there_and_the_rest_is_a_beginning(self, tmp_path_factory, data):
        root = tmp_path_factory.mktemp("cut") / "tape"
        root.mkdir()
        path = root.parent / ".tape.journal" / "live.journal"
        written = Written(path, data.draw(Appends))
        synced = data.draw(st.sampled_from(written.positions))
        path.write_bytes(path.read_bytes()[: data.draw(st.integers(synced, written.positions[-1]))])
        recover(root)
        for instrument in (BTC, ETH, SOL):
            whole = written.contents[-1].get(str(instrument), rows(0, 0))
            safe = written.at(synced).get(str(instrument), rows(0, 0))
            found = tape(root, instrument) if data_files(root, instrument) else rows(0, 0)
            assert safe.rows <= found.rows <= whole.rows
            assert_same(found, whole.slice(0, found.rows))

    def test_a_journal_without_a_beginning_goes(self, tmp_path):
        root = tmp_path / "tape"
        path = self.journal(root)
        path.write_bytes(path.read_bytes()[:30])
        assert list(instruments(root)) == []
        said: list[str] = []
        assert recover(root, said.append) == 0
        assert (said, journal_files(root)) == ([], [])


def split(batch: TapeBatch) -> list[TapeBatch]:
    cuts = np.linspace(0, batch.rows, 41).astype(int).tolist()
    return [batch.slice(a, b) for a, b in pairwise(cuts)]


class TestSegments:
    def segments(self, root: Path, clock=lambda: 0.0, **rotation: float) -> Segments:
        root.mkdir(exist_ok=True)
        done: list[int] = []
        made = Segments(root, FORM, "run-0", Rotation(**rotation), clock, lambda compacted: done.append(compacted.rows))
        made.done = done
        return made

    def test_size(self, tmp_path):
        root = tmp_path / "tape"
        segments = self.segments(root, bytes=20_000)
        for n in range(0, 3000, 10):
            append(segments, (BTC, rows(n, 10)), (ETH, rows(n, 10)))
        assert segments.close()
        for instrument in (BTC, ETH):
            assert_same(tape(root, instrument), rows(0, 3000))
            assert len(data_files(root, instrument)) == len(segments.done) == 16
        assert journal_files(root) == []

    def test_time(self, tmp_path):
        root, now = tmp_path / "tape", [0.0]
        segments = self.segments(root, lambda: now[0], seconds=60.0)
        for n in range(10):
            now[0] += 25.0
            append(segments, (BTC, rows(10 * n, 10)))
        assert segments.close()
        assert_same(tape(root, BTC), rows(0, 100))
        assert len(segments.done) == 3

    def test_rows_are_on_the_disk_soon_though_no_more_come(self, tmp_path):
        segments = self.segments(tmp_path / "tape", sync_seconds=0.02)
        append(segments, (BTC, rows(0, 10)))
        journal = segments._journal
        deadline = time.monotonic() + 10
        while journal.synced != journal.position:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert segments.close()

    def test_nothing_written_leaves_nothing(self, tmp_path):
        segments = self.segments(tmp_path / "tape")
        append(segments, (BTC, rows(0, 0)))
        assert segments.close()
        assert in_files(tmp_path / "tape", BTC) == []

    def test_without_time_rows_stay_in_the_journal(self, tmp_path):
        root = tmp_path / "tape"
        segments = self.segments(root)
        append(segments, (BTC, rows(0, 50_000)))
        in_time = segments.close(0.0)
        assert_same(tape(root, BTC), rows(0, 50_000))
        assert in_time == (not journal_files(root))
        recover(root)
        assert in_files(root, BTC) == list(range(50_000))

    def test_what_fails_in_the_background_is_told(self, tmp_path):
        root = tmp_path / "tape"
        segments = self.segments(root, bytes=1)
        (root / "exchange=binance_futures").touch()
        append(segments, (BTC, rows(0, 5)))
        with pytest.raises(TickwaxError, match=f"^cannot write to {root}: (File exists|Not a directory)"):
            segments.close()
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
            "import os, signal, sys; from pathlib import Path; from tests.sinks.test_journal import *; "
            "root = Path(sys.argv[1]); lock = DataSetLock(root); s = TestSegments().segments(root); "
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
    segments = TestSegments().segments(root)
    written = 0

    def fill() -> None:
        nonlocal written
        while True:
            append(segments, (BTC, rows(written, 100)))
            written += 100

    full = f"^cannot write to {root}: .*No space left on device$"
    with pytest.raises(TickwaxError, match=full):
        fill()
    assert written > 10_000
    with pytest.raises(TickwaxError, match=f"^cannot write to {root}: "):
        append(segments, (BTC, rows(written, 1)))
    assert_same(tape(root, BTC), rows(0, written))
    with pytest.raises(TickwaxError, match=full):  # no room for files either
        DataSetLock(root)
    assert_same(tape(root, BTC), rows(0, written))
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    with DataSetLock(root):
        assert in_files(root, BTC) == list(range(written))
    assert [path.name for path in small_disk.iterdir() if path.name != "tape"] in ([], [".tape.journal"])
