"""Tape rows for the tests of journals, and how they are written and read back."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sinks.journal import JournalWriter
from sinks.tape import tape_form
from sinks.write_ahead_log import Rotation, WriteAheadLog
from sources.instrument import Instrument
from sources.tape.batch import DELTA, SNAPSHOT, InstrumentBatch, TapeBatch, concat, tape_batch
from sources.tape.layout import data_files, workplace
from sources.tape.reader import TapeReader

BTC, ETH, SOL = (Instrument("binance_futures", f"{name}USDT") for name in ("BTC", "ETH", "SOL"))
DAY = 86_400_000_000_000
FORM = tape_form()


def rows(first: int, count: int, day: int = 0) -> TapeBatch:
    """Tape rows whose every column follows from their ordinals."""
    n = np.arange(first, first + count)
    return tape_batch(
        ordinal=n, exchange_ts=n + 1 + day * DAY, receive_ts=n + 2 + day * DAY, sequence=n * 3,
        kind=np.where(n == 0, SNAPSHOT, DELTA), side=np.where(n % 2, 1, -1), price=1 + np.sqrt(n), size=n / 7,
        last=n % 3 == 2,
    )  # fmt: skip


def append(writer: JournalWriter | WriteAheadLog, *items: tuple[Instrument, TapeBatch]) -> None:
    writer.append((str(instrument), FORM.arrays(InstrumentBatch(instrument, batch))) for instrument, batch in items)


def assert_same(found: TapeBatch, expected: TapeBatch) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def tape(root: Path, instrument: Instrument) -> TapeBatch:
    return concat(list(TapeReader(root, instrument).batches()))


def in_files(root: Path, instrument: Instrument) -> list[int]:
    """Ordinals as anybody reads them."""
    return sorted(
        n for path in data_files(root, instrument) for n in pq.ParquetFile(path).read()["ordinal"].to_pylist()
    )


def split(batch: TapeBatch) -> list[TapeBatch]:
    """In 40 parts."""
    cuts = np.linspace(0, batch.rows, 41).astype(int).tolist()
    return [batch.slice(a, b) for a, b in pairwise(cuts)]


def open_log(root: Path, clock=lambda: 0.0, **rotation: float) -> WriteAheadLog:
    """``done``: rows of what has become files."""
    workplace(root).mkdir(parents=True, exist_ok=True)
    done: list[int] = []
    made = WriteAheadLog(
        root, FORM, "run-0", Rotation(**rotation), clock, lambda compacted: done.append(compacted.rows)
    )
    made.done = done
    return made
