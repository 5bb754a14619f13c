"""Feature rows become files: all of them, in order, however they come."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import FeatureConfig
from operators.row_batch import NO_MORE_ROWS, RowBatch
from operators.schema import feature_schema
from sinks.replay_sink import ReplaySink
from sinks.row_format import arrow_schema, rows_to_arrow
from sources.tape.layout import data_files
from tests.sinks.journals import BTC, DAY, ETH, SOL

FEATURES = feature_schema(FeatureConfig())
SCHEMA = arrow_schema(FEATURES)


def some(first: int, count: int) -> RowBatch:
    """Rows an hour apart, told apart by their numbers."""
    n = np.arange(first, first + count)
    values = np.sqrt(n + np.arange(60)[:, None])
    return RowBatch(np.stack([n * DAY // 24, n, n, n]), np.stack([n % 4 - 1, n % 128]).astype(np.int8), values, values)


@given(
    st.lists(st.tuples(st.sampled_from([BTC, ETH, SOL]), st.integers(1, 40)), max_size=30),
    st.integers(1, 100),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_rows_of_many_instruments(tmp_path_factory, parts, at_once, ended):
    root = tmp_path_factory.mktemp("rows") / "features"
    sink = ReplaySink(root, FEATURES, "test")
    expected: dict = {instrument: [] for instrument in (BTC, ETH, SOL)}
    sink._file = replace(sink._file, row_group_rows=at_once)  # rows that wait for each other
    try:
        partition = sink.build("out", 0, 1)
        for instrument, count in parts:
            rows = some(sum(part.rows for part in expected[instrument]), count)
            expected[instrument].append(rows)
            partition.write_batch([(str(instrument), rows)])
        if ended:
            partition.write_batch([(str(instrument), NO_MORE_ROWS) for instrument in expected])
        partition.close()
        sink.commit()
    finally:
        sink.abort()
    assert sink.rows_written == sum(count for _, count in parts)
    for instrument, rows in expected.items():
        found = [pq.ParquetFile(path).read() for path in data_files(root, instrument)]
        if rows:
            together = pa.Table.from_batches([rows_to_arrow(part, FEATURES, SCHEMA) for part in rows])
            assert pa.concat_tables(found).equals(together)
            assert len(found) == len({int(t) // DAY for part in rows for t in part.integer[0]})  # one a date
        else:
            assert found == []
