"""Captures of cryptofeed that hold Bybit's frames, in the layout of its own sample, against a plain reading."""

import gzip
import json
import re
from functools import partial
from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.importers import cryptofeed
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS
from sources.venues.registry import venue
from tests.importers.captures import START, check_invariants, kinds, rows_of, run

BTC, ETH = (Instrument("bybit_linear", f"{name}USDT") for name in ("BTC", "ETH"))
read = partial(cryptofeed.read, venue=venue("bybit_linear"))
CONTROL = [
    "wss://stream.bybit.com/v5/public/linear <-> 1699999999.8455276",
    'wss://stream.bybit.com/v5/public/linear <- 1699999999.9: {"op":"subscribe","args":["orderbook.50.BTCUSDT"]}',
    '1699999999.95: {"success":true,"ret_msg":"","conn_id":"a","req_id":"","op":"subscribe"}',
]


def book(ms: int, kind: str, number: int, symbol: str = "BTCUSDT", depth: int = 50) -> str:
    levels = {"s": symbol, "b": [[str(100 - number % 7), str(number)]], "a": [["201", "3"]], "u": number, "seq": ms}
    frame = {"topic": f"orderbook.{depth}.{symbol}", "type": kind, "ts": START + ms, "data": levels, "cts": START + ms}
    return f"1700000000.{ms:03d}25: {json.dumps(frame, separators=(',', ':'))}"


def prints(ms: int, symbol: str = "BTCUSDT") -> str:
    trade = {"T": START + ms, "s": symbol, "S": "Sell", "v": "0.5", "p": "100.5", "i": f"id-{ms}", "seq": ms}
    frame = {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": START + ms, "data": [trade]}
    return f"1700000000.{ms:03d}25: {json.dumps(frame, separators=(',', ':'))}"


def plain(lines: list[str], symbol: str) -> list[tuple[str, int, int, float, float]]:
    """Kind, receive time, side, price and size of every row of a symbol."""
    out = []
    for line in lines:
        seconds, _, text = line.partition(": ")
        if not re.fullmatch(r"\d+\.\d+", seconds) or "topic" not in text:
            continue
        frame, receive_ts = json.loads(text), int(seconds.replace(".", "").ljust(19, "0"))
        if not frame["topic"].endswith(f".{symbol}"):
            continue
        if frame["topic"].startswith("publicTrade"):
            for d in frame["data"]:
                side = 1 if d["S"] == "Buy" else -1
                out.append(("trade", receive_ts, side, float(d["p"]), float(d["v"])))
            continue
        for side, key in ((1, "b"), (-1, "a")):
            out += [(frame["type"], receive_ts, side, float(p), float(q)) for p, q in frame["data"][key]]
    return out


@pytest.mark.parametrize("packed", [False, True])
def test_books_and_prints_of_all_symbols(tmp_path: Path, packed: bool) -> None:
    lines = [*CONTROL, book(1, "snapshot", 10), book(2, "snapshot", 900, "ETHUSDT"), prints(3), book(4, "delta", 11),
             prints(5, "ETHUSDT"), book(6, "delta", 901, "ETHUSDT"), book(7, "delta", 12)]  # fmt: skip
    path = tmp_path / "BYBIT.ws.1.0"
    text = "\n".join([*lines, ""]).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    stats = ImportStats()
    rows = rows_of(read, [path], stats)
    assert set(rows) == {BTC, ETH}
    for instrument, batch in rows.items():
        check_invariants(batch)
        columns = (batch.receive_ts, batch.side, batch.price, batch.size)
        names = [KINDS[kind] for kind in batch.kind]
        assert list(zip(names, *(c.tolist() for c in columns), strict=True)) == plain(lines, instrument.symbol)
    assert (stats.bad, stats.ignored) == (0, {"control lines": 2, "control": 1})


def test_a_gap_and_a_second_depth(tmp_path: Path) -> None:
    """Of several depths of a symbol, which are numbered apart, one is taken."""
    lines = [book(1, "snapshot", 10), book(2, "snapshot", 70, depth=1), book(3, "delta", 11), book(4, "delta", 13),
             book(5, "delta", 14), book(6, "snapshot", 20), book(7, "delta", 21)]  # fmt: skip
    path = tmp_path / "BYBIT.ws.1.0"
    path.write_text("\n".join([*lines, ""]))
    stats = ImportStats()
    batch = rows_of(read, [path], stats)[BTC]
    check_invariants(batch)
    assert kinds(batch) == ["snapshot", "delta", "reset", "snapshot", "delta"]
    assert stats.ignored == {"orderbook.1 beside orderbook.50": 1}


def test_frames_of_another_venue_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BYBIT.ws.1.0"
    path.write_text('1700000000.1: {"stream":"btcusdt@depth","data":{"e":"depthUpdate","s":"BTCUSDT"}}\n')
    with pytest.raises(TickwaxError, match="nothing to import"):
        run(tmp_path / "tape", [path], read)
    path.write_text("\n".join([book(1, "snapshot", 10), book(2, "delta", 11), ""]))
    with pytest.raises(TickwaxError, match="nothing to import"):
        run(tmp_path / "tape", [path], partial(cryptofeed.read, venue=venue("binance_futures")))
