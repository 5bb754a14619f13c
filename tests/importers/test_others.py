"""Captures of cryptofeed, Bybit's archive."""

import zipfile
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from sources.errors import TickwaxError
from sources.importers import bybit_archive, cryptofeed
from sources.importers.cryptofeed import nanoseconds
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.venues.registry import venue
from tests.importers.captures import BTC, check_invariants, kinds, rows_of

read_futures = partial(cryptofeed.read, venue=venue("binance_futures"))
XRP = Instrument("bybit_linear", "XRPUSDT")


def test_all_books_of_the_cryptofeed_capture_join(market_data: Path) -> None:
    stats = ImportStats()
    rows = rows_of(read_futures, sorted((market_data / "binance_usdm_2021").iterdir()), stats)
    assert {i.symbol for i in rows} == {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"}
    assert sum(of.trades for of in stats.instruments.values()) == 91
    assert sum(of.frames - of.trades - of.snapshots for of in stats.instruments.values()) == 764
    for of in stats.instruments.values():
        assert (of.snapshots, of.gaps, of.resets, of.bad) == (1, 0, 0, 0)
    assert stats.ignored["REST exchangeInfo"] == 1
    assert stats.bad == 0
    for batch in rows.values():
        check_invariants(batch)


@pytest.mark.parametrize(("text", "expected"), [
    (b"1626992741.06217", 1626992741062170000), (b"1626992741", 1626992741000000000),
    (b"1626992741.123456789", 1626992741123456789), (b"1e9", None), (b"", None), (b"nan", None), (b"1626992741.", None),
])  # fmt: skip
def test_seconds_are_exact(text: bytes, expected: int | None) -> None:
    assert nanoseconds(text) == expected


def test_bad_lines_of_cryptofeed(tmp_path: Path) -> None:
    (tmp_path / "http").write_text(
        "https://x/fapi/v1/depth?symbol=BTCUSDT&limit=5 -> 1700000000.1: "
        '{"lastUpdateId":5,"E":1,"T":1700000000000,"bids":[["1","1"]],"asks":[]}\n'
    )
    (tmp_path / "ws").write_text('wss://x <-> 1700000000.0\n1700000000.2: {"stream":"btcu\nsomething: else\n')
    stats = ImportStats()
    batch = rows_of(read_futures, [tmp_path / "http", tmp_path / "ws"], stats)[BTC]
    assert kinds(batch) == ["snapshot", "reset"]
    assert [text.partition(": ")[0] for text in stats.excerpts] == [f"{tmp_path}/ws:2", f"{tmp_path}/ws:3"]
    (tmp_path / "only").write_text("wss://x <-> 1700000000.0\n")
    with pytest.raises(TickwaxError, match="nothing to import"):
        rows_of(read_futures, [tmp_path / "only"])


@pytest.mark.parametrize("name", ["A" * 241, "TURN\u202eTDSU", "ESC\x1b[2J"])
def test_a_name_that_no_folder_can_have_costs_no_other(tmp_path: Path, name: str) -> None:
    depth = "https://x/fapi/v1/depth?symbol={}&limit=5 -> 1700000000.{}: "
    depth += '{{"lastUpdateId":5,"E":1,"T":1700000000000,"bids":[["1","1"]],"asks":[]}}\n'
    path = tmp_path / "http"
    path.write_text(depth.format(quote(name), 1) + depth.format("BTCUSDT", 2))
    stats = ImportStats()
    assert set(rows_of(read_futures, [path], stats)) == {BTC}
    assert stats.bad == 1
    assert stats.excerpts[0].startswith("a frame: instrument 'binance_futures:")
    assert stats.excerpts[0].isprintable()


def test_bybit_archive(market_data: Path) -> None:
    stats = ImportStats()
    batch = rows_of(bybit_archive.read, sorted((market_data / "bybit_linear").glob("*.zip")), stats)[XRP]
    of = stats.instruments[XRP]
    assert (of.frames, of.snapshots, of.gaps, of.bad) == (50, 1, 0, 0)
    assert kinds(batch) == ["snapshot"] + ["delta"] * 49
    assert int(batch.receive_ts[0]) == 1733011200691 * 10**6
    check_invariants(batch)


def test_bad_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK no zip")
    with pytest.raises(TickwaxError, match=r"a\.zip: is no readable zip archive"):
        rows_of(bybit_archive.read, [path])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.data", '{"topic":"tickers.X","ts":1733011200691}\n')
    with pytest.raises(TickwaxError, match=r"a\.zip: nothing to import"):
        rows_of(bybit_archive.read, [path])


def test_corrupt_line_of_an_archive_costs_the_book(tmp_path: Path) -> None:
    frame = (
        '{"topic":"orderbook.50.XRPUSDT","type":"%s","ts":1733011200691,"data":{"s":"XRPUSDT","b":[["1","2"]],"a":[],'
        '"u":%d,"seq":1},"cts":1733011200690}\n'
    )
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.data", frame % ("snapshot", 5) + frame % ("delta", 6) + "garbage\n" + frame % ("delta", 7))
    stats = ImportStats()
    batch = rows_of(bybit_archive.read, [tmp_path / "a.zip"], stats)[XRP]
    assert kinds(batch) == ["snapshot", "delta", "reset"]
    assert stats.excerpts[0].startswith(f"{tmp_path}/a.zip:3: ")
    assert stats.instruments[XRP].dropped == 1
