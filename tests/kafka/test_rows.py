"""Feature rows as messages: every bit comes back, in as many messages as there are rows, or few."""

import json
import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.row_batch import RowBatch, concat_rows
from sinks.kafka.message import MESSAGE_BYTES
from sinks.kafka.rows import ArrowRows, JsonRows
from tests.kafka.conftest import FEATURES, feature_rows

KEY = "bybit_linear:BTCUSDT"
REGIMES = ("trending", "ranging", "neutral")
floats = st.floats(allow_infinity=False) | st.sampled_from([0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0])


def cell(rows: RowBatch, column, r: int):
    """A value as JSON should have it."""
    value = getattr(rows, column.array)[column.row, r].item()
    if column.type == "word":
        return None if value < 0 else REGIMES[value]
    if column.type == "uint8":
        return value & 255
    return None if isinstance(value, float) and math.isnan(value) else value


def bits(value: object) -> object:
    return np.float64(value).view(np.int64) if isinstance(value, float) else value


@settings(max_examples=40)
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_json_says_every_row_with_names_and_all_bits(counts, data):
    batches, first = [], 0
    for count in counts:
        batches.append(feature_rows(count, first))
        row, column = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 20))
        batches[-1].value[column, row] = data.draw(floats)
        first += count
    messages = list(JsonRows(FEATURES, "run").messages(KEY, batches))
    joined = concat_rows(batches)
    assert [m.rows for m in messages] == [1] * first
    for r, message in enumerate(messages):
        said = json.loads(message.value)
        expected = {"exchange": "bybit_linear", "symbol": "BTCUSDT"} | {
            c.name: cell(joined, c, r) for c in FEATURES.columns
        }
        assert list(said) == list(expected)
        assert {k: bits(v) for k, v in said.items()} == {k: bits(v) for k, v in expected.items()}
        assert message.key == KEY.encode()
        assert message.headers == [("schema", b"tickwax.features/1"), ("run", b"run"), ("ordinal", b"%d" % r)]


@settings(max_examples=12)
@given(counts=st.lists(st.sampled_from([1, 3, 700, 2000]), min_size=1, max_size=3))
def test_arrow_says_the_same_in_few_messages(counts):
    batches = [feature_rows(n, sum(counts[:i])) for i, n in enumerate(counts)]
    messages = list(ArrowRows(FEATURES, "run").messages(KEY, batches))
    tables = [pa.ipc.open_stream(m.value).read_all() for m in messages]
    assert [m.rows for m in messages] == [t.num_rows for t in tables]
    assert all(len(m.value) < MESSAGE_BYTES * 1.1 for m in messages)
    assert len(messages) <= 1 + sum(counts) * 600 // MESSAGE_BYTES
    table = pa.concat_tables(tables)
    joined = concat_rows(batches)
    for column in FEATURES.columns:
        found = [None if v != v else v for v in table[column.name].cast(pa.int64()).to_pylist()] if (
            column.type == "timestamp"
        ) else [None if v != v else v for v in table[column.name].to_pylist()]  # fmt: skip
        assert found == [cell(joined, column, r) for r in range(joined.rows)], column.name
    for message, part in zip(messages, tables, strict=True):
        assert dict(message.headers)["ordinal"] == b"%d" % part["ordinal"][-1].as_py()
        assert dict(message.headers)["rows"] == b"%d" % part.num_rows
