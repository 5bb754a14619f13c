"""How many rows reach the sinks of a live run, and how late: Prometheus metrics."""

import time
from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from operators.row_batch import RowBatch
from operators.schema import RECEIVE_TS
from sources.tape.batch import InstrumentBatch

_NS = 1e9
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0)

ROWS = Counter("tickwax_rows", "Rows handed to a sink.", ("sink",))
LATENCY = Histogram(
    "tickwax_wire_to_feature_seconds", "From a frame to the feature row that it completed.", (), buckets=_SECONDS
)
DELAY = Gauge("tickwax_exchange_delay_seconds", "Receive time less exchange time of the newest row.", ("venue",))

# Looking a label up costs as much as counting.
_TAPE_ROWS, _FEATURE_ROWS = ROWS.labels("tape"), ROWS.labels("features")
_delay_of = lru_cache(DELAY.labels)


def count_tape(item: InstrumentBatch) -> None:
    """Tape rows that reach the sink, and how far behind the exchange they are."""
    _TAPE_ROWS.inc(item.batch.rows)
    delay = int(item.batch.receive_ts[-1]) - int(item.batch.exchange_ts[-1])
    _delay_of(item.instrument.venue).set(delay / _NS)


def count_features(rows: RowBatch) -> None:
    """Feature rows that reach the sink, and how long ago the frame came that was the newest in each."""
    _FEATURE_ROWS.inc(rows.rows)
    now = time.time_ns()
    for receive_ts in set(rows.integer[RECEIVE_TS].tolist()):  # few rows: NumPy's `unique` costs several times that
        LATENCY.observe((now - receive_ts) / _NS)
