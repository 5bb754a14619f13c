"""Imports onto a tape on disk: whole or not at all, once, and with a reset where a known book is left behind."""

import gzip
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from typer.testing import CliRunner

from dataflows.command_line.verbs import app
from sinks.lock import only_writer
from sinks.tape import TapeWriter
from sources.errors import TickwaxError
from sources.importers import hftbacktest
from sources.importers.content import content_of
from sources.tape.batch import DTYPES, KINDS, TapeBatch, tape_batch
from sources.tape.builder import TapeBuilder, TapeTail
from sources.tape.collected import Levels
from sources.tape.layout import data_files
from sources.tape.tail import find_tail
from tests.importers.captures import BTC, Capture, check_invariants, kinds, run

read_btc = partial(hftbacktest.read, instrument=BTC)


def on_disk(tape: Path) -> TapeBatch:
    """Every row, in the order of the tape."""
    table = ds.dataset([str(p) for p in data_files(tape, BTC)]).to_table().sort_by("ordinal")
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in table.column_names}
    columns["kind"] = [KINDS.index(kind) for kind in table["kind"].to_pylist()]
    return tape_batch(**columns)


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def first(tmp_path: Path) -> Path:
    capture = Capture()
    capture.snapshot()
    capture.delta()
    capture.trade()
    return capture.write(tmp_path / "first.gz")


@pytest.fixture
def second(tmp_path: Path) -> Path:
    capture = Capture()
    capture.ms += 1000
    capture.trade()
    capture.snapshot()
    capture.delta()
    return capture.write(tmp_path / "second.gz")


def test_appended_tape_begins_with_a_reset(tmp_path: Path, first: Path, second: Path) -> None:
    tape = tmp_path / "tape"
    run(tape, [first], read_btc, BTC)
    run(tape, [second], read_btc, BTC)
    rows = on_disk(tape)
    assert kinds(rows) == ["snapshot", "delta", "trade", "reset", "trade", "snapshot", "delta"]
    check_invariants(rows)


def test_same_content_is_imported_once(tmp_path: Path, first: Path, second: Path) -> None:
    tape = tmp_path / "tape"
    copy = tmp_path / "copy.gz"
    shutil.copy(first, copy)
    assert run(tape, [first, copy], read_btc, BTC).skipped == [copy]
    before = files(tape)
    result = run(tape, [copy], read_btc, BTC)
    assert (result.imported, result.skipped) == ([], [copy])
    assert files(tape) == before
    assert run(tape, [first, second], read_btc, BTC).imported == [second]
    check_invariants(on_disk(tape))


def test_an_import_from_before_the_end_of_the_tape_is_refused(tmp_path: Path, first: Path, second: Path) -> None:
    """Ranges of a tape rely on its order; other instruments have tapes of their own."""
    tape = tmp_path / "tape"
    run(tape, [second], read_btc, BTC)
    before = files(tape)
    with pytest.raises(TickwaxError) as e:
        run(tape, [first], read_btc, BTC)
    times = "begins at 2023-11-14 22:13:20.001, before the end of its tape, 2023-11-14 22:13:21.003"
    assert str(e.value).startswith(f"{first}: binance_futures:BTCUSDT {times}; import in the order of time")
    assert files(tape) == before


def test_files_in_another_order_than_that_of_time_are_refused(tmp_path: Path, first: Path, second: Path) -> None:
    with pytest.raises(TickwaxError) as e:
        run(tmp_path / "tape", [second, first], read_btc, BTC)
    assert str(e.value).startswith(f"{first}: begins at 2023-11-14 22:13:20.001, before {second}, which begins at ")
    assert "\n" not in str(e.value)
    assert files(tmp_path / "tape") == []


