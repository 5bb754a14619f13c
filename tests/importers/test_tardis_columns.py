"""CSV files of tardis.dev, read in columns, against a plain reading of the same files row by row."""

import gzip
import random
import zipfile
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from sources.errors import TickwaxError
from sources.importers import files, tardis
from sources.importers.stats import ImportStats
from sources.tape.batch import KINDS, TapeBatch
from tests.importers.captures import BTC, check_invariants, kinds, rows_of

T = 1_700_000_000_000_000
COMMON = "exchange,symbol,timestamp,local_timestamp"
BOOK = f"{COMMON},is_snapshot,side,price,amount"
TRADES = f"{COMMON},id,side,price,amount"
LEVELS = [f"{side}[{n}]" for n in range(3) for side in ("asks", "bids")]
WIDE = ",".join([COMMON, *(f"{level}.{what}" for level in LEVELS for what in ("price", "amount"))])
NAME = "binance-futures,BTCUSDT"
Row = tuple[Any, ...]


@pytest.fixture(params=[1 << 20, 1000, 150])
def rng(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """Random numbers, and files read in blocks of a size."""
    monkeypatch.setattr(files, "BLOCK_BYTES", request.param)
    return random.Random(request.param)


def rows(batch: TapeBatch) -> list[Row]:
    names = [KINDS[kind] for kind in batch.kind]
    columns = (batch.exchange_ts, batch.receive_ts, batch.side, batch.price, batch.size)
    return list(zip(names, *(column.tolist() for column in columns), strict=True))


def write(path: Path, *lines: str) -> Path:
    text = "".join(f"{line}\n" for line in lines)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def prints(rng: random.Random) -> list[str]:
    at = sorted(rng.randrange(10, 3000) for _ in range(200))
    return [
        f"{NAME},{T + t - rng.randrange(3)},{T + t},{n},{rng.choice(['buy', 'sell'])},{rng.randrange(1, 9999) / 10},1"
        for n, t in enumerate(at)
    ]


def books(rng: random.Random) -> list[str]:
    """A snapshot, deltas, and a snapshot again now and then."""
    lines, at = [], 5
    for n in range(300):
        at += rng.randrange(1, 20)
        snapshot = "true" if n == 0 or rng.random() < 0.03 else "false"
        for _ in range(rng.randrange(1, 5)):
            price, size = rng.randrange(1, 9999) / 10, rng.randrange(0, 99) / 1e3
            lines.append(f"{NAME},{T + at - 1},{T + at},{snapshot},{rng.choice(['bid', 'ask'])},{price},{size}")
    return lines


def plain(book_lines: list[str], trade_lines: list[str]) -> list[Row]:
    """What Tardis' documentation says of the rows: those of one arrival are a message, merged by arrival."""
    out: list[tuple[int, int, list[Row]]] = []
    deltas = False
    for key, group in groupby((line.split(",") for line in book_lines), key=lambda row: row[2:5]):
        exchange_ts, receive_ts = int(key[0]) * 1000, int(key[1]) * 1000
        kind = "snapshot" if key[2] == "true" else "delta"
        message: list[Row] = []
        if kind == "snapshot" and deltas:
            message.append(("reset", None, receive_ts, 0, 0.0, 0.0))
        deltas = kind == "delta"
        message += [(kind, exchange_ts, receive_ts, 1 if row[5] == "bid" else -1, float(row[6]), float(row[7]))
                    for row in group]  # fmt: skip
        out.append((receive_ts, 0, message))
    for row in (line.split(",") for line in trade_lines):
        side, receive_ts = 1 if row[5] == "buy" else -1, int(row[3]) * 1000
        out.append((receive_ts, 1, [("trade", int(row[2]) * 1000, receive_ts, side, float(row[6]), float(row[7]))]))
    expected = [row for _, _, message in sorted(out, key=lambda entry: entry[:2]) for row in message]
    before = 0
    for n, row in enumerate(expected):  # a reset has the exchange time of the row before it
        expected[n] = (row[0], before, *row[2:]) if row[0] == "reset" else row
        before = expected[n][1]
    return expected


@pytest.mark.parametrize("suffix", ["", ".gz", ".zip"])
def test_books_and_trades(tmp_path: Path, rng: random.Random, suffix: str) -> None:
    of_book, of_trades = books(rng), prints(rng)
    paths = [write(tmp_path / f"t.csv{suffix}", TRADES, *of_trades), write(tmp_path / f"b.csv{suffix}", BOOK, *of_book)]
    stats = ImportStats()
    batch = rows_of(tardis.read, paths, stats)[BTC]
    check_invariants(batch)
    assert rows(batch) == plain(of_book, of_trades)
    of = stats.instruments[BTC]
    assert (of.trades, of.bad, of.gaps) == (200, 0, kinds(batch).count("reset"))
    assert of.snapshots == kinds(batch).count("snapshot") > of.gaps


def test_whole_books_and_trades(tmp_path: Path, rng: random.Random) -> None:
    """Every row is a snapshot; a level that is empty leaves no row."""
    lines, as_rows = [], []
    for n in range(150):
        at = 5 + 19 * n
        level = {name: (rng.randrange(1, 999) / 10, rng.randrange(1, 99) / 10) for name in LEVELS}
        gone = {name for name in LEVELS[2:] if rng.random() < 0.2}
        values = ["," if name in gone else f"{level[name][0]},{level[name][1]}" for name in LEVELS]
        lines.append(f"{NAME},{T + at - 1},{T + at},{','.join(values)}")
        for name in sorted(LEVELS, key=lambda name: (name[0] == "a", name)):
            if name not in gone:
                price, size = level[name]
                as_rows.append(f"{NAME},{T + at - 1},{T + at},true,{name[:3]},{price},{size}")
    of_trades = prints(rng)
    paths = [write(tmp_path / "w.csv", WIDE, *lines), write(tmp_path / "t.csv", TRADES, *of_trades)]
    stats = ImportStats()
    batch = rows_of(tardis.read, paths, stats)[BTC]
    check_invariants(batch)
    assert rows(batch) == plain(as_rows, of_trades)
    assert (stats.instruments[BTC].snapshots, stats.instruments[BTC].resets) == (150, 0)


def test_prints_without_a_number_or_a_name_are_all_taken(tmp_path: Path) -> None:
    lines = [f"{NAME},{T},{T + 1},{name},buy,{n + 1},1" for n, name in enumerate(["", "", "a", "a", "", "5", "5", "6"])]
    stats = ImportStats()
    batch = rows_of(tardis.read, [write(tmp_path / "t.csv", TRADES, *lines)], stats)[BTC]
    assert batch.price.tolist() == [1, 2, 3, 5, 6, 8]
    assert batch.sequence.tolist() == [0, 0, 0, 0, 5, 6]
    assert dict(stats.ignored) == {"repeated prints": 2}


@pytest.mark.parametrize(("header", "says"), [
    (",".join(["a"] * 1_000_000), "columns a,a,a"),
    (",".join([COMMON, *(f"{s}[{n}].{w}" for n in range(2000) for s in ("asks", "bids") for w in ("price", "amount"))]),
     "books of 2,000 levels a side; at most 1,000 are read"),
    (f"{COMMON},rate,price", "expected exchange,symbol"),
    (BOOK.replace("is_snapshot", "x"), "expected exchange,symbol"),
])  # fmt: skip
def test_headers_of_another_kind(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(TickwaxError, match=says) as e:
        rows_of(tardis.read, [write(tmp_path / "x.csv", header, "1,2,3")])
    assert len(str(e.value)) < 700


def test_a_header_with_a_million_columns_that_are_not_read(tmp_path: Path) -> None:
    wide = write(tmp_path / "x.csv", BOOK + ",z" * 1_000_000, books(random.Random(1))[0] + ",1" * 1_000_000)
    assert rows_of(tardis.read, [wide])[BTC].rows == 1


def test_rows_that_are_all_torn_in_a_block_cost_the_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 100)
    lines = books(random.Random(2))[:20]
    stats = ImportStats()
    path = write(tmp_path / "b.csv", BOOK, *lines, *(["torn,row"] * 60), *lines[-3:])
    batch = rows_of(tardis.read, [path], stats)[BTC]
    check_invariants(batch)
    assert kinds(batch)[-1] == "reset"
    assert stats.bad == 60
