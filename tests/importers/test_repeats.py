"""What comes twice in recordings, by lines, files or streams: each update and print is recorded once."""

import json
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from sources.importers import binance_vision, bybit_archive, bybit_trades, hftbacktest, tardis
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from tests.importers.captures import BTC, START, Capture, check_invariants, kinds, rows_of
from tests.importers.test_hftbacktest import nothing_fast

SPOT = Instrument("binance_spot", "BTCUSDT")
BYBIT = Instrument("bybit_linear", "BTCUSDT")


def imported(*paths: Path, of: Instrument = BTC) -> tuple[TapeBatch, ImportStats]:
    """Rows and counts, which are the same whether the kernel or the decoder reads the frames."""
    stats, slow_stats = ImportStats(), ImportStats()
    reader = partial(hftbacktest.read, instrument=of)
    (batch,) = rows_of(reader, paths, stats).values()
    check_invariants(batch)
    with mock.patch.object(hftbacktest, "parse_frames", nothing_fast):
        (slow,) = rows_of(reader, paths, slow_stats).values()
    assert same(batch, slow)
    assert (stats.frames, stats.ignored, stats.instruments) == (
        slow_stats.frames,
        slow_stats.ignored,
        slow_stats.instruments,
    )
    return batch, stats


def same(a: TapeBatch, b: TapeBatch) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


class Recording(Capture):
    """A capture of several streams of the symbol."""

    trades = 0

    def diff(self, stream: str = "depth@0ms", spot: bool = False, **fields: Any) -> None:
        """The next delta, in a stream of that name; alone if it has none."""
        numbers = {"U": self.final + 1, "u": self.final + 3, "pu": self.final} | fields
        data: dict[str, Any] = {"e": "depthUpdate", "E": self.ms, "T": self.ms, "s": "BTCUSDT", **numbers}
        data |= {"b": [["99.5", str(self.final)]], "a": []}
        if spot:
            del data["pu"], data["T"]
        self.final = max(self.final, data["u"])
        self.line({"stream": f"btcusdt@{stream}", "data": data} if stream else data)

    def print(self, **fields: Any) -> None:
        """The next trade."""
        self.trades += 1
        self.trade(t=self.trades, **fields)

    def aggregate(self, first: int, last: int, at: int | None = None) -> None:
        """The trades from one to another."""
        at = self.ms if at is None else at
        data = {"e": "aggTrade", "E": at, "T": at, "s": "BTCUSDT", "a": 10_000 + first, "p": "100.0", "q": "0.5",
                "f": first, "l": last, "m": False}  # fmt: skip
        self.line({"stream": "btcusdt@aggTrade", "data": data})


def ordinary(count: int = 8, spot: bool = False) -> Recording:
    recording = Recording()
    recording.diff(spot=spot)
    recording.snapshot()
    for _ in range(count):
        recording.diff(spot=spot)
        recording.print()
    return recording


@pytest.mark.parametrize("of", [BTC, SPOT])
def test_a_capture_with_every_line_twice(tmp_path: Path, of: Instrument) -> None:
    recording = ordinary(spot=of is SPOT)
    once, _ = imported(recording.write(tmp_path / "once.gz"), of=of)
    recording.lines = [line for line in recording.lines for _ in range(2)]
    twice, stats = imported(recording.write(tmp_path / "twice.gz"), of=of)
    assert same(once, twice)
    counts = stats.instruments[of]
    assert (counts.gaps, counts.resets, counts.trades) == (0, 0, 8)
    assert stats.ignored["repeated prints"] == 8
    assert stats.ignored["repeated book messages"] in (8, 9)  # the first one may be in the snapshot


def test_files_that_overlap(tmp_path: Path) -> None:
    recording = ordinary(20)
    whole, _ = imported(recording.write(tmp_path / "whole.gz"))
    paths = []
    for name, lines in (("a.gz", recording.lines[:30]), ("b.gz", recording.lines[20:])):
        part = Recording()
        part.lines = lines
        paths.append(part.write(tmp_path / name))
    both, stats = imported(*paths)
    assert same(whole, both)
    assert stats.ignored == {"repeated book messages": 5, "repeated prints": 5}


