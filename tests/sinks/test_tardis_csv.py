"""A tape as Tardis' CSV: what stands in the files, and what is counted that cannot."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from sinks.tardis_csv import TardisWriter
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, tape_batch

DAY = 86_400_000_000_000
T = 20_000 * DAY  # 2024-10-04


def tape(*rows: dict[str, Any]) -> TapeBatch:
    usual = {"exchange_ts": T, "receive_ts": T + 1_234_567, "sequence": 5, "kind": DELTA, "side": 1, "price": 10.5,
             "size": 0.001, "last": True}  # fmt: skip
    columns = {name: [{**usual, **row}[name] for row in rows] for name in usual}
    return tape_batch(ordinal=range(len(rows)), **columns)


def written(folder: Path, batch: TapeBatch, size: int) -> TardisWriter:
    folder.mkdir()
    writer = TardisWriter(lambda name: folder / name, "bybit", "BTCUSDT")
    for start in range(0, batch.rows, size):
        writer.write(batch.slice(start, start + size))
    writer.close()
    return writer


def texts(folder: Path) -> dict[str, list[str]]:
    return {file.name: gzip.decompress(file.read_bytes()).decode().splitlines() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("size", [1, 2, 100])
def test_rows_in_both_formats(tmp_path: Path, size: int) -> None:
    batch = tape(
        {"kind": SNAPSHOT, "last": False},
        {"kind": SNAPSHOT, "side": -1, "price": 11.0, "size": 3.0},
        {"kind": TRADE, "side": -1, "price": 1e-7, "sequence": 77},
        {"size": 0.0, "exchange_ts": T + 1_000_000},
        {"kind": RESET, "side": 0, "price": 0.0, "size": 0.0},
        {"kind": TRADE, "price": 0.1, "size": 1e15, "sequence": 78},
    )
    writer = written(tmp_path / "a", batch, size)
    start = "bybit,BTCUSDT,1728000000000000,1728000000001234"
    assert texts(tmp_path / "a") == {
        "bybit_incremental_book_L2_2024-10-04_BTCUSDT.csv.gz": [
            "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
            f"{start},true,bid,10.5,0.001",
            f"{start},true,ask,11,3",
            "bybit,BTCUSDT,1728000000001000,1728000000001234,false,bid,10.5,0",
        ],
        "bybit_trades_2024-10-04_BTCUSDT.csv.gz": [
            "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
            f"{start},77,sell,1e-7,0.001",
            f"{start},78,buy,0.1,1e+15",
        ],
    }
    assert (writer.rows, writer.resets) == (5, 1)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_file_a_day_and_no_row_in_a_day_that_is_over(tmp_path: Path, size: int) -> None:
    later = T + DAY
    batch = tape({"kind": TRADE}, {}, {"receive_ts": later}, {"receive_ts": later - 1}, {"receive_ts": later + DAY})
    written(tmp_path / "a", batch, size)
    assert {name: len(lines) - 1 for name, lines in texts(tmp_path / "a").items()} == {
        "bybit_incremental_book_L2_2024-10-04_BTCUSDT.csv.gz": 1,
        "bybit_incremental_book_L2_2024-10-05_BTCUSDT.csv.gz": 2,
        "bybit_incremental_book_L2_2024-10-06_BTCUSDT.csv.gz": 1,
        "bybit_trades_2024-10-04_BTCUSDT.csv.gz": 1,
    }


@pytest.mark.parametrize("size", [1, 2, 100])
def test_what_a_reader_cannot_tell_is_counted(tmp_path: Path, size: int) -> None:
    batch = tape(
        {"kind": SNAPSHOT},
        {},  # another kind, so a message of its own
        {},  # both times of the one before
        {"last": False, "receive_ts": T + 2_000_000},
        {"receive_ts": T + 2_000_000},
        {"kind": TRADE, "receive_ts": T + 3_000_000},
        {"kind": TRADE, "receive_ts": T + 3_000_999},
        {"receive_ts": T + 3_000_001},
        {"kind": TRADE, "receive_ts": T + 3_000_001},
        {"receive_ts": T + 4_000_000},
    )
    writer = written(tmp_path / "a", batch, size)
    assert (writer.joined, writer.passed, writer.resets) == (1, 2, 0)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_numbers_of_trades_that_do_not_rise_become_names(tmp_path: Path, size: int) -> None:
    batch = tape(*({"kind": TRADE, "sequence": number} for number in (7, 7, 8, 8, 8, 3, 9)))
    written(tmp_path / "a", batch, size)
    (lines,) = texts(tmp_path / "a").values()
    assert [line.split(",")[4] for line in lines[1:]] == ["7", "7-1", "8", "8-2", "8-3", "3-4", "9"]
