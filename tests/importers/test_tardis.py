"""CSV files of tardis.dev."""

import gzip
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import files, tardis, tardis_csv
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from tests.importers.captures import BTC, check_invariants, kinds, rows_of

BOOK = ",".join(tardis_csv.BOOK_COLUMNS)
TRADES = ",".join(tardis_csv.TRADE_COLUMNS)
T = 1_700_000_000_000_000


def book(at: int, price: str, amount: str, side: str = "bid", snapshot: str = "false", name: str = "BTCUSDT") -> str:
    return f"binance-futures,{name},{T + at - 1},{T + at},{snapshot},{side},{price},{amount}"


def trade(at: int, price: str = "100", amount: str = "1", side: str = "buy", trade_id: str = "7") -> str:
    return f"binance-futures,BTCUSDT,{T + at - 1},{T + at},{trade_id},{side},{price},{amount}"


def write(path: Path, *lines: str) -> Path:
    text = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


START = (book(10, "99", "1", snapshot="true"), book(10, "101", "2", "ask", snapshot="true"))


def test_books_and_trades_are_merged_by_arrival(tmp_path: Path) -> None:
    books = write(tmp_path / "book.csv.gz", BOOK, book(5, "1", "1"), *START, book(20, "99", "0"), book(20, "98", "3"))
    trades = write(tmp_path / "trades.csv", TRADES, trade(9), trade(20, side="sell", trade_id="x-1"), trade(21))
    stats = ImportStats()
    batch = rows_of(tardis.read, [trades, books], stats)[BTC]
    assert kinds(batch) == ["trade", "snapshot", "delta", "trade", "trade"]
    assert batch.sequence.tolist() == [7, 2, 2, 3, 3, 0, 7]
    assert batch.side.tolist() == [1, 1, -1, 1, 1, -1, 1]
    assert int(batch.receive_ts[0]) == (T + 9) * 1000
    assert int(batch.exchange_ts[0]) == (T + 8) * 1000
    of = stats.instruments[BTC]
    assert (of.dropped, of.snapshots, of.trades, of.gaps) == (1, 1, 3, 0)
    check_invariants(batch)


@pytest.mark.parametrize("name", ["A" * 241, "TURN\u202eTDSU", "NUL\0"])
def test_a_name_that_no_folder_can_have_costs_no_other(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "b.csv", BOOK, book(5, "1", "1", name=name), *START, book(20, "98", "3", name=name))
    stats = ImportStats()
    rows = rows_of(tardis.read, [path], stats)
    assert set(rows) == {BTC}
    assert kinds(rows[BTC]) == ["snapshot"]
    assert stats.bad == 2
    assert stats.excerpts[0].startswith(f"{path}:2: instrument 'binance_futures:")
    assert stats.excerpts[0].isprintable()


def test_later_snapshot_is_a_reconnect(tmp_path: Path) -> None:
    again = [row.replace(f"{T + 10}", f"{T + 30}") for row in START]
    path = write(tmp_path / "b.csv", BOOK, *START, book(20, "99", "0"), *again, book(40, "98", "1"))
    assert kinds(rows_of(tardis.read, [path])[BTC]) == ["snapshot", "delta", "reset", "snapshot", "delta"]


