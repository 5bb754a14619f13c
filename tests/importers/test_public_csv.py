"""Public CSV archives of the exchanges: trades, and book updates of Binance."""

import gzip
from functools import partial
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import binance_vision, bybit_trades
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from tests.importers.captures import BTC, check_invariants, kinds, rows_of, run

BYBIT = Instrument("bybit_linear", "BTCUSDT")
SPOT = Instrument("binance_spot", "BTCUSDT")
BEGIN = 1_700_000_000_000_000_000  # ns
HEADER = "timestamp,symbol,side,size,price,tickDirection\n"
vision = partial(binance_vision.read, symbol="BTCUSDT")
spot = partial(vision, market="spot")


def test_trades_of_bybit(cases: Path) -> None:
    stats = ImportStats()
    batch = rows_of(bybit_trades.read, [cases / "b04_BTCUSDT2024-12-01.csv.gz"], stats)[BYBIT]
    check_invariants(batch)
    with gzip.open(cases / "b04_BTCUSDT2024-12-01.csv.gz", "rt") as file:
        rows = [line.split(",") for line in file.read().splitlines()[1:]]
    assert batch.rows == len(rows) == stats.instruments[BYBIT].trades
    assert batch.price.tolist() == [float(row[4]) for row in rows]
    assert batch.size.tolist() == [float(row[3]) for row in rows]
    assert batch.side.tolist() == [{"Buy": 1, "Sell": -1}[row[2]] for row in rows]
    assert batch.exchange_ts.tolist() == [int(row[0].replace(".", "")) * 100_000 for row in rows]
    assert batch.receive_ts.tolist() == batch.exchange_ts.tolist()


