"""Journals: what was appended is read back, whatever was cut off or damaged after it; compaction can be killed."""

import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import FeatureConfig
from operators.row_batch import RowBatch
from operators.schema import book_schema, feature_schema
from sinks.compaction import compact, recover
from sinks.journal import JournalWriter
from sinks.row_format import row_form, rows_to_arrow
from sinks.tape import TapeWriter
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch, TapeBatch, concat
from sources.tape.journal_format import _FORMER, MAGIC, Journal
from sources.tape.layout import data_files, instruments, journal_files
from tests.sinks.journals import (
    BTC,
    ETH,
    FORM,
    SOL,
    append,
    assert_same,
    in_files,
    rows,
    split,
    tape,
)

ROOT = Path(__file__).parents[2]


def read(journal: Journal) -> dict[str, TapeBatch]:
    return {
        key: TapeBatch(*(journal.read(items, name) for name in TapeBatch._fields)) for key, items in journal.by_key()
    }


Appends = st.lists(st.lists(st.tuples(st.sampled_from((BTC, ETH, SOL)), st.integers(0, 9)), max_size=3), max_size=8)


class Written:
    """A journal with these appends, and what it must hold after each."""

    def __init__(self, path: Path, appends: list[list[tuple[Instrument, int]]]) -> None:
        self.path = path
        self.appends = appends
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


def rows_of(items: list[tuple[Instrument, int]], instrument: Instrument) -> int:
    return sum(count for of, count in items if of == instrument)


def frame(kind: int, payload: bytes) -> bytes:
    """As in the description of the format."""
    rest = struct.pack("<IQ", kind, len(payload)) + payload
    return struct.pack("<I", zlib.crc32(rest)) + rest