def test_message_may_span_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 400)
    rows = [book(10, f"{i + 1}", "1", snapshot="true") for i in range(50)]
    changes = [book(20 + i // 3, f"{i + 1}", "2") for i in range(60)]
    prints = write(tmp_path / "t.csv", TRADES, *(trade(15 + i) for i in range(30)))
    batch = rows_of(tardis.read, [write(tmp_path / "b.csv", BOOK, *rows, *changes), prints])[BTC]
    assert kinds(batch).count("snapshot") == 1
    assert kinds(batch).count("delta") == 20
    assert (batch.receive_ts[1:] >= batch.receive_ts[:-1]).all()
    check_invariants(batch)


BAD = ["nan", "-1", "inf", "0x1p3", "abc", "", "1e16", "1_0"]


@pytest.mark.parametrize("row", [book(20, bad, "1") for bad in BAD] + [book(20, "1", bad) for bad in BAD] + [
    book(20, "0", "1"), book(20, "1", "1", side="middle"), book(20, "1", "1", snapshot="maybe"),
    book(20, "1", "1").replace(f"{T + 20}", "yesterday"), book(20, "1", "1") + ",1", "binance-futures,BTCUSDT",
    book(20, "1", "1").replace(f"{T + 19}", f"{T + 70_000_000}"),
])  # fmt: skip
def test_bad_row_of_a_book_is_a_reset(tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "b.csv", BOOK, *START, book(15, "98", "1"), book(16, "98", "2"), row, book(30, "97", "1"))
    stats = ImportStats()
    batch = rows_of(tardis.read, [path], stats)[BTC]
    assert kinds(batch)[:2] == ["snapshot", "delta"]
    assert kinds(batch)[-1] == "reset"
    assert stats.bad == 1
    assert stats.excerpts[0].startswith(f"{path}:6: ")
    check_invariants(batch)


def test_bad_trade_is_skipped(tmp_path: Path) -> None:
    books = write(tmp_path / "b.csv", BOOK, *START, book(30, "98", "1"))
    rows = (trade(20, price="nan"), trade(21, side="unknown"), trade(22, amount="0"), trade(23))
    stats = ImportStats()
    batch = rows_of(tardis.read, [books, write(tmp_path / "t.csv", TRADES, *rows)], stats)[BTC]
    assert kinds(batch) == ["snapshot", "trade", "delta"]
    assert stats.excerpts == [f"{tmp_path}/t.csv:2: price is no decimal above 0: "[:-2]]
    assert stats.ignored == {"trade of unknown side": 1, "print of size 0": 1}


def test_instruments_of_one_file_are_told_apart(tmp_path: Path) -> None:
    eth = [row.replace("BTCUSDT", "ETHUSDT") for row in START]
    path = write(tmp_path / "b.csv", BOOK, *START, *eth, book(11, "1", "1"), book(11, "1", "1", name="ETHUSDT"))
    rows = rows_of(tardis.read, [path])
    assert {str(i): kinds(b) for i, b in rows.items()} == {
        "binance_futures:BTCUSDT": ["snapshot", "delta"],
        "binance_futures:ETHUSDT": ["snapshot", "delta"],
    }


def test_files_of_several_instruments_one_behind_the_other(tmp_path: Path) -> None:
    """The times of one are no times of another: every message keeps its own, and its place beside its prints."""
    btc = [*START, *(book(20 + n, "98", str(n)) for n in range(5))]
    eth = [row.replace("BTCUSDT", "ETHUSDT") for row in btc]
    prints = [trade(22).replace("BTCUSDT", "ETHUSDT")]
    path = write(tmp_path / "both.csv.gz", BOOK, *btc, BOOK, *eth)
    rows = rows_of(tardis.read, [path, write(tmp_path / "t.csv", TRADES, *prints)])
    alone = rows_of(tardis.read, [write(tmp_path / "eth.csv", BOOK, *eth)])
    eth_rows = rows[Instrument("binance_futures", "ETHUSDT")]
    assert kinds(eth_rows) == ["snapshot"] + ["delta"] * 3 + ["trade"] + ["delta"] * 2
    deltas = [batch.exchange_ts[batch.kind == 1].tolist() for batch in (eth_rows, *alone.values(), rows[BTC])]
    assert deltas[0] == deltas[1] == deltas[2] == [(T + 19 + n) * 1000 for n in range(5)]


def test_an_instrument_that_cannot_be_merged_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its book lies behind all of another one's, its prints in a file of their own have been taken by then."""
    monkeypatch.setattr(files, "BLOCK_BYTES", 400)
    btc = [*START, *(book(20 + n, "98", "1") for n in range(50))]
    eth = [row.replace("BTCUSDT", "ETHUSDT") for row in btc]
    prints = [trade(20 + n).replace("BTCUSDT", "ETHUSDT") for n in range(60)]
    paths = [write(tmp_path / "b.csv", BOOK, *btc, *eth), write(tmp_path / "t.csv", TRADES, *prints)]
    with pytest.raises(TickwaxError, match=r"b\.csv:5\d: binance_futures:ETHUSDT of another file is merged beyond"):
        rows_of(tardis.read, paths)


def test_times_that_run_back_are_kept_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "b.csv", BOOK, *START, book(100, "99", "3"), book(60, "98", "4"), book(200, "99", "5"))
    stats = ImportStats()
    batch = rows_of(tardis.read, [path], stats)[BTC]
    assert kinds(batch) == ["snapshot", "delta", "delta", "delta"]
    assert (batch.receive_ts[2:] // 1000 - T).tolist() == [100, 60, 200]
    assert (batch.exchange_ts[2:] // 1000 - T).tolist() == [99, 59, 199]
    assert (stats.of(BTC).back, stats.of(BTC).farthest_back) == (1, 40_000)


def test_messages_that_arrived_at_once_keep_their_exchange_times(tmp_path: Path) -> None:
    early = book(20, "98", "1").replace(f"{T + 19}", f"{T + 15}")
    path = write(tmp_path / "b.csv", BOOK, *START, early, book(20, "98", "2"), book(20, "97", "2"))
    batch = rows_of(tardis.read, [path])[BTC]
    assert kinds(batch) == ["snapshot", "delta", "delta"]
    assert (batch.exchange_ts[2:] // 1000 - T).tolist() == [15, 19, 19]


def test_exchange_times_of_a_snapshot_that_differ_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "b.csv", BOOK, START[0].replace(f"{T + 9}", f"{T + 5}"), START[1])
    stats = ImportStats()
    batch = rows_of(tardis.read, [path], stats)[BTC]
    assert (batch.exchange_ts // 1000 - T).tolist() == [9, 9]
    assert stats.notes.total() == 1


def test_exchanges(tmp_path: Path) -> None:
    rows = [row.replace("binance-futures", name) for name in ("binance", "bybit", "ftx") for row in START]
    stats = ImportStats()
    assert set(rows_of(tardis.read, [write(tmp_path / "b.csv", BOOK, *rows)], stats)) == {
        Instrument("binance_spot", "BTCUSDT"), Instrument("bybit_linear", "BTCUSDT"),
    }  # fmt: skip
    assert stats.ignored == {"exchange ftx": 1}
    with pytest.raises(TickwaxError, match=r"exchange ftx: expected one of binance-futures, binance, bybit"):
        rows_of(
            tardis.read, [write(tmp_path / "c.csv", BOOK, *(row.replace("binance-futures", "ftx") for row in START))]
        )


@pytest.mark.parametrize(("content", "error"), [
    (b"", "is empty"),
    (f"{BOOK}\n".encode(), "is empty"),
    (b"a,b\n1,2\n", "expected exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount or exchange,"),
    (gzip.compress(f"{BOOK}\n{START[0]}\n".encode())[:-9], "is truncated"),
])  # fmt: skip
def test_bad_files(tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "b.csv"
    path.write_bytes(content)
    with pytest.raises(TickwaxError) as e:
        rows_of(tardis.read, [path])
    assert str(e.value).startswith(f"{path}: ")
    assert error in str(e.value)
    assert "\n" not in str(e.value)
