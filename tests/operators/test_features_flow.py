"""The operator inside a dataflow, as a user puts it together."""

from collections import defaultdict

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, cluster_main, run_main

from operators.config import SECOND, FeatureConfig
from operators.features import FeatureEngine, FeatureRows, concat_rows, features
from operators.rows import TS
from sources.events import InstrumentBatch, TapeBatch
from sources.instrument import Instrument
from tests.operators.columns import run, same_bits
from tests.oracle.script import Script

CONFIG = FeatureConfig(sampling_ns=SECOND, windows=(("2s", 2 * SECOND),), depths=(1,), fdi_interval_ns=SECOND)


def tape(price: float) -> TapeBatch:
    script = Script()
    script.snapshot(10 * SECOND, bids=[(price, 1.0)], asks=[(price + 1, 1.0)])
    for i in range(1, 8):
        script.delta(10 * SECOND + i * SECOND // 2, bids=[(price, 1.0 + i)])
    return script.batch()


def run_flow(items: list[tuple[str, InstrumentBatch]], workers: int) -> dict[str, FeatureRows | None]:
    flow = Dataflow("test")
    out: list[tuple[str, FeatureRows]] = []
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