def packed(path: Path, text: bytes) -> Path:
    """The text in a file, packed as its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.txt", text)
    elif path.suffix == ".gz":
        half = len(text) // 2 if "members" in path.name else len(text)
        members = [gzip.compress(part) for part in (text[:half], text[half:]) if part]
        path.write_bytes(b"".join(members) + (b"\0" * 600 if "padded" in path.name else b""))
    else:
        path.write_bytes(text)
    return path


PACKINGS = ("a.txt", "a.gz", "members.gz", "padded.gz", "a.zip")


def test_the_same_content_in_another_packing_is_the_same(tmp_path: Path) -> None:
    text = b"1700000000001000000 {}\n" * 50
    (content,) = {content_of(packed(tmp_path / name, text)) for name in PACKINGS}
    assert content_of(packed(tmp_path / "b.gz", text + b"\n")) != content != content_of(packed(tmp_path / "b", b"x"))
    damaged = packed(tmp_path / "members2.gz", text).read_bytes()[:-20]
    (tmp_path / "c.gz").write_bytes(damaged)
    (tmp_path / "empty").touch()
    assert content_of(tmp_path / "c.gz") == content_of(tmp_path / "empty") == ""


@pytest.mark.parametrize("name", ["a.txt", "members.gz", "padded.gz"])
def test_the_same_content_in_another_packing_is_imported_once(tmp_path: Path, first: Path, name: str) -> None:
    again = packed(tmp_path / name, gzip.decompress(first.read_bytes()))
    assert run(tmp_path / "tape", [again, first], read_btc, BTC).skipped == [first]
    assert run(tmp_path / "other", [first], read_btc, BTC).imported == [first]
    assert run(tmp_path / "other", [again], read_btc, BTC).skipped == [again]


def test_the_marker_of_an_import_does_not_disturb_readers_of_the_folder(tmp_path: Path, first: Path) -> None:
    tape = tmp_path / "tape"
    run(tape, [first], read_btc, BTC)
    rows = on_disk(tape).rows
    assert pl.scan_parquet(tape, hive_partitioning=True).select(pl.len()).collect().item() == rows
    assert duckdb.sql(f"select count(*) from '{tape}/*/*/*/*.parquet'").fetchall() == [(rows,)]
    assert len(pd.read_parquet(tape)) == rows


def test_leftovers_of_a_killed_import_are_removed(tmp_path: Path, first: Path) -> None:
    tape = tmp_path / "tape"
    run(tape, [first], read_btc, BTC)
    (marker,) = tape.rglob("_import-*.parquet")
    marker.unlink()  # killed after the rows appeared, before the marker did
    note = {"name": marker.stem.removeprefix("_"), "instruments": [str(BTC)]}
    (tmp_path / ".tape.appearing-x.json").write_text(json.dumps(note))
    assert run(tape, [first], read_btc, BTC).imported == [first]
    assert [path.name for path in tmp_path.iterdir() if "appearing" in path.name] == []
    rows = on_disk(tape)
    assert kinds(rows) == ["snapshot", "delta", "trade"]
    check_invariants(rows)


def test_rows_that_another_brought_without_a_marker_are_never_removed(
    tmp_path: Path, first: Path, second: Path
) -> None:
    tape, other = tmp_path / "tape", tmp_path / "other"
    run(other, [first], read_btc, BTC)
    (rows,) = data_files(other, BTC)
    copied = tape / rows.relative_to(other)
    copied.parent.mkdir(parents=True)
    shutil.copy(rows, copied.with_name("import-copied-000000.parquet"))
    run(tape, [second], read_btc, BTC)
    assert len(data_files(tape, BTC)) == 2
    check_invariants(on_disk(tape))


def test_two_imports_at_once_are_refused(tmp_path: Path, first: Path) -> None:
    with only_writer(tmp_path / "tape"), pytest.raises(TickwaxError, match="another process is writing to it"):
        run(tmp_path / "tape", [first], read_btc, BTC)


def test_failure_leaves_nothing(tmp_path: Path, first: Path) -> None:
    tape = tmp_path / "tape"

    def interrupted(*args: Any) -> Iterator[Any]:
        yield from read_btc(*args)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tape, [first], interrupted, BTC)
    assert files(tape) == []


def test_truncated_gzip_leaves_nothing(tmp_path: Path, first: Path, second: Path) -> None:
    second.write_bytes(second.read_bytes()[:-10])
    with pytest.raises(TickwaxError, match=r"second\.gz: is truncated"):
        run(tmp_path / "tape", [first, second], read_btc, BTC)
    assert files(tmp_path / "tape") == []


@pytest.mark.parametrize(("tape", "tail"), [
    ([], TapeTail()),
    (["trade"], TapeTail(1, 10, 0, False, False)),
    (["snapshot", "trade", "trade"], TapeTail(4, 12, 5, True, False)),
    (["snapshot", "delta", "trade"], TapeTail(4, 12, 6, True, False)),
    (["snapshot", "reset", "trade"], TapeTail(4, 12, 5, False, False)),
])  # fmt: skip
def test_tail(tmp_path: Path, tape: list[str], tail: TapeTail) -> None:
    builder = TapeBuilder()
    levels = Levels(np.array([1, -1], np.int8), np.array([1.0, 2.0]), np.ones(2))
    writer = TapeWriter(tmp_path, "x")
    for i, kind in enumerate(tape):
        ts, receive_ts = 10 + i, (10 - i) * 86_400 * 10**9  # later rows lie in earlier dates
        if kind == "snapshot":
            builder.snapshot(ts, receive_ts, 5, levels)
        elif kind == "delta":
            builder.delta(ts, receive_ts, 6, Levels(*(column[:1] for column in levels)))
        elif kind == "trade":
            builder.trade(ts, receive_ts, 1, 1, 1.0, 1.0)
        else:
            builder.reset(receive_ts)
        batch = builder.take()
        assert batch is not None
        writer.write(BTC, batch)
    writer.commit()
    assert find_tail(tmp_path, BTC) == tail


def test_torn_tail(tmp_path: Path) -> None:
    row = {name: [1] for name in DTYPES}
    writer = TapeWriter(tmp_path, "x")
    writer.write(BTC, tape_batch(**row | {"last": [False]}))
    writer.commit()
    assert find_tail(tmp_path, BTC).torn


def command(*args: object) -> Any:
    return CliRunner().invoke(app, ["import", *map(str, args)])


def test_command_tells_what_it_did(tmp_path: Path, first: Path) -> None:
    args = ("hftbacktest", first, "--symbol", "BTCUSDT", "--tape", tmp_path / "tape")
    told = command(*args)
    assert told.exit_code == 0
    assert "binance_futures:BTCUSDT" in told.stdout
    assert "already imported" in command(*args).stdout


def test_what_is_no_regular_file_is_not_called_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        done = command("hftbacktest", path, "--symbol", "BTCUSDT", "--tape", tmp_path / "tape")
        assert str(done.exception) == f"{path}: is no regular file; only those are read, because they are read twice"


def test_frames_that_name_their_symbol_otherwise_are_told(tmp_path: Path) -> None:
    capture = Capture()
    capture.delta(s="btcusdt")
    path = capture.write(tmp_path / "a.gz")
    with pytest.raises(TickwaxError, match=r"of BTCUSDT no depth and no trades: their frames name 'btcusdt'$"):
        run(tmp_path / "tape", [path], read_btc, BTC)


@pytest.mark.parametrize(("name", "error"), [("none.gz", "no such file"), (".", "is a folder"), ("empty", "is empty")])
def test_command_names_the_bad_file(tmp_path: Path, name: str, error: str) -> None:
    (tmp_path / "empty").touch()
    path = tmp_path / name
    told = command("hftbacktest", path, "--symbol", "BTCUSDT", "--tape", tmp_path / "tape")
    assert isinstance(told.exception, TickwaxError)
    assert str(told.exception) == f"{path}: {error}"
    assert files(tmp_path / "tape") == []


@pytest.mark.parametrize("verb", ["hftbacktest", "cryptofeed", "bybit-archive", "tardis"])
def test_help_has_an_example(verb: str) -> None:
    told = command(verb, "--help")
    assert f"tickwax import {verb}" in told.stdout
