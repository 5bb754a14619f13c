"""Feature rows with their labels: tapes with resets and holes, split anywhere, against the oracles."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import MS, FeatureConfig
from operators.fractal import REGIMES
from operators.labels.config import LabelConfig
from operators.labels.rows import READ, RowLabeller, dataset_schema, needed_bits, read_schema
from operators.row_batch import Declared, RowBatch, concat_rows, nan_as_null
from operators.schema import feature_columns, feature_schema
from sinks.row_format import arrow_schema, rows_from_arrow, rows_to_arrow
from tests import strategies
from tests.operators.columns import by_name, run, same_bits
from tests.operators.test_longest_segment import restarts_and_trades
from tests.oracle.labels import KEPT, Label, Row, Rules, labels
from tests.oracle.script import Script


def chosen_columns(config: FeatureConfig) -> list[Declared]:
    head = ("ts", "receive_ts", "ordinal", "warm")
    of = [column for column in feature_columns(config) if column.name not in head]
    return [Declared(c.name, c.type, c.nullable, c.words) for c in of]


def as_read(rows: RowBatch, config: FeatureConfig, columns: list[Declared]) -> RowBatch:
    """Feature rows as they come out of a file."""
    schema = feature_schema(config)
    return rows_from_arrow(rows_to_arrow(rows, schema, arrow_schema(schema)), read_schema(columns))


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_labels_beside_features(data: st.DataObject) -> None:
    config, batch = data.draw(strategies.cases(max_messages=24))
    step = config.sampling_ns
    unit = step or 100 * MS
    rules = Rules(
        (unit, 2 * unit + 3), data.draw(st.sampled_from((0, unit // 2))), data.draw(st.sampled_from((unit, 3 * unit))),
        1.0, data.draw(st.booleans()), step,
    )  # fmt: skip
    labelling = LabelConfig(
        step, (("a", rules.horizons[0]), ("b", rules.horizons[1])), rules.latency, rules.barrier, 1.0, rules.executable
    )
    everything = chosen_columns(config)
    columns = data.draw(st.sampled_from((everything, everything[3:9], [])))
    needs = needed_bits([column.name for column in columns])
    whole = run([batch], config)
    if whole is None:
        return
    rows = as_read(whole, config, columns)
    out = dataset_schema(columns, labelling)

    labeller, parts = RowLabeller(labelling, read_schema(columns), out, needs), []
    restarts, _ = restarts_and_trades(batch, config.max_hold_ns)
    before = 0
    cuts = data.draw(strategies.splits(rows.rows))
    for start, stop in pairwise(cuts):
        part = rows.slice(start, stop)
        until = int(np.searchsorted(restarts, part.integer[2, -1], "right")) if part.rows else before
        parts += labeller.process(part, np.array(restarts[before:until], np.int64))
        before = until
    parts += labeller.end()
    got = concat_rows(parts)

    names = by_name(whole, config)
    segments: dict[int, list[int]] = {}
    for i, ordinal in enumerate(names["ordinal"]):
        segments.setdefault(max((r for r in restarts if r <= ordinal), default=-1), []).append(i)
    expected: list[tuple[int, int, Label]] = []  # row, segment, label
    for group, places in enumerate(segments.values()):
        read = ("ts", "mid", "bid_price", "ask_price", "volatility")
        part_rows = [Row(*(names[n][i] for n in read), names["warm"][i] & needs == needs) for i in places]
        last = group == len(segments) - 1
        known = part_rows[-1].ts - (last and step == 0)
        expected += zip(places, [group] * len(places), labels(part_rows, rules, known), strict=True)
    kept = [each for each in expected if each[2].why == KEPT]

    counts = labeller.counts
    assert (counts.rows, counts.kept, counts.segments) == (len(expected), len(kept), len(segments))
    assert counts.left_out == {name: sum(e[2].why == name for e in expected) for name in counts.left_out}
    assert counts.missing == {b: sum(not w & b for w in names["warm"]) for b in (1 << n for n in range(8)) if needs & b}
    if not kept:
        assert got is None
        return
    places = [i for i, _, _ in kept]
    table = pa.Table.from_batches([rows_to_arrow(got, out, arrow_schema(out))])
    assert table["group"].to_pylist() == [group for _, group, _ in kept]
    assert table["barrier"].to_pylist() == [label.barrier for _, _, label in kept]
    assert table["barrier_end"].cast(pa.int64()).to_pylist() == [label.barrier_end for _, _, label in kept]
    assert table["label_end"].cast(pa.int64()).to_pylist() == [label.end for _, _, label in kept]
    assert table["weight"].to_pylist() == pytest.approx([label.weight for _, _, label in kept], rel=1e-13)
    for n, name in enumerate(("ret_a", "ret_b")):
        assert table[name].to_pylist() == [label.returns[n] for _, _, label in kept]
    # The features stand beside them as they are.
    schema = feature_schema(config)
    features = pa.Table.from_batches([rows_to_arrow(whole, schema, arrow_schema(schema))]).take(places)
    for name in ("ts", "receive_ts", "ordinal", "warm", *(column.name for column in columns)):
        mine, theirs = table[name].to_pylist(), features[name].to_pylist()
        assert list(map(repr, mine)) == list(map(repr, theirs)), name  # NaN is NaN


def test_arrow_and_back() -> None:
    """What files hold is what was written, null for NaN or not."""
    config = FeatureConfig(windows=(("1s", 10**9),), depths=(1,), zscore_window=2, fdi_window=3, volatility_window=2)
    script = Script().snapshot(10**9, [(99.0, 1.0)], [(101.0, 1.0)])
    for n in range(1, 60):
        script.delta(10**9 + n * 70 * MS, [(99.0, 1.0 + n % 3)], [])
    rows = run([script.batch()], config)
    assert rows is not None
    schema = feature_schema(config)
    back = rows_from_arrow(rows_to_arrow(rows, schema, arrow_schema(schema)), schema)
    shown = sum(column.array == "integer" for column in schema.columns)  # a row of the array is no column
    assert same_bits(rows._replace(integer=rows.integer[:shown]), back._replace(integer=back.integer[:shown]))
    null = nan_as_null(schema)
    assert rows_to_arrow(rows, null, arrow_schema(null))["vwap"].null_count
    assert same_bits(back, rows_from_arrow(rows_to_arrow(rows, null, arrow_schema(null)), null))


def test_what_a_file_may_not_hold() -> None:
    schema = read_schema([Declared("regime", "word", True, REGIMES)])
    columns = {
        "ts": pa.array([1], pa.timestamp("ns", "UTC")), "receive_ts": pa.array([1], pa.timestamp("ns", "UTC")),
        "ordinal": pa.array([1], pa.int64()), "warm": pa.array([1], pa.uint8()),
        "regime": pa.array(["trending"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
        **{name: pa.array([1.0]) for name in READ},
    }  # fmt: skip
    assert rows_from_arrow(pa.record_batch(columns), schema).rows == 1
    for change, says in (
        ({"mid": pa.array([1])}, "^mid: is int64, not double$"),
        ({"ordinal": pa.array([None], pa.int64())}, "^ordinal: 1 of its values are null$"),
        (
            {"regime": pa.array(["up"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))},
            "^regime: 'up' is not one of ",
        ),
    ):
        with pytest.raises(ValueError, match=says):
            rows_from_arrow(pa.record_batch(columns | change), schema)


def test_the_bits_that_columns_need() -> None:
    assert needed_bits([]) == 32 | 64  # of volatility, and of the best prices
    assert needed_bits(["ofi_z_l5_1s", "regime", "of_my_own"]) == 32 | 64 | 1 | 2 | 16