def test_a_file_that_repeats_another_one_whole_is_no_error(tmp_path: Path) -> None:
    recording = ordinary()
    paths = [recording.write(tmp_path / "a.gz"), recording.write(tmp_path / "b")]
    assert same(imported(*paths)[0], imported(paths[0])[0])


def test_old_numbers_at_a_later_time_are_a_market_that_is_numbered_anew(tmp_path: Path) -> None:
    recording = ordinary()
    recording.ms += 6_000
    recording.final = 10
    recording.diff()
    recording.snapshot()
    recording.diff()
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert kinds(batch)[-4:] == ["reset", "snapshot", "delta", "delta"]
    assert stats.instruments[BTC].gaps == 1


def test_a_diff_stream_goes_on_where_the_other_one_ends(tmp_path: Path) -> None:
    recording = ordinary()
    for _ in range(5):
        recording.diff("depth@100ms")
        recording.print()
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert kinds(batch).count("delta") == 14
    assert (stats.ignored, stats.instruments[BTC].resets) == ({}, 0)
    assert int(batch.sequence[batch.kind == 1][-1]) == recording.final


def test_a_stream_that_goes_on_with_a_hole_is_a_reset(tmp_path: Path) -> None:
    recording = ordinary()
    recording.final += 3
    recording.diff("depth@100ms")
    recording.snapshot()
    recording.diff("depth@100ms")
    assert kinds(imported(recording.write(tmp_path / "a.gz"))[0])[-4:] == ["reset", "snapshot", "delta", "delta"]


@pytest.mark.parametrize("names", [("depth@0ms", "depth@100ms"), ("", "")])
def test_of_two_chains_each_update_is_taken_once(tmp_path: Path, names: tuple[str, str]) -> None:
    """One in steps, the other in sums of five of them; with streams' names and without."""
    recording = Recording()
    recording.diff(names[0])
    recording.snapshot()
    for _ in range(4):
        begin = recording.final
        for _ in range(5):
            recording.diff(names[0])
        recording.diff(names[1], U=begin + 1, pu=begin, u=recording.final)
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert kinds(batch) == ["snapshot"] + ["delta"] * 21
    label = "depth@100ms beside depth@0ms" if names[0] else "repeated book messages"
    assert stats.ignored == {label: 4}
    assert stats.instruments[BTC].gaps == 0


def test_a_sum_that_is_ahead_of_its_parts_is_applied_and_they_are_repetitions(tmp_path: Path) -> None:
    recording = Recording()
    recording.diff("")
    recording.snapshot()
    recording.diff("")
    begin = recording.final
    recording.diff("", U=begin - 2, pu=begin - 3, u=begin + 9)  # over what is known, and beyond
    recording.final = begin
    for _ in range(4):
        recording.diff("")
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert kinds(batch) == ["snapshot"] + ["delta"] * 4
    assert (stats.ignored, stats.instruments[BTC].gaps) == ({"repeated book messages": 3}, 0)


def test_an_earlier_aggregate_costs_no_trades(tmp_path: Path) -> None:
    recording = Recording()
    recording.snapshot()
    recording.aggregate(0, 0)
    for _ in range(10):
        recording.print()
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert batch.sequence[batch.kind == 2].tolist() == [10_000, *range(1, 11)]
    assert stats.ignored == {}


def test_of_two_print_streams_each_trade_is_taken_once(tmp_path: Path) -> None:
    recording = Recording()
    recording.snapshot()
    for n in range(0, 9, 3):
        for _ in range(3):
            recording.print()
        recording.aggregate(n + 1, n + 3)
    recording.aggregate(10, 12)  # single trades have ended
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert batch.sequence[batch.kind == 2].tolist() == [*range(1, 10), 10_010]
    assert stats.ignored == {"aggTrade beside trade": 3}


