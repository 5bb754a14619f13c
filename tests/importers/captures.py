"""Small captures, written frame by frame."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataflows.assembly.importing import ImportResult, Reader, import_files
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.batch import KINDS, InstrumentBatch, TapeBatch, concat, is_derivative
from sources.tape.builder import TapeTail
from sources.tape.validation import GOOD, first_fault

START = 1_700_000_000_000  # ms
BTC = Instrument("binance_futures", "BTCUSDT")


class Capture:
    """A futures capture in the making; every frame comes a millisecond after the one before."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.final = 100
        self.ms = START

    def line(self, frame: Any) -> None:
        """A line with the next receive time."""
        self.ms += 1
        json_bytes = frame if isinstance(frame, bytes) else json.dumps(frame, separators=(",", ":")).encode()
        self.lines.append(b"%d000000 %s" % (self.ms, json_bytes))

    def snapshot(self) -> None:
        """The REST book, as of the last delta."""
        self.line({"lastUpdateId": self.final, "E": self.ms, "T": self.ms,
                   "bids": [["99.5", "1"], ["99.0", "2"]], "asks": [["100.5", "3"]]})  # fmt: skip

    def delta(self, symbol: str = "BTCUSDT", **fields: Any) -> None:
        """The next delta of the chain."""
        data = {"e": "depthUpdate", "E": self.ms, "T": self.ms, "s": symbol, "U": self.final + 1,
                "u": self.final + 3, "pu": self.final, "b": [["99.5", "1.25"]], "a": [["100.5", "0"]]}  # fmt: skip
        self.final += 3
        self.line({"stream": f"{symbol.lower()}@depth@0ms", "data": data | fields})

    def trade(self, symbol: str = "BTCUSDT", **fields: Any) -> None:
        """A print."""
        data = {"e": "trade", "E": self.ms, "T": self.ms, "s": symbol, "t": self.ms, "p": "100.0", "q": "0.5",
                "X": "MARKET", "m": False}  # fmt: skip
        self.line({"stream": f"{symbol.lower()}@trade", "data": data | fields})

    def ticker(self) -> None:
        """A frame that is not recorded."""
        self.line({"stream": "btcusdt@bookTicker", "data": {"e": "bookTicker", "u": self.final}})

    def write(self, path: Path) -> Path:
        """Write the file, packed if its name says so."""
        text = b"".join(line + b"\n" for line in self.lines)
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
        return path


def rows_of(reader: Reader, paths: Sequence[Path], stats: ImportStats | None = None) -> dict[Instrument, TapeBatch]:
    """All rows of an import onto empty tapes."""
    batches: dict[Instrument, list[TapeBatch]] = {}
    items: Iterator[InstrumentBatch] = reader(paths, lambda _: TapeTail(), stats or ImportStats(), lambda _: None)
    for item in items:
        batches.setdefault(item.instrument, []).append(item.batch)
    return {instrument: concat(parts) for instrument, parts in batches.items()}


def kinds(batch: TapeBatch) -> list[str]:
    """Kind of every message."""
    return [KINDS[kind] for kind in batch.kind[batch.last]]


def run(
    tape: Path, paths: Sequence[Path], reader: Reader, instrument: Instrument | None = None, kind: str = ""
) -> ImportResult:
    """Import onto a tape on disk."""
    return import_files(tape, paths, reader, instrument, kind=kind)


def check_invariants(batch: TapeBatch, first_ordinal: int = 0) -> None:
    """What holds of every tape (docs/tape.md, 2)."""
    assert first_fault(batch, first_ordinal - 1)[1] == GOOD
    names = np.array(KINDS)[batch.kind]
    assert np.array_equal(batch.ordinal, np.arange(first_ordinal, first_ordinal + batch.rows))
    assert batch.last[-1]
    start = np.append(True, batch.last[:-1])
    for column in (batch.exchange_ts, batch.receive_ts, batch.sequence, batch.kind):
        assert np.array_equal(column[1:][~start[1:]], column[:-1][~start[1:]])  # a message's rows are alike
    known = False
    for kind in names[start & ~is_derivative(batch.kind)]:
        assert kind != "delta" or known
        assert kind != "reset" or known or first_ordinal
        known = kind == "snapshot" or (known and kind != "reset")
    book = (names == "snapshot") | (names == "delta")
    market = book | (names == "trade")
    assert np.isin(batch.side[market], [-1, 1]).all()
    assert (batch.price[market] > 0).all()
    assert (batch.size[book] >= 0).all()
    assert (batch.size[names == "trade"] > 0).all()
    assert not batch.price[names == "reset"].any()
