"""Symbols of other markets: their sizes are in other units, so no importer takes them for the venue's contracts."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflows.command_line.verbs import app
from sources.errors import TickwaxError
from sources.importers import bybit_archive, bybit_trades, tardis
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.venues.contracts import NoContract, check_contract
from tests.importers.captures import START, rows_of, run

OTHERS = ["BTCPERP", "BTCUSD", "BTCUSDH24", "BTC-27DEC24", "BTCUSDT-27DEC24", "BTC-27DEC24-100000-C-USDT", "USDT"]


@pytest.mark.parametrize("symbol", OTHERS)
def test_what_is_no_usdt_perpetual_of_bybit(symbol: str) -> None:
    with pytest.raises(NoContract, match=f"^{symbol} is of another market"):
        check_contract(Instrument("bybit_linear", symbol))


@pytest.mark.parametrize("venue", ["binance_futures", "binance_spot"])
@pytest.mark.parametrize("symbol", ["BTCUSD_PERP", "BTCUSD_240927", "BNBUSD_210326"])
def test_coin_m(venue: str, symbol: str) -> None:
    with pytest.raises(NoContract, match="coin-margined"):
        check_contract(Instrument(venue, symbol))


@pytest.mark.parametrize("name", [
    "binance_futures:BTCUSDT", "binance_futures:BTCUSDC", "binance_futures:ETHBTC", "binance_futures:BTCUSDT_240927",
    "binance_futures:BTCBUSD_210129", "binance_futures:XAUUSDT", "binance_spot:BTCEUR", "bybit_linear:1000PEPEUSDT",
])  # fmt: skip
def test_what_is_a_contract(name: str) -> None:
    check_contract(Instrument.parse(name))


def archive(symbol: str) -> str:
    levels = {"s": symbol, "b": [["100", "1"]], "a": [["101", "1"]], "u": 5, "seq": 1}
    frame = {"topic": f"orderbook.500.{symbol}", "type": "snapshot", "ts": START, "data": levels, "cts": START}
    return json.dumps(frame, separators=(",", ":")) + "\n"


def prints(symbol: str) -> str:
    return f"1700000001,{symbol},Buy,1,100\n"


def book(symbol: str) -> str:
    return f"bybit,{symbol},{START}000,{START}000,true,bid,100,1\n"


BOOK_HEADER = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
READERS = [
    (bybit_archive.read, archive, ""),
    (bybit_trades.read, prints, "timestamp,symbol,side,size,price\n"),
    (tardis.read, book, BOOK_HEADER),
]


@pytest.mark.parametrize(("reader", "line", "header"), READERS)
def test_a_file_of_another_market_is_refused(tmp_path: Path, reader, line, header: str) -> None:
    path = tmp_path / "file"
    for symbol in OTHERS[:-1]:
        path.write_text(header + line(symbol))
        with pytest.raises(TickwaxError, match=f": nothing to import: {symbol} is of another market"):
            run(tmp_path / "tape", [path], reader)


@pytest.mark.parametrize(("reader", "line", "header"), READERS)
def test_among_others_it_is_left_out_and_counted(tmp_path: Path, reader, line, header: str) -> None:
    path = tmp_path / "file"
    path.write_text(header + line("BTCPERP") + line("ETHUSDT") + line("BTCPERP"))
    stats = ImportStats()
    assert list(rows_of(reader, [path], stats)) == [Instrument("bybit_linear", "ETHUSDT")]
    assert (stats.ignored, stats.bad) == ({"BTCPERP, of another market": 2}, 0)


@pytest.mark.parametrize("words", [
    ("hftbacktest", "--symbol", "BTCUSD", "--venue", "bybit_linear"),
    ("hftbacktest", "--symbol", "BTCUSD_PERP"),
    ("tardis-raw", "--symbol", "BTCPERP", "--venue", "bybit_linear"),
    ("binance-vision", "--symbol", "BTCUSD_PERP"),
])  # fmt: skip
def test_a_symbol_that_is_named_is_refused_before_anything_is_read(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(archive("BTCUSD").encode()))
    done = CliRunner().invoke(app, ["import", words[0], str(path), *words[1:], "--tape", str(tmp_path / "tape")])
    assert str(done.exception).startswith(f"--symbol: {words[2]} is ")
    assert not (tmp_path / "tape").exists()
