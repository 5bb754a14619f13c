"""Prints that are not from the book: no importer records them, and each counts them by what they are."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataflows.command_line.verbs import app
from sources.importers import bybit_archive, cryptofeed
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import TRADE
from sources.venues.registry import venue
from tests.importers.captures import BTC, START, Capture, rows_of

BYBIT = Instrument("bybit_linear", "BTCUSDT")


def imported(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["import", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.replace("\n  ", " ")


def test_hftbacktest_capture(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot()
    for n, fields in enumerate(({}, {"X": "RPI"}, {"X": "ADL"}, {"X": "NA", "p": "0", "q": "0"}, {"q": "0"},
                                {"X": "NEW_KIND"}, {"X": "NEW_KIND"})):  # fmt: skip
        capture.trade(t=n, **fields)
        capture.delta()
    path = capture.write(tmp_path / "capture.gz")
    text = imported("hftbacktest", str(path), "--symbol", "BTCUSDT", "--tape", str(tmp_path / "tape"))
    for label in ("print X=NEW_KIND 2", "print X=ADL 1", "print X=NA 1", "print of size 0 1"):
        assert label in text
    assert "bad:" not in text


def test_cryptofeed_capture(tmp_path: Path) -> None:
    data = {"e": "trade", "E": START, "T": START, "s": "BTCUSDT", "p": "100.0", "q": "0.5", "m": False}
    kinds = ("MARKET", "INSURANCE_FUND", "RPI", "BEYOND")
    lines = [json.dumps({"stream": "btcusdt@trade", "data": data | {"t": n, "X": x}}) for n, x in enumerate(kinds)]
    (tmp_path / "ws").write_text("".join(f"{START // 1000}.{n}: {line}\n" for n, line in enumerate(lines)))
    stats = ImportStats()
    read = lambda *given: cryptofeed.read(*given, venue=venue("binance_futures"))  # noqa: E731
    batch = rows_of(read, [tmp_path / "ws"], stats)[BTC]
    assert batch.sequence[batch.kind == TRADE].tolist() == [0, 2]
    assert stats.ignored == {"print X=INSURANCE_FUND": 1, "print X=BEYOND": 1}


def archive(folder: Path, prints: list[dict[str, Any]]) -> Path:
    """A Bybit archive with a book and one frame of trades."""
    book = {"topic": "orderbook.500.BTCUSDT", "ts": START, "type": "snapshot", "cts": START,
            "data": {"s": "BTCUSDT", "b": [["100", "1"]], "a": [["101", "1"]], "u": 5, "seq": 1}}  # fmt: skip
    one = {"T": START, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "100.5", "L": "PlusTick", "seq": 9, "RPI": False}
    data = [one | {"i": str(n), "BT": False} | edit for n, edit in enumerate(prints)]
    trades = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": START + 1, "data": data}
    path = folder / "2023-11-14_BTCUSDT_ob500.data.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(path.stem, "".join(json.dumps(frame) + "\n" for frame in (book, trades)))
    return path


def test_bybit_archive(tmp_path: Path) -> None:
    block = {"BT": True, "v": "100", "p": "97"}
    path = archive(tmp_path, [{}, block, {"RPI": True}, block, block])
    text = imported("bybit-archive", str(path), "--tape", str(tmp_path / "tape"))
    assert "ignored: block trades 3" in text
    batch = rows_of(bybit_archive.read, [path])[BYBIT]
    assert batch.size[batch.kind == TRADE].tolist() == [0.5, 0.5]


def test_bybit_capture_of_a_collector(tmp_path: Path) -> None:
    path = archive(tmp_path, [{}, {"BT": True, "v": "100", "p": "97"}])
    with zipfile.ZipFile(path) as file:
        frames = file.read(path.stem).splitlines()
    capture = tmp_path / "btcusdt.gz"
    capture.write_bytes(gzip.compress(b"".join(b"%d000000 %b\n" % (START + n, f) for n, f in enumerate(frames))))
    name = ("--symbol", "BTCUSDT", "--venue", "bybit_linear")
    text = imported("hftbacktest", str(capture), *name, "--tape", str(tmp_path / "tape"))
    assert "ignored: block trades 1" in text


@pytest.mark.parametrize("edit", [{"BT": True}, {"v": "0"}])
def test_a_print_that_is_dropped_is_no_message_of_the_summary(tmp_path: Path, edit: dict[str, Any]) -> None:
    stats = ImportStats()
    rows_of(bybit_archive.read, [archive(tmp_path, [{}, edit])], stats)
    assert (stats.of(BYBIT).frames, stats.of(BYBIT).trades, stats.bad) == (2, 1, 0)
