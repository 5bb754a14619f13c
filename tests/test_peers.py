"""The plain-Python features that benchmarks measure beside tickwax do the same work: they give the same rows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.peers.plain import PlainFeatures, ticks
from operators.config import SECOND, FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.schema import feature_schema
from sinks.row_format import arrow_schema, rows_to_arrow
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, concat, tape_batch


def tape(rows: int, start: int, first: int = 0) -> TapeBatch:
    """A snapshot of 30 levels a side, then messages of one level, trades, a step in time and now and then a reset."""
    random = np.random.default_rng(7)
    levels = np.arange(30)
    side = np.concatenate([np.ones(30), -np.ones(30), np.where(random.random(rows) < 0.5, 1, -1)])
    price = np.concatenate([1000 - levels, 1001 + levels, np.zeros(rows)])
    offset = random.integers(0, 34, rows)
    price[60:] = np.where(side[60:] > 0, 1000 - offset, 1001 + offset)
    kind = np.concatenate([np.full(60, SNAPSHOT), np.where(random.random(rows) < 0.2, TRADE, DELTA)])
    size = np.concatenate([np.full(60, 5.0), random.integers(0, 9, rows) / 4])
    size[60:][(kind[60:] == TRADE) & (size[60:] == 0)] = 1.0
    ts = start + np.concatenate([np.zeros(60, int), np.cumsum(random.integers(0, 60_000_000, rows))])
    last = np.ones(60 + rows, bool)
    last[:59] = False
    ordinal = first + np.arange(60 + rows)
    return tape_batch(ordinal=ordinal, exchange_ts=ts, receive_ts=ts + 1, sequence=ordinal, kind=kind, side=side,
                      price=price / 10, size=size, last=last)  # fmt: skip


@pytest.mark.parametrize("sampling", [100_000_000, 0])
def test_plain_python_gives_the_features_of_the_engine(sampling: int) -> None:
    # Short windows fill on a short tape; the smallest d has the fewest weights.
    config = FeatureConfig(
        sampling_ns=sampling, zscore_window=50, volatility_window=20, ffd_threshold=0.003, fdi_window=5
    )
    one = tape(1500, 1_700_000_000 * SECOND)
    reset = tape_batch(ordinal=[one.rows], exchange_ts=one.exchange_ts[-1:], receive_ts=one.receive_ts[-1:],
                       sequence=[0], kind=[RESET], side=[0], price=[0.0], size=[0.0], last=[True])  # fmt: skip
    later = tape(1500, int(one.exchange_ts[-1]) + 10 * SECOND, one.rows + 1)
    # Deltas between the reset and the next snapshot belong to no book.
    stray = later.slice(60, 200)._replace(ordinal=later.ordinal[:140], exchange_ts=later.exchange_ts[:140] - SECOND)
    two = concat([stray, later._replace(ordinal=later.ordinal + 140)])
    engine, plain = FeatureEngine(config), PlainFeatures(config)
    schema = feature_schema(config)
    arrow = arrow_schema(schema)
    theirs: list[list[Any]] = []
    ours: list[pa.RecordBatch] = []
    for batch in (one, reset, two):
        theirs += plain.process(ticks(batch))
        rows = engine.process(batch)
        ours += [rows_to_arrow(rows, schema, arrow)] if rows is not None else []
    table = pa.Table.from_batches(ours)
    assert table.num_rows == len(theirs) > 300
    assert max(table["warm"].to_pylist()) == 127
    for column, values in zip(schema.columns, zip(*theirs, strict=True), strict=True):
        mine = table[column.name]
        if column.type == "float64":
            # Plain running sums drift: a z-score of a nearly constant window shows it most.
            np.testing.assert_allclose(values, mine.to_numpy(), rtol=1e-6, atol=1e-9, err_msg=column.name)
        elif column.type == "timestamp":
            assert list(values) == mine.cast(pa.int64()).to_pylist()
        else:
            assert list(values) == mine.to_pylist(), column.name
