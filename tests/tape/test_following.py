"""A tape is followed while another process writes it: every row once and in order, whatever happens to its journals."""

import shutil
from collections import defaultdict
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.compaction import recover
from sinks.write_ahead_log import Rotation, WriteAheadLog
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import RESET, TapeBatch, concat
from sources.tape.following import Follower
from sources.tape.layout import journal_files
from sources.tape.reader import TapeReader
from tests.sinks.journals import BTC, ETH, FORM, SOL, append, assert_same, rows

FRAME = 24  # bytes of a frame's header, rounded up
_runs = count()


def open_log(root: Path, size: int = 1 << 30) -> WriteAheadLog:
    """As a recorder opens it: no two of them have journals of the same name."""
    root.mkdir(parents=True, exist_ok=True)
    return WriteAheadLog(root, FORM, f"run{next(_runs):03d}-0", Rotation(bytes=size), lambda: 0.0)


class Reader:
    """What a follower has given so far."""

    def __init__(self, root: Path, start: int | None = None, but: Instrument | None = None) -> None:
        self.lines: list[str] = []
        self._follower = Follower(root, lambda instrument: instrument != but, start, self.lines.append)
        self._found: dict[Instrument, list[TapeBatch]] = defaultdict(list)

    def poll(self) -> None:
        for item in self._follower.poll():
            self._found[item.instrument].append(item.batch)

    def __getitem__(self, instrument: Instrument) -> TapeBatch:
        return concat(self._found[instrument])


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABp"), st.integers(1, 90)), min_size=1, max_size=25), st.booleans())
def test_every_row_comes_once_and_in_order(tmp_path_factory, actions: list[tuple[str, int]], rotates: bool) -> None:
    root = tmp_path_factory.mktemp("followed") / "tape"
    log = open_log(root, 12_000 if rotates else 1 << 30)
    reader, written = Reader(root), {"A": 0, "B": 0}
    for what, many in actions:
        if what == "p":
            reader.poll()
        else:
            append(log, ({"A": BTC, "B": ETH}[what], rows(written[what], many)))
            written[what] += many
    reader.poll()
    append(log, (BTC, rows(written["A"], 5)), (ETH, rows(written["B"], 5)))
    assert log.close()
    reader.poll()
    reader.poll()
    for instrument, many in zip((BTC, ETH), written.values(), strict=True):
        found = reader[instrument]
        assert_same(found, rows(0, found.rows))
        # An instrument is met in a journal first; journals that rotate may come and go between two looks.
        assert found.rows in ((0, many + 5) if rotates else (many + 5,))


def test_the_last_rows_of_a_journal_are_read_when_it_has_become_parquet(tmp_path):
    root = tmp_path / "tape"
    log, reader = open_log(root), Reader(root)
    append(log, (BTC, rows(0, 10)))
    reader.poll()
    append(log, (BTC, rows(10, 10)), (SOL, rows(0, 3)))
    assert log.close()
    assert journal_files(root) == []
    reader.poll()
    assert_same(reader[BTC], rows(0, 20))
    assert_same(reader[SOL], rows(0, 3))


def test_rows_of_journals_that_came_and_went_unseen_are_read_from_parquet(tmp_path):
    root = tmp_path / "tape"
    log, reader = open_log(root), Reader(root)
    append(log, (BTC, rows(0, 10)))
    reader.poll()
    assert log.close()
    reader.poll()
    unseen = open_log(root)
    append(unseen, (BTC, rows(10, 10)))
    assert unseen.close()
    append(open_log(root), (BTC, rows(20, 1)))
    reader.poll()
    assert_same(reader[BTC], rows(0, 21))
    assert not any("missing" in line for line in reader.lines)


def test_a_write_that_is_not_whole_is_waited_for(tmp_path):
    root = tmp_path / "tape"
    log = open_log(root)
    append(log, (BTC, rows(0, 10)))
    (journal,) = journal_files(root)
    whole = len(journal.read_bytes())
    append(log, (BTC, rows(10, 10)))
    after = journal.read_bytes()
    growing, reader = root.with_name(".other.journal") / journal.name, Reader(root.with_name("other"))
    root.with_name("other").mkdir()
    growing.parent.mkdir()
    for size in (3, 8, whole, whole + 5, whole + FRAME, len(after) - 1):
        growing.write_bytes(after[:size])
        reader.poll()
        assert reader[BTC].rows == (10 if size >= whole else 0)
    growing.write_bytes(after)
    reader.poll()
    assert_same(reader[BTC], rows(0, 20))
    assert not any("missing" in line for line in reader.lines)


def test_a_killed_recorder_and_the_one_after_it(tmp_path):
    root = tmp_path / "tape"
    reader = Reader(root)
    reader.poll()  # nobody has begun
    append(open_log(root), (BTC, rows(0, 10)))  # never closed
    (journal,) = journal_files(root)
    reader.poll()
    with journal.open("ab") as file:
        file.write(b"torn")
    reader.poll()
    recover(root)
    assert journal_files(root) == []
    append(open_log(root), (BTC, rows(10, 10)))
    reader.poll()
    assert_same(reader[BTC], rows(0, 20))


def test_a_damaged_journal_leaves_the_reset_that_a_replay_meets(tmp_path):
    root = tmp_path / "tape"
    log, reader = open_log(root), Reader(root)
    append(log, (BTC, rows(0, 10)))
    reader.poll()
    (journal,) = journal_files(root)
    at = journal.stat().st_size + FRAME + 8
    append(log, (BTC, rows(10, 10)))
    with journal.open("r+b") as file:
        file.seek(at)
        file.write(b"????")
    reader.poll()
    assert reader[BTC].rows == 10
    append(log, (BTC, rows(20, 10)))
    reader.poll()
    found = reader[BTC]
    assert_same(found, concat(list(TapeReader(root, BTC).batches())))
    assert found.kind[10] == RESET
    assert found.ordinal.tolist() == [*range(10), *range(19, 30)]
    assert any("is damaged" in line for line in reader.lines)


def test_it_begins_where_a_replay_from_that_time_would(tmp_path):
    root = tmp_path / "tape"
    append(open_log(root), (BTC, rows(0, 50)), (ETH, rows(0, 50)))
    reader = Reader(root, start=40, but=ETH)
    reader.poll()
    assert_same(reader[BTC], concat(list(TapeReader(root, BTC, 40).batches())))
    assert reader[ETH].rows == 0


def test_a_tape_that_is_replaced_is_told_of(tmp_path):
    root = tmp_path / "tape"
    append(open_log(root), (BTC, rows(0, 10)))
    reader = Reader(root)
    reader.poll()
    shutil.move(root, tmp_path / "old")
    with pytest.raises(TickwaxError, match="was removed or replaced"):
        reader.poll()
