"""The operator inside a dataflow, as a user puts it together."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import bytewax.operators as op
import numpy as np
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, cluster_main, run_main
from hypothesis import given

from operators.config import SECOND, FeatureConfig
from operators.feature_engine import FeatureEngine, Memory
from operators.feature_step import features
from operators.level_blocks import Book, sides
from operators.row_batch import TS, RowBatch, concat_rows
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch, TapeBatch
from tests.operators.columns import run, same_bits
from tests.oracle.script import Script
from tests.strategies import tapes as any_tapes

CONFIG = FeatureConfig(sampling_ns=SECOND, windows=(("2s", 2 * SECOND),), depths=(1,), fdi_interval_ns=SECOND)


def tape(price: float) -> TapeBatch:
    script = Script()
    script.snapshot(10 * SECOND, bids=[(price, 1.0)], asks=[(price + 1, 1.0)])
    for i in range(1, 8):
        script.delta(10 * SECOND + i * SECOND // 2, bids=[(price, 1.0 + i)])
    return script.batch()


def run_flow(items: list[tuple[str, InstrumentBatch]], workers: int) -> dict[str, RowBatch | None]:
    flow = Dataflow("test")
    out: list[tuple[str, RowBatch]] = []
    up = op.input("in", flow, TestingSource(items, batch_size=2))
    op.output("out", features("features", up, lambda instrument: FeatureEngine(CONFIG)), TestingSink(out))
    if workers == 1:
        run_main(flow)
    else:
        cluster_main(flow, [], 0, worker_count_per_proc=workers)
    parts = defaultdict(list)
    for key, rows in out:
        parts[key].append(rows)
    return {key: concat_rows(rows) for key, rows in parts.items()}


@pytest.mark.parametrize("workers", [1, 2])
def test_each_instrument_gets_its_own_features(workers: int) -> None:
    tapes = {Instrument("binance_futures", name): tape(price) for name, price in (("A", 10.0), ("B", 20.0), ("C", 5.0))}
    items = [
        (str(instrument), InstrumentBatch(instrument, batch.slice(start, start + 3)))
        for start in range(0, 9, 3)
        for instrument, batch in tapes.items()
    ]
    got = run_flow(items, workers)
    assert set(got) == {str(i) for i in tapes}
    for instrument, batch in tapes.items():
        rows = got[str(instrument)]
        assert rows is not None
        assert rows.integer[TS].tolist() == [10 * SECOND, 11 * SECOND, 12 * SECOND, 13 * SECOND]
        assert same_bits(rows, run([batch], CONFIG))


def test_the_end_of_the_input_completes_no_row() -> None:
    """The grid row that is pending when the tape ends is never emitted: a longer tape might still have changed it."""
    batch = tape(10.0)
    instrument = Instrument("bybit_linear", "A")
    rows = run_flow([(str(instrument), InstrumentBatch(instrument, batch))], 1)[str(instrument)]
    assert rows is not None
    assert rows.integer[TS, -1] < batch.exchange_ts[-1]


def test_the_end_of_a_tape_is_told_and_its_memory_is_that_of_the_next() -> None:
    memory: Memory = []
    flow = Dataflow("test")
    out: list[tuple[str, RowBatch]] = []
    tapes = {Instrument("bybit_linear", name): tape(price) for name, price in (("A", 10.0), ("B", 20.0), ("C", 5.0))}
    items = [
        (str(i), InstrumentBatch(i, batch.slice(start, start + 3), ended=start + 3 >= batch.rows))
        for i, batch in tapes.items()
        for start in range(0, batch.rows, 3)
    ]
    made: list[FeatureEngine] = []

    def make(instrument: Instrument) -> FeatureEngine:
        made.append(FeatureEngine(CONFIG, memory=memory))
        return made[-1]

    up = op.input("in", flow, TestingSource(items, batch_size=1))
    op.output("out", features("features", up, make), TestingSink(out))
    run_main(flow)
    assert len(made) == 3
    assert len(memory) == 1
    for instrument, batch in tapes.items():
        *rows, end = [rows for key, rows in out if key == str(instrument)]
        assert end.rows == 0
        assert same_bits(concat_rows(rows), run([batch], CONFIG))


@given(any_tapes())
def test_memory_that_was_used_is_as_new(batch: TapeBatch) -> None:
    memory: Memory = []
    used = FeatureEngine(CONFIG, memory=memory)
    used.process(batch)
    quality = used.quality
    used.end()
    assert used.quality == quality
    again, new = FeatureEngine(CONFIG, memory=memory), FeatureEngine(CONFIG)
    assert not memory
    assert all(not key.size for key, _ in sides(again._state.book))
    for a, b in zip(_arrays(again._state), _arrays(new._state), strict=True):
        assert a.ravel()[: b.size].tobytes() == b.tobytes()
        assert not a.ravel()[b.size :].any()
    assert same_bits(again.process(batch), new.process(batch))
    assert again.quality == new.quality


def _arrays(part: Any) -> Iterator[np.ndarray]:
    if isinstance(part, Book):  # whose blocks lie as they were left
        return
    if isinstance(part, tuple):
        for each in part:
            yield from _arrays(each)
    else:
        yield part