def test_an_aggregate_without_the_numbers_of_its_trades_is_not_held_against_them(tmp_path: Path) -> None:
    recording = Recording()
    recording.snapshot()
    recording.print()
    recording.line({"stream": "btcusdt@aggTrade", "data": {"e": "aggTrade", "E": recording.ms, "T": recording.ms,
                    "s": "BTCUSDT", "a": 5, "p": "1", "q": "1", "m": True}})  # fmt: skip
    recording.print()
    batch, stats = imported(recording.write(tmp_path / "a.gz"))
    assert (kinds(batch), stats.ignored) == (["snapshot", "trade", "trade"], {"aggTrade beside trade": 1})


def test_bybit_frames_that_are_repeated_or_old(tmp_path: Path) -> None:
    def book(kind: str, number: int) -> str:
        data = {"s": "BTCUSDT", "b": [["100", str(number)]], "a": [["101", "1"]], "u": number, "seq": number}
        at = START + number
        return json.dumps({"topic": "orderbook.500.BTCUSDT", "type": kind, "ts": at, "data": data, "cts": at})

    def print_(number: int) -> str:
        data = {"T": START + number, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "100", "i": f"id-{number}", "BT": False,
                "seq": number}  # fmt: skip
        return json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": START + number, "data": [data]})

    lines = [book("snapshot", 10)] + [f(n) for n in range(11, 20) for f in (partial(book, "delta"), print_)]
    again = [book("snapshot", 14)] + [f(n) for n in range(15, 25) for f in (partial(book, "delta"), print_)]
    (tmp_path / "1_ob500.data").write_text("\n".join(lines) + "\n")
    (tmp_path / "2_ob500.data").write_text("\n".join(again) + "\n")
    stats = ImportStats()
    (batch,) = rows_of(bybit_archive.read, [tmp_path / "1_ob500.data", tmp_path / "2_ob500.data"], stats).values()
    check_invariants(batch)
    assert batch.sequence[(batch.kind == 1) & batch.last].tolist() == list(range(11, 25))
    assert batch.sequence[batch.kind == 2].tolist() == list(range(11, 25))
    assert stats.ignored == {"repeated book messages": 6, "repeated prints": 5}
    assert stats.instruments[BYBIT].resets == 0


def test_repeated_rows_of_prints(tmp_path: Path) -> None:
    """By number or by name, of every kind of file that has them; rows that have neither are all taken."""
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    rows = [f"bybit,BTCUSDT,{START}000,{START}001,{i},buy,100,1\n" for i in ("a", "b", "a", "7", "8", "7")]
    (tmp_path / "t.csv").write_text(head + "".join(rows))
    head = "timestamp,symbol,side,size,price"
    rows = [f"{START // 1000}.5,BTCUSDT,Buy,1,100" for _ in range(3)]
    (tmp_path / "named.csv").write_text("\n".join([f"{head},trdMatchID", *(f"{row},x" for row in rows), ""]))
    (tmp_path / "plain.csv").write_text("\n".join([head, *rows, ""]))
    (tmp_path / "trades.csv").write_text("".join(f"{i},100,1,100,{START},true\n" for i in (1, 2, 2)))
    (tmp_path / "aggTrades.csv").write_text(f"9,100,1,1,2,{START},true\n10,100,1,3,3,{START + 1},true\n")

    def count(reader: Any, *names: str) -> tuple[int, dict[str, int]]:
        stats = ImportStats()
        (batch,) = rows_of(reader, [tmp_path / name for name in names], stats).values()
        return batch.rows, dict(stats.ignored)

    assert count(tardis.read, "t.csv") == (4, {"repeated prints": 2})
    assert count(bybit_trades.read, "named.csv") == (1, {"repeated prints": 2})
    assert count(bybit_trades.read, "plain.csv") == (3, {})
    vision = partial(binance_vision.read, symbol="BTCUSDT")
    assert count(vision, "trades.csv") == (2, {"repeated prints": 1})
    assert count(vision, "trades.csv", "aggTrades.csv") == (3, {"repeated prints": 1, "aggTrade beside trade": 1})