def text(content: object) -> bytes:
    encoded = json.dumps(content).encode()
    return encoded + b" " * (-len(encoded) & 7)


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
        damaged = whole[:cut] + tail
        written.path.write_bytes(damaged)
        if damage == "noise" and cut < 8:
            return  # even the name of the format is gone, and such a file is refused
        # What happens to be what was there, such as a zero for a zero, is no damage.
        pairs = enumerate(zip(whole, damaged, strict=False))
        same = next((i for i, (a, b) in pairs if a != b), len(damaged))
        journal = Journal(written.path)
        written.check(journal, same)
        assert (journal.description is None) == (same < 8 + (written.positions[0] - 8) // 2)
        if damage == "cut":
            assert not journal.holes
            assert journal.end + journal.cut_off == len(damaged)

    @given(Appends, st.data())
    def test_a_changed_bit_costs_the_one_append_that_it_is_in(self, tmp_path_factory, appends, data):
        written = Written(tmp_path_factory.mktemp("j") / "a.journal", appends)
        whole = bytearray(written.path.read_bytes())
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
        written.path.write_bytes(whole)
        journal = Journal(written.path)
        hit = max((n for n, position in enumerate(written.positions) if position <= place), default=None)
        inside = {} if hit is None else {str(i): rows_of(written.appends[hit], i) for i in (BTC, ETH, SOL)}
        found = read(journal)
        for key, batch in written.contents[-1].items():
            first = written.at(place).get(key, rows(0, 0)).rows
            lost = np.arange(first, first + inside.get(key, 0))
            got = found.get(key, rows(0, 0))
            if got.rows != batch.rows:
                assert_same(got, TapeBatch(*(np.delete(column, lost) for column in batch)))
            else:
                assert_same(got, batch)
        # A length that became too long for the file is what a crash leaves, too.
        assert journal.damaged_bytes + journal.cut_off > 0
        if journal.holes:
            assert any(hole.start <= place < hole.end for hole in journal.holes)

    def test_what_is_behind_a_page_of_zeros_is_read(self, tmp_path):
        """Wherever it is, from the first page on: description and names are there more than once."""
        batches = [[(instrument, 9) for instrument in (BTC, ETH, SOL)]] * 40
        written = Written(tmp_path / "a.journal", batches)
        whole = written.path.read_bytes()
        for start in range(0, len(whole), 4096):
            written.path.write_bytes(whole[:start] + bytes(4096) + whole[start + 4096 :])
            journal = Journal(written.path)
            found = read(journal)
            kept = sum(batch.rows for batch in found.values())
            assert kept >= 40 * 27 - (4096 // journal.row_bytes + 2 * 27)
            for key, batch in found.items():
                everything = written.contents[-1][key]
                assert_same(batch, TapeBatch(*(column[batch.ordinal] for column in everything)))

    def test_a_name_that_is_lost_gives_no_rows_to_another(self, tmp_path):
        written = Written(tmp_path / "a.journal", [[(BTC, 5)], [(ETH, 5)], [(SOL, 5)], [(BTC, 5), (ETH, 5), (SOL, 5)]])
        whole = bytearray(written.path.read_bytes())
        for place in range(written.positions[1], written.positions[2] - 5 * 50, 8):
            whole[place] ^= 1  # both frames that name ETH
        written.path.write_bytes(whole)
        journal = Journal(written.path)
        found = read(journal)
        assert set(found) == {str(BTC), str(SOL)}
        for batch in found.values():
            assert_same(batch, rows(0, 10))
        assert journal.unnamed_rows >= 5

    def test_a_journal_of_the_former_version(self, tmp_path):
        """A killed run may have left it; its names have no codes."""
        batch = rows(0, 5)
        fields = [list(field) for field in FORM.fields]
        described = {"data_set": "tape", "columns": [], "compression": "snappy", "fields": fields}
        arrays = [column.tobytes() for column in FORM.arrays(InstrumentBatch(BTC, batch))]
        content = [struct.pack("<II", 0, 5), *arrays, bytes(-5 * 51 & 7)]
        frames = [frame(1, text(described)), frame(2, text([str(BTC)])), frame(3, b"".join(content))]
        path = tmp_path / "a.journal"
        path.write_bytes(b"TWJRNL\x01\n" + b"".join(frames))
        (found,) = read(Journal(path)).values()
        assert_same(found, batch)
        # Whose turn it is to be named is not known behind a hole.
        path.write_bytes(b"TWJRNL\x01\n" + frames[0] + frame(2, b"12345678")[:-1] + b"9" + b"".join(frames[1:]))
        assert read(Journal(path)) == {}
        assert Journal(path).unnamed_rows == 5

    @given(Appends, Appends, st.data())
    def test_going_on_from_a_position(self, tmp_path_factory, appends, more, data):
        folder = tmp_path_factory.mktemp("j")
        written = Written(folder / "a.journal", appends)
        kept = data.draw(st.integers(0, len(appends)))
        whole = Written(folder / "b.journal", appends[:kept] + more)
        position = written.positions[kept]
        keys = Journal(written.path, position).keys
        writer = JournalWriter(written.path, FORM.description, position, keys)
        have = {key: batch.rows for key, batch in written.contents[kept].items()}
        for items in more:
            batches = []
            for instrument, count in items:
                batches.append((instrument, rows(have.get(str(instrument), 0), count)))
                have[str(instrument)] = have.get(str(instrument), 0) + count
            append(writer, *batches)
        assert written.path.read_bytes() == whole.path.read_bytes()

    def test_no_flipped_bit_makes_a_version_of_another(self):
        known = (MAGIC, *_FORMER)
        assert len({head[:6] + head[7:] for head in known}) == 1
        assert all((a[6] ^ b[6]).bit_count() > 1 for a, b in combinations(known, 2))

    def test_another_format_is_refused(self, tmp_path):
        for content in (b"TWJRNL\x03\nmore", b"PAR1", b"{}"):
            (tmp_path / "x").write_bytes(content)
            with pytest.raises(TickwaxError, match="is not a journal of this version"):
                Journal(tmp_path / "x")

    def test_feature_rows_and_books(self, tmp_path):
        random = np.random.default_rng(1)
        config = FeatureConfig()
        schema = feature_schema(config)
        room = RowBatch(
            random.integers(0, 9, (schema.arrays["integer"], 50)), random.integers(-1, 3, (2, 50)).astype(np.int8),
            random.normal(size=(schema.arrays["value"], 50)), random.normal(size=(80, 50)),
        )  # fmt: skip
        parts = [RowBatch(*(a[:, start:stop] for a in room)) for start, stop in ((0, 1), (1, 1), (1, 7), (7, 50))]
        for name, chosen in (("features", schema), ("books", book_schema(config))):
            form = row_form(chosen)
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
from sinks import compaction, data_file, dataset
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
dataset.sync, data_file.sync = dying(dataset.sync), dying(data_file.sync)
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

        run("compiling", 0)  # kernels that go into their cache change names, too, and do so once
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
        assert recover(root, said.append).rows == 0
        # A file that was cut so short later looks the same, so there is a word.
        (line,) = said
        assert line.endswith(f"a write that it was at is not whole: 22 bytes at the end of {path}")
        assert journal_files(root) == []
