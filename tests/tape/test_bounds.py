"""Whatever is recorded can be read: writers and readers share one predicate for every column."""

import gzip
import json
import math
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.feed_handler import FeedHandler
from sources.importers import (
    binance_vision,
    bybit_archive,
    bybit_capture,
    bybit_trades,
    cryptofeed,
    files,
    hftbacktest,
    tardis,
)
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.messages import BadFrame, TradeMessage
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, RESET, TRADE, TapeBatch, concat
from sources.tape.bounds import END_OF_TIME, LARGEST, is_price, is_sequence, is_size, is_time
from sources.tape.builder import TapeBuilder, TapeTail
from sources.tape.collected import Levels
from sources.tape.validation import GOOD, PRICE, SIDE, SIZE, describe, first_fault
from sources.venues.binance_futures.decoder import decoder as futures
from sources.venues.binance_spot.decoder import decoder as spot
from sources.venues.bybit_linear.decoder import decoder as bybit
from sources.venues.registry import venue
from tests.importers.captures import BTC, START, Capture, rows_of
from tests.importers.test_tardis import BOOK, TRADES, book, trade
from tests.importers.test_tardis import START as TARDIS_START
from tests.importers.test_tardis import write as write_lines

MS = 1_000_000
NOW = START * MS
BYBIT = Instrument("bybit_linear", "BTCUSDT")


def readable(batch: TapeBatch) -> bool:
    return bool(first_fault(batch, int(batch.ordinal[0]) - 1)[1] == GOOD)


def test_the_predicates_at_their_bounds() -> None:
    above = float(np.nextafter(LARGEST, math.inf))
    assert [bool(is_time(t)) for t in (-1, 0, 1, END_OF_TIME - 1, END_OF_TIME)] == [False, False, True, True, False]
    assert [bool(is_price(x)) for x in (-1.0, 0.0, 5e-324, LARGEST, above, math.inf, math.nan)] == [
        *(False, False, True, True, False, False, False)
    ]
    assert [bool(is_size(x)) for x in (-5e-324, 0.0, LARGEST, above, math.nan)] == [False, True, True, False, False]
    assert [bool(is_sequence(n)) for n in (-1, 0, 2**63 - 1)] == [False, True, True]
    assert is_time(np.array([0, 5, END_OF_TIME])).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("kind", "row", "fault"),
    [
        (MARK, (0, 1.0, 0.0), GOOD),
        (MARK, (1, 1.0, 1.0), SIDE),
        (MARK, (0, 0.0, 1.0), PRICE),
        (MARK, (0, 1.0, -1.0), SIZE),
        (FUNDING, (0, -1e-4, 8.0), GOOD),
        (FUNDING, (0, math.nan, 8.0), PRICE),
        (FUNDING, (0, 0.0, math.inf), SIZE),
        (OPEN_INTEREST, (0, 0.0, 5.0), GOOD),
        (OPEN_INTEREST, (0, 1.0, 5.0), PRICE),
        (OPEN_INTEREST, (0, 0.0, math.nan), SIZE),
        (LIQUIDATION, (-1, 1.0, 5.0), GOOD),
        (LIQUIDATION, (0, 1.0, 5.0), SIDE),
        (LIQUIDATION, (1, -1.0, 5.0), PRICE),
        (LIQUIDATION, (1, 1.0, 0.0), SIZE),
    ],
)
def test_what_a_derivative_may_hold(kind: int, row: tuple[int, float, float], fault: int) -> None:
    builder = TapeBuilder()
    builder.derivative(kind, 1, 1, 0, *row)
    batch = builder.take()
    assert batch is not None
    at, found = first_fault(batch, -1)
    assert found == fault
    assert fault == GOOD or describe(batch, at, found, -1)


