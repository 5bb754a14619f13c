"""Rows of derivatives change nothing but the features that are asked of them (docs/tape.md, 2.3)."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.bar_engine import BarConfig, BarEngine
from operators.config import FeatureConfig
from operators.inspection_engine import InspectionConfig, InspectionEngine
from operators.longest_segment import SegmentSampler
from operators.row_batch import RowBatch
from operators.schema import feature_columns
from sources.latency import Latency
from sources.tape.batch import KINDS, TapeBatch, market_rows
from tests.operators.columns import run, same_bits
from tests.strategies import cases, split, splits, tapes, with_derivatives


@given(st.data())
def test_no_feature_changes_a_bit(data: st.DataObject) -> None:
    config, tape = data.draw(cases())
    mixed = data.draw(with_derivatives(tape))
    config = replace(config, derivatives=False)
    rows = run(split(mixed, data.draw(splits(mixed.rows))), config)
    assert same_bits(rows, run([market_rows(mixed)], config))
    more = replace(config, derivatives=True)
    by_column = {c.name: (c, r) for c, r in zip(feature_columns(config), columns_of(rows, config), strict=True)}
    for column, values in zip(feature_columns(more), columns_of(run([mixed], more), more), strict=True):
        if column.section != "4.10":
            assert values == by_column.pop(column.name)[1], column.name
    assert not by_column


def columns_of(rows: RowBatch | None, config: FeatureConfig) -> list[bytes]:
    """The bits of each column."""
    columns = feature_columns(config)
    return [b"" if rows is None else getattr(rows, c.array)[c.row].tobytes() for c in columns]


@given(st.data())
def test_no_bar_changes_a_bit(data: st.DataObject) -> None:
    mixed = data.draw(with_derivatives(data.draw(tapes())))
    config = BarConfig("time", 10**8, (1,))
    assert same_bits(BarEngine(config).process(mixed), BarEngine(config).process(market_rows(mixed)))


@given(st.data())
def test_the_longest_segment_is_the_same(data: st.DataObject) -> None:
    config, tape = data.draw(cases())
    mixed = data.draw(with_derivatives(tape))
    with_them, without = SegmentSampler(config), SegmentSampler(config)
    with_them.add(mixed)
    without.add(market_rows(mixed))
    for a, b in zip(with_them.longest(), without.longest(), strict=True):
        assert np.array_equal(a, b, equal_nan=True)


@given(st.data())
def test_an_inspection_counts_them_by_kind_and_is_the_same_otherwise(data: st.DataObject) -> None:
    mixed = data.draw(with_derivatives(data.draw(tapes())))
    market = market_rows(mixed)
    market = market._replace(ordinal=np.arange(market.rows))
    days = []
    for batch in (mixed, market):
        engine = InspectionEngine(InspectionConfig())
        days.append([day for day in (*engine.process(batch), engine.finish()) if day is not None])
    for day in days[0]:
        day.counts[4 : len(KINDS)] = 0
    for a, b in zip(*days, strict=True):
        assert (a.counts.tolist(), a.times.tolist(), a.gaps) == (b.counts.tolist(), b.times.tolist(), b.gaps)
        assert (a.latency, a.largest_jump) == (b.latency, b.largest_jump)


@given(st.data())
def test_an_inspection_counts_every_row(data: st.DataObject) -> None:
    mixed = data.draw(with_derivatives(data.draw(tapes())))
    engine = InspectionEngine(InspectionConfig())
    days = [day for day in (*engine.process(mixed), engine.finish()) if day is not None]
    counts = np.sum([day.counts[: len(KINDS)] for day in days], axis=0) if days else np.zeros(len(KINDS))
    if days:
        assert counts.tolist() == [int((mixed.kind == code).sum()) for code in range(len(KINDS))]


def test_latencies_are_of_books_and_trades() -> None:
    n = 8
    columns = {name: np.full(n, 5) for name in ("exchange_ts", "receive_ts", "sequence")}
    batch = TapeBatch(
        np.arange(n), **columns, kind=np.arange(n).astype(np.int8), side=np.zeros(n, np.int8), price=np.ones(n),
        size=np.ones(n), last=np.ones(n, np.bool_),
    )  # fmt: skip
    latency = Latency()
    latency.add_tape(batch, 0)
    spread = latency.spread()
    assert spread is not None
    assert spread.messages == 3
