"""A damaged journal costs the rows that the damage is in, and each of them is told of."""

from random import Random

import pytest
from prometheus_client import REGISTRY

from dataflows.assembly.tapes import open_tape
from dataflows.runtime.damage_metrics import tell_damage
from dataflows.settings.model import load_settings
from sinks.compaction import Damage
from sinks.journal import JournalWriter
from sinks.lock import DataSetLock
from sinks.write_ahead_log import WriteAheadLog
from sources.tape.journal_format import Journal
from sources.tape.layout import beside, journal_files
from sources.tape.tail import find_tail
from tests.damage.journals import RowsJournalDamage, TapeJournalDamage
from tests.damage.wounds import GOOD, Outcome
from tests.sinks.journals import BTC, FORM, append, in_files, open_log, rows, tape

CASES = [(TapeJournalDamage, 1, 20), (TapeJournalDamage, 4, 12), (RowsJournalDamage, 1, 20), (RowsJournalDamage, 3, 8)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "wounds", "count"), CASES)
def test_what_is_whole_is_there_and_the_rest_is_told(tmp_path, kind, wounds, count):
    subject = kind(tmp_path, wounds)
    for n in range(count):
        found = subject.hurt(Random(f"{kind.name}-{wounds}-{n}"))
        assert found.outcome in GOOD, found
        assert found.outcome is not Outcome.REFUSED, found


def hurt(path, place=0.5):
    """Flip a bit of the journal's frame at this part of it."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


def journal(root, first=0, count=100, name="run-0-000000"):
    root.mkdir(exist_ok=True)
    writer = JournalWriter(beside(root, "journal") / f"{name}.journal", FORM.description)
    for n in range(first, first + count, 10):
        append(writer, (BTC, rows(n, 10)))
    writer.close()
    return writer.path


def test_it_is_kept_named_once_and_never_read_as_data(tmp_path):
    root = tmp_path / "tape"
    path = journal(root)
    hurt(path)
    content = path.read_bytes()
    said = []
    with DataSetLock(root, say=said.append) as lock:
        assert lock.damage == (1, *damage_of(content, tmp_path))
    size, most = damage_of(content, tmp_path)
    assert said == [
        f"{path}: is damaged: {size:,} bytes in 1 place, with up to {most} rows; all else is in the data set, and the "
        f"file is kept as {path.name}.damaged",
        f"{root}: recovered 90 rows of a run that did not end in order",
    ]
    assert path.with_name(f"{path.name}.damaged").read_bytes() == content
    with DataSetLock(root, say=said.append) as lock:
        assert lock.damage == (0, 0, 0)
    assert len(said) == 2
    assert len(in_files(root, BTC)) == 91  # and a reset
    assert find_tail(root, BTC).next_ordinal == 100


def damage_of(content, folder):
    (folder / "copy").write_bytes(content)
    found = Journal(folder / "copy")
    return found.damaged_bytes, found.lost_rows


@pytest.mark.parametrize("content", [b"no journal at all", b"TWJRNL\x07 nor this", bytes(8) + b"\1" * 100])
def test_a_file_of_which_nothing_can_be_read_stops_no_run(tmp_path, content):
    root = tmp_path / "tape"
    path = journal(root)
    path.with_name("another.journal").write_bytes(content)
    assert tape(root, BTC).rows == 100
    said = []
    with DataSetLock(root, say=said.append):
        pass
    assert "another.journal: is not a journal of this version of tickwax" in said[0]
    assert path.with_name("another.journal.damaged").read_bytes() == content
    assert in_files(root, BTC) == list(range(100))


def test_a_power_cut_that_took_the_end_of_a_journal_and_not_the_next_one(tmp_path):
    """At the end of a frame, too, where nothing of the journal itself tells of it."""
    root = tmp_path / "tape"
    for cut in (0, 20):
        first = journal(root)
        second = journal(root, 100, 50, "run-0-000001")
        at = Journal(first).at[-2] - 24  # of the frame that the item is in
        first.write_bytes(first.read_bytes()[: at + cut])
        with DataSetLock(root):
            pass
        found = tape(root, BTC)
        assert found.ordinal.tolist() == [*range(80), 99, *range(100, 150)]
        assert found.kind[80] == 3
        assert journal_files(root) == []
        assert not second.exists()
        for file in root.rglob("*.parquet"):
            file.unlink()


def test_one_of_a_run_that_goes_on_waits_for_the_next_start(tmp_path):
    """What lies behind a hole is known only when nobody writes."""
    root = tmp_path / "tape"
    told = []
    log: WriteAheadLog = open_log(root, bytes=10_000)
    log._on_files = told.append
    append(log, (BTC, rows(0, 10)))
    path = log._journal.path
    sound = log._journal.append

    def damaging(items):
        sound(items)
        hurt(path)

    log._journal.append = damaging
    for n in range(10, 300, 10):
        append(log, (BTC, rows(n, 10)))
    assert not log.close()
    assert [bool(done.line) for done in told] == [True] + [False] * (len(told) - 1)
    assert journal_files(root) == [path]
    assert tape(root, BTC).ordinal[-1] == 299
    with DataSetLock(root):
        pass
    assert journal_files(root) == []
    assert tape(root, BTC).ordinal[-1] == 299


def test_it_is_counted_in_metrics(capsys):
    def counts():
        names = ("tickwax_damaged_bytes_total", "tickwax_damaged_rows_total")
        return [REGISTRY.get_sample_value(name, {"sink": "tape"}) or 0.0 for name in names]

    before = counts()
    tell_damage("tape", Damage(1, 4096, 80), "a.journal: is damaged")
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [4096, 80]
    assert capsys.readouterr().err == "tickwax: a.journal: is damaged\n"


def test_a_replay_names_journals_and_holes_but_not_without_end(tmp_path, capsys):
    root = tmp_path / "tape"
    path = journal(root, count=1000)
    for n in range(15):
        hurt(path, (n + 2) / 20)
    settings = load_settings({"tape.path": str(root)})
    _, (reader,) = open_tape(settings)
    found = [batch.ordinal for batch in reader.batches()]
    lines = capsys.readouterr().err.splitlines()
    assert f"{path}: is damaged: " in lines[0]
    holes = [line for line in lines if "rows from ordinal" in line]
    assert len(holes) == 10
    assert all("are missing; a reset stands for them" in line for line in holes)
    assert lines[-1] == "tickwax: more holes of the tape are not named here"
    assert len(lines) == 13  # and one of the deltas behind the first hole, which have no snapshot
    assert sum(map(len, found)) == 1000 - 15 * 10 + 15
