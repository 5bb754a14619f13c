"""Public CSV archives, read in columns, against a plain reading of the same files row by row."""

import gzip
import heapq
import random
import uuid
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sources.errors import TickwaxError
from sources.importers import binance_vision, bybit_trades, files
from sources.importers.names import Names, name_bits
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS, TapeBatch
from tests.importers.captures import BTC, START, check_invariants, kinds, rows_of

BYBIT = Instrument("bybit_linear", "BTCUSDT")
DEPTH = ",".join(binance_vision.DEPTH_COLUMNS)
vision = partial(binance_vision.read, symbol="BTCUSDT")
Expected = list[tuple[int, str, int, int, float, float]]


def rows(batch: TapeBatch) -> Expected:
    names = [KINDS[kind] for kind in batch.kind]
    columns = (column.tolist() for column in (batch.sequence, batch.side, batch.price, batch.size))
    return list(zip(batch.exchange_ts.tolist(), names, *columns, strict=True))


def by_time(*parts: list[str]) -> Iterator[list[str]]:
    """Rows of files, each taken from the file whose next one is the earliest."""
    return heapq.merge(*([line.split(",") for line in part] for part in parts), key=lambda row: row[0])


@pytest.fixture(params=[1 << 20, 700, 64])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(files, "BLOCK_BYTES", request.param)
    return int(request.param)


