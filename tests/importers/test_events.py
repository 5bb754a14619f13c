"""Events that are no part of a book or of the prints, in captures: they cost no book and are counted by their names."""

from pathlib import Path
from typing import Any

import pytest

from sources.importers.stats import ImportStats
from tests.importers.captures import BTC, Capture, kinds, rows_of
from tests.importers.test_import_files import read_btc


@pytest.mark.parametrize(
    ("frame", "label"),
    [
        ({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}, "serverShutdown"),
        ({"e": "serverShutdown", "E": 1}, "serverShutdown"),
        ({"event": {"e": "serverShutdown", "E": 1}}, "serverShutdown"),
        ({"stream": "btcusdt@depth@0ms", "data": {"e": "newThing"}}, "newThing"),
        ({"e": "newThing"}, "newThing"),
        ({"result": None, "id": 1}, "control"),
        ({"stream": "!ticker@arr", "data": []}, "ticker@arr"),
        ({"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": 1, "data": {}}, "topics of another venue"),
    ],
)
def test_event_costs_no_book(tmp_path: Path, frame: dict[str, Any], label: str) -> None:
    capture = Capture()
    capture.snapshot()
    capture.delta()
    capture.line(frame)
    capture.delta()
    stats = ImportStats()
    batch = rows_of(read_btc, [capture.write(tmp_path / "capture.gz")], stats)[BTC]
    assert kinds(batch) == ["snapshot", "delta", "delta"]
    assert (stats.bad, stats.ignored) == (0, {label: 1})
