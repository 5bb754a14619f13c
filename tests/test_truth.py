"""Against truth: rebuilt books beside what the exchange itself published at the same moment."""

import gzip
import json
import time
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dataflows.assembly.importing import import_files
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import concat_rows
from operators.schema import ROW_ORDINAL, feature_columns
from simulator.thread import simulator_thread
from sources.importers import hftbacktest
from sources.instrument import Instrument
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import processes
from tests.markets import market

Quote = tuple[float, float, float, float]  # bid price and size, ask price and size


def published(capture: Path) -> Iterator[tuple[int, Quote]]:
    """The exchange's own best quotes (`bookTicker`) by update id."""
    with gzip.open(capture, "rt") as lines:
        for line in lines:
            if "bookTicker" in line:
                d = json.loads(line.partition(" ")[2])["data"]
                yield d["u"], (float(d["b"]), float(d["B"]), float(d["a"]), float(d["A"]))


def rebuilt(tape: Path, instrument: Instrument) -> dict[int, Quote]:
    """Best quotes of the rebuilt book by update id: every tape row through the features' own engine."""
    config = FeatureConfig(sampling_ns=0, ffd_threshold=0.5)
    engine = FeatureEngine(config)
    batches = list(TapeReader(tape, instrument).batches())
    rows = concat_rows([r for batch in batches if (r := engine.process(batch)) is not None])
    assert rows is not None
    sequence = {int(o): int(s) for b in batches for o, s in zip(b.ordinal, b.sequence, strict=True)}
    at = {c.name: c.row for c in feature_columns(config) if c.type == "float64"}
    quotes = zip(*(rows.value[at[name]] for name in ("bid_price", "bid_size", "ask_price", "ask_size")), strict=True)
    return {sequence[int(o)]: quote for o, quote in zip(rows.integer[ROW_ORDINAL], quotes, strict=True)}


def beside(book: dict[int, Quote], quotes: dict[int, Quote]) -> list[tuple[Quote, Quote]]:
    """Published and rebuilt quote after each update u; a published one holds until the next: the newest not after u."""
    ids = sorted(quotes)
    return [(quotes[ids[n - 1]], book[u]) for u in book if (n := bisect_right(ids, u)) and n < len(ids)]


@pytest.mark.parametrize(("symbol", "comparable"), [("BTCUSDT", 6546), ("ETHUSDT", 6578)])
def test_best_quotes_equal_the_published_ones_at_every_comparable_update(
    market_data: Path, tmp_path: Path, symbol: str, comparable: int
) -> None:
    capture = market_data / "binance_usdm" / f"{symbol.lower()}_20240808.gz"
    instrument = Instrument("binance_futures", symbol)
    import_files(tmp_path, [capture], partial(hftbacktest.read, instrument=instrument), instrument)
    book = rebuilt(tmp_path, instrument)
    compared = beside(book, dict(published(capture)))
    assert len(compared) >= comparable
    assert sum(theirs != ours for theirs, ours in compared) == 0


@pytest.mark.soak
def test_the_live_path_rebuilds_the_published_quotes(market_data: Path, tmp_path: Path) -> None:
    """Both captures played by the simulated exchange, forty times as fast, through sockets, sequencer and tape."""
    symbols = ("BTCUSDT", "ETHUSDT")
    captures = {s: market_data / "binance_usdm" / f"{s.lower()}_20240808.gz" for s in symbols}
    config = market(captures=tuple(captures.values()), speed=40.0)
    with simulator_thread(config, time.time_ns) as exchange, processes() as start:
        settings = {**exchange.addresses, "tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}
        symbol_list = json.dumps([f"binance_futures:{s}" for s in symbols])
        process = start({**settings, "symbols": symbol_list, "duration": "12s"}, "-m", "bytewax.run", "dataflows.live")
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    for symbol, capture in captures.items():
        book = rebuilt(tmp_path / "tape", Instrument("binance_futures", symbol))
        compared = beside(book, dict(published(capture)))
        assert len(compared) > 1000
        assert sum(theirs != ours for theirs, ours in compared) == 0