def test_times_of_bybit_are_exact(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    times = ("1700000000", "1700000000.1234", "1700000000.123456789")
    file.write_text(HEADER + "".join(f"{time},BTCUSDT,Sell,1,100.5,ZeroPlusTick\n" for time in times))
    batch = rows_of(bybit_trades.read, [file])[BYBIT]
    assert (batch.exchange_ts - BEGIN).tolist() == [0, 123_400_000, 123_456_789]


@pytest.mark.parametrize(("row", "says"), [
    ("1700000001,BTCUSD,Buy,1,100,PlusTick", "BTCUSD is of another market"),
    ("x,BTCUSDT,Buy,1,100,PlusTick", "timestamp is no time in seconds"),
    ("1700000001,BTCUSDT,buy,1,100,PlusTick", "side is none of Buy, Sell"),
    ("1700000001,BTCUSDT,Buy,-1,100,PlusTick", "size is no decimal of at least 0"),
    ("1700000001,BTCUSDT,Buy,1,0,PlusTick", "price is no decimal above 0"),
    ("1700000001,BTCUSDT,Buy,1,nan,PlusTick", "price is no decimal above 0"),
    ("1700000001,BTCUSDT,Buy,1,1e400,PlusTick", "price is no decimal above 0"),
    ("1700000001,BTCUSDT,Buy,1", "another number of columns"),
])  # fmt: skip
def test_bad_rows_of_bybit(tmp_path: Path, row: str, says: str) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(HEADER + row + "\n")
    with pytest.raises(TickwaxError, match=says):
        run(tmp_path / "tape", [file], bybit_trades.read)
    assert not list((tmp_path / "tape").rglob("*.parquet"))


@pytest.mark.parametrize(("text", "says"), [("", "is empty"), ("a,b\n1,2\n", "expected timestamp,symbol")])
def test_other_files(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(text)
    with pytest.raises(TickwaxError, match=says):
        run(tmp_path / "tape", [file], bybit_trades.read)


def test_one_bad_row_among_good_ones_is_counted_and_a_size_of_0_is_none(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    good = "1700000001,BTCUSDT,Buy,1,100,PlusTick\n"
    file.write_text(HEADER + good * 3 + "1700000001,BTCUSDT,Buy,x,100,PlusTick\n" + good.replace("1,100", "0,100"))
    stats = ImportStats()
    assert rows_of(bybit_trades.read, [file], stats)[BYBIT].rows == 3
    assert stats.ignored == {"print of size 0": 1}
    assert (stats.bad, stats.instruments[BYBIT].bad_prints) == (1, 1)
    assert stats.excerpts[0].startswith(f"{file}:5: size is no decimal")


def test_a_truncated_file(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv.gz"
    rows = "".join(f"17000000{i:02d},BTCUSDT,Buy,{i + 1},100.{i * 7919},PlusTick\n" for i in range(60))
    file.write_bytes(gzip.compress((HEADER + rows).encode())[:-40])
    with pytest.raises(TickwaxError, match="is truncated"):
        rows_of(bybit_trades.read, [file])
    stats = ImportStats()
    kept = rows_of(partial(bybit_trades.read, salvage=True), [file], stats)[BYBIT]
    assert 0 < kept.rows < 60
    assert len(stats.salvaged) == 1


def test_aggregate_trades_of_binance(cases: Path) -> None:
    stats = ImportStats()
    batch = rows_of(vision, [cases / "v01_BTCUSDT-aggTrades-2023-05.zip"], stats)[BTC]
    check_invariants(batch)
    assert batch.sequence[:2].tolist() == [1000, 1001]
    assert batch.price[:2].tolist() == [100.0, 100.1]
    assert batch.size[:2].tolist() == [0.5, 0.5]
    assert batch.side[:2].tolist() == [-1, -1]
    assert (batch.exchange_ts[:2] - BEGIN).tolist() == [0, 1_000_000]
    assert batch.rows == 5
    assert (stats.bad, stats.ignored) == (0, {})


@pytest.mark.parametrize(("reader", "of", "text"), [
    (vision, BTC, "7,100.5,2,9,9,1700000000001,false\n"),
    (vision, BTC, "7,100.5,2,201,1700000000001,false\n"),
    (vision, BTC, "id,price,qty,quote_qty,time,is_buyer_maker\n7,100.5,2,201,1700000000001,false\n"),
    (spot, SPOT, "7,100.5,2,9,9,1700000000001000,False,True\n"),
    (spot, SPOT, "7,100.5,2,201.0,1700000000001000,False,True\n"),
])  # fmt: skip
def test_layouts_of_binance(tmp_path: Path, reader: partial, of: Instrument, text: str) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(text)
    batch = rows_of(reader, [file])[of]
    columns = (batch.sequence, batch.side, batch.price, batch.size, batch.exchange_ts - BEGIN)
    assert [column.tolist() for column in columns] == [[7], [1], [100.5], [2.0], [1_000_000]]


@pytest.mark.parametrize(("reader", "name", "text", "says"), [
    (vision, "x.csv", "7,100.5,2,9,9,1700000000001000,False,True\n", "as in aggTrades of spot"),
    (vision, "x.csv", "7,100.5,2,201.5,1700000000001000,False,True\n", "as in trades of spot"),
    (spot, "x.csv", "7,100.5,2,9,9,1700000000001,false\n", "as in aggTrades of um"),
    (vision, "ETHUSDT-trades-2024-01.csv", "7,1,2,9,1700000000001,false\n", "is of ETHUSDT, not of BTCUSDT"),
    (partial(binance_vision.read, symbol="BTCUSD_PERP"), "x.csv", "", "coin-margined"),
    (partial(vision, market="cm"), "x.csv", "", "only um and spot are"),
])  # fmt: skip
def test_other_markets_of_binance(tmp_path: Path, reader: partial, name: str, text: str, says: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(TickwaxError, match=says):
        rows_of(reader, [file])


def test_book_updates_need_their_snapshot(cases: Path, tmp_path: Path) -> None:
    updates = cases / "v02_BTCUSDT_T_DEPTH_2020-07-31_depth_update.csv"
    with pytest.raises(TickwaxError, match="5 book messages of binance_futures:BTCUSDT and no snapshot that they join"):
        run(tmp_path / "tape", [updates], vision)
    snapshot = tmp_path / "BTCUSDT_T_DEPTH_2020-07-31_depth_snap.csv"
    header = updates.read_text().splitlines()[0]
    rows = (f"BTCUSDT,1700000000000,10,10,{level},-1\n" for level in ("b,snap,99.5,2", "a,snap,101,3"))
    snapshot.write_text(f"{header}\n{''.join(rows)}")
    stats = ImportStats()
    batch = rows_of(vision, [updates, snapshot], stats)[BTC]
    check_invariants(batch)
    assert kinds(batch) == ["snapshot", *["delta"] * 5]  # the first has U <= 10 <= u
    assert batch.sequence.tolist() == [10, 10, 10, 11, 12, 13, 14]
    assert batch.price[2:].tolist() == [100.0, 100.1, 100.2, 100.3, 100.4]
    assert (stats.instruments[BTC].gaps, stats.bad) == (0, 0)


def test_a_bad_row_of_a_book_costs_the_book(cases: Path, tmp_path: Path) -> None:
    lines = (cases / "v02_BTCUSDT_T_DEPTH_2020-07-31_depth_update.csv").read_text().splitlines()
    file = tmp_path / "depth.csv"
    lines.insert(1, "BTCUSDT,1700000000000,9,9,b,snap,99,1,-1")
    lines.insert(2, "BTCUSDT,1700000000000,9,9,a,snap,109,1,-1")
    lines[5] = lines[5].replace(",b,", ",x,")
    file.write_text("\n".join(lines) + "\n")
    stats = ImportStats()
    batch = rows_of(vision, [file], stats)[BTC]
    check_invariants(batch)
    assert kinds(batch) == ["snapshot", "delta", "reset"]
    assert stats.bad == 1
