"""What is damaged, foreign or named as no folder can be costs nothing else, is said, and stays under another name."""

import errno
import os
from pathlib import Path

import pytest

from sinks.compaction import form_of
from sinks.journal import JournalWriter
from sinks.lock import DataSetLock
from sinks.quarantine import set_aside, without_damaged
from sinks.tape import TapeWriter, tape_form
from sources import parquet
from sources.errors import DamagedError, TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch
from sources.tape.layout import beside, data_files, instruments, set_aside_of
from sources.tape.tail import find_tail
from tests.sinks.journals import BTC, ETH, in_files, rows

FORM = tape_form("snappy")


def journal(root: Path, name: str, *keys: str, form=FORM) -> Path:  # type: ignore[no-untyped-def]
    """Of ten rows an instrument."""
    root.mkdir(parents=True, exist_ok=True)
    path = beside(root, "journal") / f"{name}.journal"
    writer = JournalWriter(path, form.description)
    writer.append((key, FORM.arrays(InstrumentBatch(BTC, rows(0, 10)))) for key in keys)
    writer.close()
    return path


def recovered(root: Path) -> tuple[list[str], int]:
    """What was said, and how many journals were set aside."""
    lines: list[str] = []
    with DataSetLock(root, say=lines.append) as lock:
        return [line for line in lines if "damaged" in line], lock.damage.journals


def kept(root: Path) -> list[str]:
    return sorted(path.name for path in beside(root, "journal").glob("*.damaged*"))


def foreign(root: Path, how: str) -> Path:
    path = journal(root, "b")
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to("nowhere")
    else:
        path.write_text("hello")
    return path


@pytest.mark.parametrize("how", ["folder", "pipe", "link", "text"])
def test_a_foreign_journal_costs_no_other(tmp_path: Path, how: str) -> None:
    root = tmp_path / "tape"
    journal(root, "a", str(BTC))
    path = foreign(root, how)
    journal(root, "c", str(ETH))
    (line,), count = recovered(root)
    assert in_files(root, BTC) == in_files(root, ETH) == list(range(10))
    assert (count, kept(root)) == (1, ["b.journal.damaged"])
    assert line.startswith(f"{path}: ")
    assert line.endswith("the file is kept as b.journal.damaged")
    assert recovered(root) == ([], 0)
    foreign(root, how)
    assert recovered(root)[1] == 1
    assert kept(root) == ["b.journal.damaged", "b.journal.damaged1"]


@pytest.mark.parametrize("name", ["A" * 300, "NUL\0USDT", "A/B", "TURN\u202eTDSU"])
def test_a_name_that_can_be_no_folder_wedges_nothing(tmp_path: Path, name: str) -> None:
    root = tmp_path / "tape"
    path = journal(root, "a", str(BTC), f"binance_futures:{name}", str(ETH))
    (line,), count = recovered(root)
    assert in_files(root, BTC) == in_files(root, ETH) == list(range(10))
    assert set(instruments(root)) == {BTC, ETH}
    assert (count, kept(root)) == (1, ["a.journal.damaged"])
    assert line.startswith(f"{path}: has rows of 'binance_futures:")
    assert line.endswith("all else is in the data set, and the file is kept as a.journal.damaged")
    assert line.isprintable()
    assert recovered(root) == ([], 0)


def test_a_journal_of_features_is_none_of_a_tape(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    with TapeWriter(root, "x") as writer:
        writer.write(BTC, rows(0, 10))
    description = {**FORM.description, "data_set": "rows", "columns": [("ts", "timestamp", "integer", 0, "")]}
    form_of(description)
    path = beside(root, "journal") / "a.journal"
    JournalWriter(path, description).close()
    (line,), count = recovered(root)
    assert count == 1
    assert "is the journal of another data set: its rows are of rows" in line


def test_a_damaged_file_is_moved_and_the_tape_goes_on_behind_the_rest(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    for n in range(3):
        with TapeWriter(root, f"{n}") as writer:
            writer.write(BTC, rows(10 * n, 10))
    newest = data_files(root, BTC)[-1]
    newest.write_bytes(newest.read_bytes()[:-30])
    told: list[tuple[DamagedError, Path]] = []
    with pytest.raises(DamagedError, match=f"^{newest}: "):
        find_tail(root, BTC)
    tail = without_damaged(root, lambda: find_tail(root, BTC), lambda *what: told.append(what))
    assert tail.next_ordinal == 20
    ((error, now_at),) = told
    assert error.path == newest
    assert now_at.name == f"{newest.name}.damaged"
    assert set_aside_of(root, BTC) == [now_at]
    assert set_aside_of(root, ETH) == []
    assert not newest.exists()
    assert in_files(root, BTC) == list(range(20))


def test_a_disk_that_does_not_answer_is_not_blamed_on_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TapeWriter(tmp_path, "x") as writer:
        writer.write(BTC, rows(0, 10))
    for number in (errno.EIO, errno.EMFILE):

        def fail(*arguments: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(parquet.os, "open", fail)
            with pytest.raises(TickwaxError, match=os.strerror(number)):
                without_damaged(tmp_path, lambda: find_tail(tmp_path, BTC), lambda *_: None)
    assert set_aside_of(tmp_path, BTC) == []

    def refuse(folder: str) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(TickwaxError, match=r"symbol=BTCUSDT: cannot be read: Input/output error$"):
        data_files(tmp_path, BTC)  # no empty tape, to which ordinal 0 could be written


def test_what_is_set_aside_twice_stays_twice(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    file = root / "exchange=bybit_linear" / "symbol=X" / "date=2026-01-01" / "a.parquet"
    for n in ("", "1"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(n)
        assert set_aside(root, file).name == f"a.parquet.damaged{n}"
    assert len(set_aside_of(root, Instrument("bybit_linear", "X"))) == 2
