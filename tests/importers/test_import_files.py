"""Imports onto a tape on disk: whole or not at all, once, and with a reset where a known book is left behind."""

import json
import shutil
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

from dataflows import verbs  # noqa: F401  registers them
from dataflows.verbs import app
from sinks.lock import only_writer
from sinks.tape import TapeWriter
from sources.builder import Levels, TapeBuilder, TapeTail
from sources.errors import TickwaxError
from sources.events import DTYPES, KINDS, TapeBatch, tape_batch
from sources.importers import hftbacktest
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


def test_rows_that_another_brought_without_a_marker_are_never_removed(tmp_path: Path, first: Path) -> None:
    tape, other = tmp_path / "tape", tmp_path / "other"
    run(other, [first], read_btc, BTC)
    (rows,) = data_files(other, BTC)
    copied = tape / rows.relative_to(other)
    copied.parent.mkdir(parents=True)
    shutil.copy(rows, copied.with_name("import-copied-000000.parquet"))
    run(tape, [first], read_btc, BTC)
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