# What a field may hold, good values among them; None leaves the frame as it is.
TIMES = (None, None, 0, 1, -1, 2**62 // MS, 2**63 // MS - 1, 2**63 // MS, 2**63 - 1)
IDS = (None, None, 0, -1, 2**63 - 1, 2**63)
NUMBERS = (None, None, "0", "-1", "1e155", "1000000000000000", "1000000000000001", "NaN", "1e-320", "1e-400", "", 5)
RECEIVED = (NOW, NOW, 1, END_OF_TIME - 1, END_OF_TIME, 0)


def binance_frames(t: Any, number: Any, price: Any, size: Any) -> list[dict[str, Any]]:
    level = [["99" if price is None else price, "1" if size is None else size]]
    when = {"E": START, "T": START} if t is None else {"E": t, "T": t}
    final = 20 if number is None else number
    depth = {"e": "depthUpdate", "s": "BTCUSDT", "U": 11, "u": final, "pu": 10, "b": level, "a": [], **when}
    one = {"e": "trade", "s": "BTCUSDT", "t": final, "p": level[0][0], "q": level[0][1], "m": False, **when}
    return [{"stream": "btcusdt@depth@100ms", "data": depth}, {"stream": "btcusdt@trade", "data": one}]


def spot_frames(*fields: Any) -> list[dict[str, Any]]:
    depth, one = binance_frames(*fields)
    del depth["data"]["pu"]
    return [depth, one]


def bybit_frames(t: Any, number: Any, price: Any, size: Any) -> list[dict[str, Any]]:
    level = [["99" if price is None else price, "1" if size is None else size]]
    when = START if t is None else t
    number = 11 if number is None else number
    data = {"s": "BTCUSDT", "b": level, "a": [], "u": number, "seq": number}
    one = {"T": when, "s": "BTCUSDT", "S": "Buy", "v": level[0][1], "p": level[0][0], "i": "x", "seq": number}
    return [
        {"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": when, "data": data, "cts": when},
        {"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": when, "data": data, "cts": when},
        {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": when, "data": [one]},
    ]


VENUES: dict[str, tuple[Any, Callable[..., list[dict[str, Any]]]]] = {
    "binance_futures": (futures, binance_frames),
    "binance_spot": (spot, spot_frames),
    "bybit_linear": (bybit, bybit_frames),
}


@pytest.mark.parametrize("name", VENUES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_what_a_decoder_lets_through_is_read(name: str, data: st.DataObject) -> None:
    make, frames_of = VENUES[name]
    decode = make()
    feed = FeedHandler(venue(name).sequencer(), TapeBuilder(TapeTail(0, START, 9, False, False)))
    levels = Levels(np.array([1, -1], np.int8), np.array([98.0, 102.0]), np.ones(2))
    feed.builder.snapshot(NOW, NOW, 10, levels)
    for _ in range(data.draw(st.integers(1, 4))):
        drawn = [data.draw(st.sampled_from(choice)) for choice in (TIMES, IDS, NUMBERS, NUMBERS)]
        receive_ts = data.draw(st.sampled_from(RECEIVED))
        raws = [json.dumps(frame, separators=(",", ":")).encode() for frame in frames_of(*drawn)]
        for message in decode.decode([(receive_ts, raw) for raw in raws]):
            if isinstance(message, BadFrame):
                feed.builder.reset(message.receive_ts)  # what a loss costs is a row, too
            elif isinstance(message, TradeMessage):
                if not message.off_book:
                    feed.trade(message)
            elif message.kind == 0:
                feed.builder.snapshot(message.exchange_ts, message.receive_ts, message.final, message.levels)
            elif feed.builder.tail.book_known:
                feed.builder.delta(message.exchange_ts, message.receive_ts, message.final, message.levels)
    batch = feed.builder.take()
    assert batch is not None
    assert readable(batch)


@pytest.mark.parametrize("name", VENUES)
def test_time_0_is_a_bad_frame_that_says_so(name: str) -> None:
    make, frames_of = VENUES[name]
    good = make().decode([(NOW, json.dumps(f).encode()) for f in frames_of(None, None, None, None)])
    assert not any(isinstance(m, BadFrame) for m in good)
    bad = make().decode([(NOW, json.dumps(f).encode()) for f in frames_of(0, None, None, None)])
    assert len(bad) == len(good)
    for message in bad:
        assert isinstance(message, BadFrame)
        assert message.reason == "exchange time 0 ns is not between 1970 and 2116"


def test_an_import_counts_prints_and_books_of_time_0(tmp_path: Path) -> None:
    """In the kernel's way of reading and in the decoder's: the second kind of frame has its keys in another order."""
    capture = Capture()
    capture.delta()
    capture.snapshot()
    capture.delta()
    for fields in ({"T": 0}, {"T": 0, "zzz": [1]}, {}):
        capture.trade(**fields)
    capture.delta(T=0)
    capture.delta()
    stats = ImportStats()
    read = partial(hftbacktest.read, instrument=BTC)
    batch = rows_of(read, [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert readable(batch)
    assert (batch.kind == TRADE).sum() == 1
    assert (batch.kind == RESET).sum() == 1
    assert stats.bad == 3


@pytest.mark.parametrize("time", ["0000000000000", "9999999999999"])
def test_a_line_whose_receive_time_is_none_is_bad(tmp_path: Path, time: str) -> None:
    capture = Capture()
    capture.delta()
    capture.snapshot()
    capture.delta()
    capture.trade()
    capture.lines[-1] = time.encode() + b"000000" + capture.lines[-1][19:]
    stats = ImportStats()
    batch = rows_of(partial(hftbacktest.read, instrument=BTC), [capture.write(tmp_path / "a.gz")], stats)[BTC]
    assert readable(batch)
    assert stats.bad == 1
    assert (batch.kind == RESET).sum() == 1  # the line may have been anything
    assert batch.receive_ts[-1] == batch.receive_ts[-2]


def test_cryptofeed(tmp_path: Path) -> None:
    good, bad = ([json.dumps(f) for f in binance_frames(t, None, None, None)] for t in (None, 0))
    times = (*(START // 1000,) * 3, "0000000000", START // 1000)
    lines = zip(times, (good[1], *bad, good[1], good[1]), strict=True)
    (tmp_path / "ws").write_text("".join(f"{time}.5: {frame}\n" for time, frame in lines))
    stats = ImportStats()
    read = lambda *given: cryptofeed.read(*given, venue=venue("binance_futures"))  # noqa: E731
    batch = rows_of(read, [tmp_path / "ws"], stats)[BTC]
    assert readable(batch)
    assert stats.bad == 3
    assert (batch.kind == TRADE).sum() == 1
    assert stats.ignored == {"repeated prints": 1}  # the same frame once more


def test_bybit_archive(tmp_path: Path) -> None:
    good, bad = ([json.dumps(f) for f in bybit_frames(t, None, None, None)] for t in (None, 0))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.data", "\n".join((*good[1:], *bad, *good[1:])))
    stats = ImportStats()
    batch = rows_of(lambda *given: bybit_archive.read(*given, category="linear"), [tmp_path / "a.zip"], stats)[BYBIT]
    assert readable(batch)
    assert stats.bad == 3
    assert (batch.kind == TRADE).sum() == 1
    assert stats.ignored["repeated prints"] == 1  # the same frame once more
    assert (batch.kind == RESET).sum() == 1


@pytest.mark.parametrize("zero", ["0000000000000", "0000000000000000", "9999999999999"])
def test_binance_vision(tmp_path: Path, zero: str) -> None:
    good = [f"{n},100.5,0.25,25.125,{START + n},true" for n in range(3)]
    bad = [f"9,100.5,0.25,25.125,{zero},true", f"9,1e155,0.25,25.125,{START + 9},true"]
    path = write_lines(tmp_path / "BTCUSDT-trades-2023-11-14.csv", *good[:2], *bad, good[2])
    stats = ImportStats()
    batch = rows_of(partial(binance_vision.read, symbol="BTCUSDT"), [path], stats)[BTC]
    assert readable(batch)
    assert (stats.bad, batch.rows) == (2, 3)


@pytest.mark.parametrize("zero", ["0000000000", "0000000000.000", "9999999999.5"])
def test_bybit_trades(tmp_path: Path, zero: str) -> None:
    rows = [f"{at},BTCUSDT,Buy,1,100" for at in (START // 1000, zero, START // 1000 + 1)]
    path = write_lines(tmp_path / "BTCUSDT2023-11-14.csv", "timestamp,symbol,side,size,price", *rows)
    stats = ImportStats()
    batch = rows_of(bybit_trades.read, [path], stats)[BYBIT]
    assert readable(batch)
    assert (stats.bad, batch.rows) == (1, 2)


def test_tardis(tmp_path: Path) -> None:
    zero = "0" * 16
    rows = [*TARDIS_START, book(20, "99", "2"), book(30, "99", "3").replace("1700000000000029", zero)]
    books = write_lines(tmp_path / "b.csv", BOOK, *rows)
    late = trade(25).replace("1700000000000024", zero).replace("1700000000000025", zero)
    prints = write_lines(tmp_path / "t.csv", TRADES, trade(5), late, trade(40))
    stats = ImportStats()
    batch = rows_of(tardis.read, [books, prints], stats)[BTC]
    assert readable(batch)
    assert (batch.kind == TRADE).sum() == 2
    assert stats.bad == 2
    assert (batch.kind == RESET).sum() == 1


def test_a_loss_that_has_no_time_has_that_of_the_row_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture's block that begins with a line without a receive time: the time of the line before is not at hand."""
    monkeypatch.setattr(files, "BLOCK_BYTES", 300)
    frames = [json.dumps(f) for f in bybit_frames(None, None, None, None)]
    lines = [f"{NOW + n} {frames[1]}" for n in range(4)] + ["no time at all " + "x" * 400] + [f"{NOW + 9} {frames[1]}"]
    (tmp_path / "a.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    batch = rows_of(partial(bybit_capture.read, instrument=BYBIT), [tmp_path / "a.gz"])[BYBIT]
    assert readable(batch)
    resets = batch.receive_ts[batch.kind == RESET]
    assert resets.tolist() == [NOW + 3]


def test_before_the_first_row_of_an_appended_tape_a_loss_without_time_waits() -> None:
    builder = TapeBuilder(TapeTail(5, NOW, 4, True, False))
    builder.reset(0)
    builder.trade(NOW, NOW + 1, 1, 1, 99.0, 1.0)
    batch = builder.take()
    assert batch is not None
    assert batch.kind.tolist() == [RESET, TRADE]
    assert batch.receive_ts.tolist() == [NOW + 1, NOW + 1]
    assert readable(concat([batch]))
