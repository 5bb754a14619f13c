"""Bybit's archives of books and of trades, in one command, against a plain reading of both."""

import gzip
import json
import random
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sources.errors import TickwaxError
from sources.importers import bybit_archive, files
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS
from tests.importers.captures import START, check_invariants, kinds, rows_of, run

BYBIT = Instrument("bybit_linear", "BTCUSDT")
read = partial(bybit_archive.read, category="linear")
HEAD = "timestamp,symbol,side,size,price,tickDirection,trdMatchID"


def frame(kind: str, ms: int, number: int, price: float, size: float, symbol: str = "BTCUSDT") -> str:
    data = {"s": symbol, "b": [[str(price), str(size)]], "a": [[str(price + 1), str(size)]], "u": number, "seq": 1}
    topic = f"orderbook.500.{symbol}"
    return json.dumps({"topic": topic, "type": kind, "ts": ms + 1, "data": data, "cts": ms}, separators=(",", ":"))


def print_row(tenth_ms: int, price: float, size: float, side: str, name: str) -> str:
    return f"{tenth_ms // 10_000}.{tenth_ms % 10_000:04d},BTCUSDT,{side},{size},{price},PlusTick,{name}"


def archives(folder: Path, rng: random.Random) -> tuple[list[Path], list[tuple[Any, ...]]]:
    """Books of two days, trades of two, and the rows they make."""
    expected: list[tuple[Any, ...]] = []
    books: list[list[str]] = [[], []]
    trades: list[list[str]] = [[], []]
    ms, number = START, 100
    for n in range(600):
        ms += rng.randrange(1, 9)
        day = n // 300
        price, size = float(rng.randrange(100, 999)), rng.randrange(1, 99) / 10
        if n in (0, 1, 300) or rng.random() < 0.5:
            number += 1
            kind = "snapshot" if n in (0, 300) else "delta"
            books[day].append(frame(kind, ms, number, price, size))
            rows = [(ms * 10**6, (ms + 1) * 10**6, kind, number, side, price + (side < 0), size) for side in (1, -1)]
            expected.append(((ms + 1) * 10, 0, rows))
        else:
            tenth = ms * 10 + rng.randrange(10)
            side = rng.choice(["Buy", "Sell"])
            trades[day].append(print_row(tenth, price, size, side, f"id-{n}"))
            code = 1 if side == "Buy" else -1
            expected.append((tenth, 1, [(tenth * 10**5, tenth * 10**5, "trade", 0, code, price, size)]))
    paths = []
    for day in (0, 1):
        paths.append(folder / f"2023-11-{14 + day}_BTCUSDT_ob500.data.zip")
        with zipfile.ZipFile(paths[-1], "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(paths[-1].stem, "\n".join([*books[day], ""]))
        paths.append(folder / f"BTCUSDT2023-11-{14 + day}.csv.gz")
        paths[-1].write_bytes(gzip.compress("\n".join([HEAD, *trades[day], ""]).encode()))
    expected.sort(key=lambda entry: entry[:2])
    return paths, [row for _, _, rows in expected for row in rows]


@pytest.mark.parametrize("block_bytes", [1 << 20, 900])
def test_books_and_trades_are_one_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", block_bytes)
    paths, expected = archives(tmp_path, random.Random(5))
    stats = ImportStats()
    for order in (paths, [paths[1], paths[3], paths[0], paths[2]]):
        stats = ImportStats()
        batch = rows_of(read, order, stats)[BYBIT]
        check_invariants(batch)
        names = [KINDS[kind] for kind in batch.kind]
        columns = (batch.sequence, batch.side, batch.price, batch.size)
        times = batch.exchange_ts.tolist(), batch.receive_ts.tolist()
        assert list(zip(*times, names, *(column.tolist() for column in columns), strict=True)) == expected
    of = stats.instruments[BYBIT]
    assert (of.gaps, of.resets, of.bad, of.snapshots) == (0, 0, 0, 2)
    assert of.trades == sum(row[2] == "trade" for row in expected)
    assert stats.frames == 600


def test_real_books_with_trades_beside_them(market_data: Path, tmp_path: Path) -> None:
    """The book rows are those of the archive alone, whatever trades stand between them."""
    path = market_data / "bybit_linear" / "xrpusdt-ob500.data.zip"
    of = Instrument("bybit_linear", "XRPUSDT")
    alone = rows_of(read, [path])[of]
    times = [int(time) // 100_000 for time in alone.receive_ts[alone.last].tolist()]
    rows = [print_row(time + 3, 2.0 + n, 1.0, "Buy", f"id-{n}").replace("BTC", "XRP") for n, time in enumerate(times)]
    trades = tmp_path / "XRPUSDT2024-12-01.csv"
    trades.write_text("\n".join([HEAD, *rows]))
    both = rows_of(read, [path, trades])[of]
    check_invariants(both)
    book = both.kind != KINDS.index("trade")
    for ours, theirs in zip(both[1:], alone[1:], strict=True):  # but for the ordinals
        assert (ours[book] == theirs).all()
    assert both.price[~book].tolist() == [2.0 + n for n in range(len(times))]
    assert (both.receive_ts[1:] >= both.receive_ts[:-1]).all()


def test_a_damaged_archive_ends_where_its_time_is(tmp_path: Path) -> None:
    """Trades go on behind it, the book does not; without --salvage nothing is taken."""
    frames = [frame("delta" if n else "snapshot", START + n, 100 + n, 100.0, n + 1) for n in range(3000)]
    book = tmp_path / "x_ob500.data.gz"
    book.write_bytes(gzip.compress("\n".join([*frames, ""]).encode())[:-300])
    trades = tmp_path / "t.csv"
    rows = [print_row((START + n) * 10, 1.0, 1.0, "Buy", str(n)) for n in range(0, 5000, 9)]
    trades.write_text("\n".join([HEAD, *rows]))
    with pytest.raises(TickwaxError, match=r"is truncated.* --salvage takes them$"):
        run(tmp_path / "tape", [book, trades], read)
    stats = ImportStats()
    batch = rows_of(partial(read, salvage=True), [book, trades], stats)[BYBIT]
    check_invariants(batch)
    assert kinds(batch).count("reset") == 1
    assert kinds(batch).count("trade") == 556
    after = kinds(batch)[kinds(batch).index("reset") + 1 :]
    assert set(after) == {"trade"}
    assert len(after) > 100
    assert len(stats.salvaged) == 1


@pytest.mark.parametrize(("text", "says"), [
    ("id,timestamp,price,volume,side,rpi\n1,1,1,1,buy,0\n", "columns id,timestamp,price,volume,side,rpi: expected"),
    ("timestamp,symbol,side,size,price\n", "nothing to import"),
    ("1,2,3\n", "columns 1,2,3: expected timestamp"),
    (",".join(["a"] * 1_000_000) + "\n", "columns a,a,a"),
    ("", "nothing to import: no order book and no trades of Bybit V5"),
    ("hello\n", "nothing to import: no order book and no trades of Bybit V5"),
])  # fmt: skip
def test_other_files_beside_a_book(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(TickwaxError, match=says) as e:
        run(tmp_path / "tape", [path], read)
    assert len(str(e.value)) < 700
    assert not (tmp_path / "tape").exists() or not list((tmp_path / "tape").rglob("*.parquet"))