def write(path: Path, text: str) -> Path:
    """A file, packed as its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.stem, text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("names", [("a.csv", "b.csv.gz"), ("a.csv.gz", "b.csv.zip")])
def test_trades_of_bybit_in_two_files(tmp_path: Path, block_bytes: int, names: tuple[str, str]) -> None:
    rng = random.Random(block_bytes)
    head = "symbol,timestamp,side,size,price,tickDirection,trdMatchID"
    parts: list[list[str]] = [[], []]
    time = START * 10
    for _ in range(400):
        time += rng.randrange(-3, 20)  # 0.1 ms; some run back
        row = (
            f"BTCUSDT,{time // 10_000}.{time % 10_000:04d},{rng.choice(['Buy', 'Sell'])},{rng.randrange(1, 999) / 1e3}"
        )
        parts[rng.random() < 0.3].append(
            f"{row},{rng.randrange(1, 10**6) / 10},PlusTick,{uuid.UUID(int=rng.getrandbits(128))}"
        )
    paths = [write(tmp_path / name, "\n".join([head, *part, ""])) for name, part in zip(names, parts, strict=True)]
    batch = rows_of(bybit_trades.read, paths)[BYBIT]
    check_invariants(batch)
    keyed = ([",".join((row.split(",")[1], row)) for row in part] for part in parts)
    expected: Expected = [
        (
            int(row[0].replace(".", "")) * 100_000,
            "trade",
            0,
            {"Buy": 1, "Sell": -1}[row[3]],
            float(row[5]),
            float(row[4]),
        )
        for row in by_time(*keyed)
    ]
    assert rows(batch) == expected
    assert np.array_equal(batch.receive_ts, batch.exchange_ts)


def vision_files(rng: random.Random, header: bool) -> tuple[str, str, str, Expected]:
    """Trades, updates and a snapshot as text, and the rows they make."""
    trades, updates = [], []
    expected: Expected = []
    final, time = 1000, START
    snap = [
        (side, price, rng.randrange(1, 99) / 10)
        for side in ("b", "a")
        for price in (99.5, 98.0, 101.0)[: 2 if side == "b" else 3]
    ]
    snap = [("b", 99.5, 1.0), ("b", 98.0, 2.5), ("a", 101.0, 3.0)]
    snapshot = [f"BTCUSDT,{time},{final},{final},{side},snap,{price},{size},-1" for side, price, size in snap]
    sides = {"b": 1, "a": -1}
    expected += [(time * 10**6, "snapshot", final, sides[side], price, size) for side, price, size in snap]
    trade_id = 7
    for _ in range(300):
        time += rng.randrange(0, 3)
        if rng.random() < 0.5:
            maker, price, size = rng.choice(["true", "false"]), rng.randrange(1, 9999) / 10, rng.randrange(1, 99) / 1e3
            trades.append(f"{trade_id},{price},{size},{trade_id * 2},{trade_id * 2 + 1},{time},{maker}")
            side = -1 if maker == "true" else 1
            expected.append((time * 10**6, "trade", trade_id, side, price, size))
            trade_id += 1
        else:
            first, previous = final + 1, final
            final += rng.randrange(1, 5)
            for _ in range(rng.randrange(1, 4)):
                side, price, size = rng.choice("ba"), rng.randrange(1, 9999) / 10, rng.randrange(0, 99) / 1e3
                updates.append(f"BTCUSDT,{time},{first},{final},{side},set,{price},{size},{previous}")
                expected.append((time * 10**6, "delta", final, sides[side], price, size))
    prints = ["agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"] if header else []
    books = [DEPTH] if header else []
    return (
        "\n".join([*prints, *trades, ""]),
        "\r\n".join([*books, *updates, ""]),
        "\n".join([*books, *snapshot, ""]),
        sorted(expected, key=lambda row: (row[0], row[1] == "trade")),  # at the same time the file that is named first
    )


@pytest.mark.parametrize("header", [True, False])
def test_trades_updates_and_a_snapshot_of_binance(tmp_path: Path, block_bytes: int, header: bool) -> None:
    trades, updates, snapshot, expected = vision_files(random.Random(3), header)
    paths = [
        write(tmp_path / "BTCUSDT_T_DEPTH_2023-11-14_depth_snap.csv", snapshot),
        write(tmp_path / "BTCUSDT_T_DEPTH_2023-11-14_depth_update.csv.zip", updates),
        write(tmp_path / "BTCUSDT-aggTrades-2023-11-14.zip", trades),
    ]
    stats = ImportStats()
    batch = rows_of(vision, paths, stats)[BTC]
    check_invariants(batch)
    assert rows(batch) == expected
    of = stats.instruments[BTC]
    assert (of.gaps, of.resets, stats.bad, of.snapshots) == (0, 0, 0, 1)
    assert of.trades == sum(row[1] == "trade" for row in expected)
    assert stats.frames == of.trades + 1 + of.books - 1


def test_a_gap_between_updates_is_a_reset(tmp_path: Path) -> None:
    _, updates, snapshot, expected = vision_files(random.Random(4), header=True)
    lines = updates.split("\r\n")
    lost = lines[40].split(",")[3]
    kept = [line for line in lines if line.split(",")[3:4] != [lost]]
    paths = [write(tmp_path / "s.csv", snapshot), write(tmp_path / "u.csv", "\n".join(kept))]
    batch = rows_of(vision, paths)[BTC]
    check_invariants(batch)
    assert kinds(batch)[-1] == "reset"
    before = [row for row in expected if row[1] != "trade" and row[2] < int(lost)]
    assert rows(batch)[:-1] == before


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_no_half_of_a_message_beside_a_bad_row_is_taken(tmp_path: Path, block_bytes: int, bad: int) -> None:
    """A bad row may have been of the message before it or behind it; between two rows of one it was of that one."""
    row = "BTCUSDT,{},{},{},b,set,{},1,{}".format
    updates = [row(START + 1, 1001, 1003, 90, 1000), row(START + 1, 1001, 1003, 91, 1000),
               row(START + 2, 1004, 1006, 92, 1003), row(START + 2, 1004, 1006, 93, 1003),
               row(START + 3, 1007, 1009, 94, 1006)]  # fmt: skip
    updates.insert(bad + 1, "BTCUSDT,x,1004,1006,b,set,1,1,1003")
    levels = (("b", 99), ("a", 101))
    books = ((START, 1000), (START + 9, 1005))
    snapshots = [f"BTCUSDT,{at},{n},{n},{side},snap,{price},2,-1" for at, n in books for side, price in levels]
    paths = [write(tmp_path / "s.csv", "\n".join([DEPTH, *snapshots])), write(tmp_path / "u.csv", "\n".join(updates))]
    stats = ImportStats()
    batch = rows_of(vision, paths, stats)[BTC]
    check_invariants(batch)
    assert stats.bad == 1
    prices = batch.price[batch.kind == 1].tolist()
    # The second book, of 1005, joins the second update, not the third.
    assert prices == {0: [92.0, 93.0, 94.0], 1: [], 2: [90.0, 91.0]}[bad]


def test_prints_of_size_0_and_repeated_headers_are_counted(tmp_path: Path, block_bytes: int) -> None:
    head = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
    path = write(
        tmp_path / "x.csv", f"\n{head}\n1,100,1,1,1,{START},true\n{head}\n2,100,0,2,2,{START},true\n\n{head}\n"
    )
    stats = ImportStats()
    assert rows_of(vision, [path], stats)[BTC].rows == 1
    assert dict(stats.ignored) == {"print of size 0": 1, "repeated headers": 2}
    write(path, f"\n{head}\n\n1,100,1,1,1,{START},maybe\n2,100,1,2,2,{START},true\n3,100,1,3,3,{START},true\n")
    stats = ImportStats()
    rows_of(vision, [path], stats)
    assert stats.excerpts == [
        f"{path}:4: is_buyer_maker is none of true, True, false, False: 1,100,1,1,1,{START},maybe"
    ]


def test_what_a_number_may_look_like(tmp_path: Path) -> None:
    """What the kernel leaves to Python is read as Python reads it; digits of other alphabets are none."""
    good = ["100", "0.1", "007.50", "1e2", "1.5E-3", "123456789012345.678901234567", "9007199254740993e-3"]
    bad = ["-1", "+1", ".5", "1.", "1_0", "", "nan", "inf", "0x1", "１", "1e400", "0", "1 "]
    lines = [f"{n},{price},1,{n},{n},{START},true" for n, price in enumerate((*good, *bad), 1)]
    path = write(tmp_path / "x.csv", "\n".join([lines[0], *lines[len(good) :], *lines[1 : len(good)]]))
    more = write(tmp_path / "y.csv", "\n".join(f"{n},1,1,{n},{n},{START + 1},true" for n in range(50, 80)))
    stats = ImportStats()
    batch = rows_of(vision, [path, more], stats)[BTC]
    assert batch.price[: len(good)].tolist() == [float(text) for text in good]
    assert stats.bad == len(bad)


def test_names_are_remembered_for_at_least_as_long_as_it_is_said() -> None:
    names = Names()
    text = np.frombuffer("".join(f"{n:08d}" for n in range(300_000)).encode(), np.uint8)
    start = np.arange(0, len(text), 8)
    column = name_bits(text, start, start + 8)
    assert names.take(column) == 300_000
    assert names.take(column[300_000 - (1 << 17) : 300_000]) == 0
    assert names.take(column[299_999:300_000]) == 0
    assert not names.add("00299999")
    assert names.add("x")
    assert not names.add("x")
    assert names.take(column[0:10]) == 10  # of another generation


def test_names_of_which_one_comes_again(tmp_path: Path, block_bytes: int) -> None:
    head = "timestamp,symbol,side,size,price,trdMatchID"
    ids = [*range(30), 7, *range(30, 40), 39, 40]
    lines = [f"1700000001.{n:03d},BTCUSDT,Buy,1,{n + 1},id-{name}" for n, name in enumerate(ids)]
    stats = ImportStats()
    batch = rows_of(bybit_trades.read, [write(tmp_path / "x.csv", "\n".join([head, *lines]))], stats)[BYBIT]
    kept = [n + 1 for n, name in enumerate(ids) if name not in ids[:n]]
    assert batch.price.tolist() == kept
    assert dict(stats.ignored) == {"repeated prints": 2}
    assert stats.instruments[BYBIT].trades == len(kept)


def test_what_stands_before_a_damage_is_in_the_refusal(tmp_path: Path) -> None:
    text = "\n".join(f"{n},100,1,{n},{n},{START + n},true" for n in range(1, 20_001)) + "\n"
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(text.encode())[:-200])
    with pytest.raises(TickwaxError, match="is truncated"):
        rows_of(vision, [path])
    stats = ImportStats()
    kept = rows_of(partial(vision, salvage=True), [path], stats)[BTC]
    assert len(stats.salvaged) == 1
    assert kept.sequence.tolist() == list(range(1, kept.rows + 1))
    assert 10_000 < kept.rows < 20_000
