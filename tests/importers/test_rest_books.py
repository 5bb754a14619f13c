"""REST books name no symbol: in a capture of several, a symbol's own diffs tell which one is its own."""

import gzip
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sources.errors import TickwaxError
from sources.importers import hftbacktest
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from tests.importers.captures import BTC, Capture, check_invariants, kinds, rows_of, run

ETH = Instrument("binance_futures", "ETHUSDT")
SPOT = Instrument("binance_spot", "BTCUSDT")
LINES = 20_000


def imported(path: Path, of: Instrument) -> tuple[TapeBatch, ImportStats]:
    stats = ImportStats()
    (batch,) = rows_of(partial(hftbacktest.read, instrument=of), [path], stats).values()
    check_invariants(batch)
    return batch, stats


class Two(Capture):
    """A capture of two symbols, whose updates are numbered by one counter."""

    def __init__(self, eth_price: float) -> None:
        super().__init__()
        self.price = {"BTCUSDT": 100.0, "ETHUSDT": eth_price}
        self.last = {"BTCUSDT": 100, "ETHUSDT": 100}
        self.bids = {symbol: [1.0, 1.5] for symbol in self.price}

    def diff(self, symbol: str, stream: bool = True) -> None:
        """The one or the other of a symbol's two bids gets a new size."""
        bids, level = self.bids[symbol], self.final % 2
        self.final += 3
        bids[level] += 1.0 if symbol == "BTCUSDT" else 1.25
        numbers = {"U": self.last[symbol] + 1, "u": self.final, "pu": self.last[symbol]}
        data = {"e": "depthUpdate", "E": self.ms, "T": self.ms, "s": symbol, **numbers, "a": []}
        data["b"] = [[str(self.price[symbol] - level), str(bids[level])]]
        self.last[symbol] = self.final
        self.line({"stream": f"{symbol.lower()}@depth@0ms", "data": data} if stream else data)

    def book(self, symbol: str) -> None:
        """The REST book of a symbol, as of the last update of any."""
        price = self.price[symbol]
        bids = [[str(price - level), str(size)] for level, size in enumerate(self.bids[symbol])]
        self.line(
            {"lastUpdateId": self.final, "E": self.ms, "T": self.ms, "bids": bids, "asks": [[str(price + 1), "3"]]}
        )

    def both(self, count: int, stream: bool = True) -> None:
        """Diffs of both in turn."""
        for _ in range(count):
            for symbol in ("BTCUSDT", "BTCUSDT", "ETHUSDT", "ETHUSDT"):
                self.diff(symbol, stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("eth_price", [10.0, 100.0])
def test_each_symbol_gets_its_own_book(tmp_path: Path, eth_price: float, stream: bool) -> None:
    """Told by the sizes of the levels, though both books join both chains, and the prices may be the same."""
    capture = Two(eth_price)
    capture.both(3, stream)
    capture.book("BTCUSDT")
    capture.book("ETHUSDT")
    capture.both(3, stream)
    path = capture.write(tmp_path / "a.gz")
    for of in (BTC, ETH):
        batch, stats = imported(path, of)
        assert kinds(batch)[0] == "snapshot"
        assert float(batch.price[0]) == capture.price[of.symbol]
        assert float(batch.size[0]) in (4.0, 4.75)
        assert float(batch.size[batch.kind == 1][-1]) in capture.bids[of.symbol]
        foreign = "REST book of another symbol" if of is ETH else "snapshot of a known book"
        assert stats.ignored[foreign] == 1
        assert (stats.instruments[of].snapshots, stats.instruments[of].gaps) == (1, 0)


def test_real_captures_of_two_symbols(market_data: Path, tmp_path: Path) -> None:
    lines: list[bytes] = []
    for name in ("btc", "eth"):
        with gzip.open(market_data / "binance_usdm" / f"{name}usdt_20240808.gz") as file:
            part = list(islice(file, LINES))
        (tmp_path / f"{name}.txt").write_bytes(b"".join(part))
        lines += part
    (tmp_path / "both.txt").write_bytes(b"".join(sorted(lines, key=lambda line: int(line.partition(b" ")[0]))))
    for name, of in (("btc", BTC), ("eth", ETH)):
        both, stats = imported(tmp_path / "both.txt", of)
        alone, _ = imported(tmp_path / f"{name}.txt", of)
        assert all(np.array_equal(a, b) for a, b in zip(both, alone, strict=True))
        assert stats.ignored["REST book of another symbol"] + stats.ignored["snapshot of a known book"] == 1


def test_a_book_that_may_be_of_either_is_refused(tmp_path: Path) -> None:
    """The prices are alike, and no diff has told of a level before."""
    capture = Two(100.5)
    capture.book("ETHUSDT")
    capture.both(3)
    path = capture.write(tmp_path / "a.gz")
    with pytest.raises(TickwaxError) as e:
        run(tmp_path / "tape", [path], partial(hftbacktest.read, instrument=BTC), BTC)
    text = (
        f"{path}: the REST book 100 names no symbol, and fits BTCUSDT and ETHUSDT alike; import it from a capture of "
    )
    assert str(e.value).startswith(text)


def test_prices_tell_where_no_level_does(tmp_path: Path) -> None:
    capture = Two(10.0)
    capture.book("ETHUSDT")
    capture.book("BTCUSDT")
    capture.both(3)
    batch, stats = imported(capture.write(tmp_path / "a.gz"), BTC)
    assert float(batch.price[0]) == 100.0
    assert stats.ignored["REST book of another symbol"] == 1


def test_a_book_that_cannot_be_of_the_symbol_is_left_out_though_there_is_no_other(tmp_path: Path) -> None:
    capture = Two(10.0)
    capture.diff("BTCUSDT")
    capture.book("ETHUSDT")
    capture.book("BTCUSDT")
    capture.diff("BTCUSDT")
    batch, stats = imported(capture.write(tmp_path / "a.gz"), BTC)
    assert float(batch.price[0]) == 100.0
    assert stats.ignored == {"REST book of another symbol": 1}


def test_a_book_that_no_diff_reaches_is_counted(tmp_path: Path) -> None:
    capture = Two(10.0)
    capture.trade()
    capture.both(2)
    capture.final += 1000
    capture.book("BTCUSDT")
    batch, stats = imported(capture.write(tmp_path / "a.gz"), BTC)
    assert kinds(batch) == ["trade"]
    assert stats.ignored["REST book that no diff of the symbol reaches"] == 1
    assert stats.instruments[BTC].dropped == 4


def partial_book(number: int) -> dict[str, Any]:
    return {"lastUpdateId": number, "bids": [["100", str(number)]], "asks": [["101", "1"]]}


def bare_trade(number: int, symbol: str) -> dict[str, Any]:
    times = {"E": 1_700_000_000_000, "T": 1_700_000_000_000}
    return {"e": "trade", **times, "s": symbol, "t": number, "p": "100", "q": "1", "m": True}


def test_books_alone_without_streams_names_are_snapshots(tmp_path: Path) -> None:
    capture = Capture()
    for n in range(1, 6):
        capture.line(partial_book(n))
        capture.line(bare_trade(n, "BTCUSDT"))
    capture.lines += capture.lines[4:6]  # once more, when newer ones are known
    batch, stats = imported(capture.write(tmp_path / "a.gz"), SPOT)
    assert kinds(batch) == ["snapshot", "trade"] * 5
    assert batch.size[(batch.kind == 0) & (batch.side == 1)].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert stats.ignored == {"repeated book messages": 1, "repeated prints": 1}


def test_books_alone_of_several_symbols_are_refused(tmp_path: Path) -> None:
    capture = Capture()
    for n in range(1, 4):
        capture.line(partial_book(n))
        capture.line(bare_trade(n, "ETHUSDT"))
    path = capture.write(tmp_path / "a.gz")
    with pytest.raises(TickwaxError, match=r"a\.gz: its books name no symbol, and it is a capture of several$"):
        rows_of(partial(hftbacktest.read, instrument=SPOT), [path])
