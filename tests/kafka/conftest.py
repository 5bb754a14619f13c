import itertools
import time
import uuid
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from operators.config import FeatureConfig
from operators.row_batch import RowBatch
from operators.schema import feature_schema, value_count
from sources.kafka.connection import KafkaConnection
from tests.dataflows.conftest import start, synthetic_tape_root  # noqa: F401
from tests.kafka.broker import Process, Running, broker

CONFIG = FeatureConfig()
FEATURES = feature_schema(CONFIG)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Running | Process]:
    """The broker of the tests; started by the first that asks for it."""
    with broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def connection(cluster) -> KafkaConnection:
    return KafkaConnection(cluster.bootstrap)


@pytest.fixture
def topic(connection) -> Callable[..., str]:
    """Makes a topic of so many partitions."""

    def make(partitions: int = 4) -> str:
        name = f"test.{uuid.uuid4()}"
        with connection.admin() as admin:
            admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True)
        return name

    return make


@pytest.fixture
def read(cluster) -> Callable[[str], list[ConsumerRecord]]:
    """Reads a topic from its beginning to where it ends now."""

    def all_of(name: str) -> list[ConsumerRecord]:
        consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, group_id=None, auto_offset_reset="earliest")
        try:
            parts = [TopicPartition(name, p) for p in consumer.partitions_for_topic(name)]
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            records: list[ConsumerRecord] = []
            deadline = time.monotonic() + 30
            while any(consumer.position(p) < ends[p] for p in parts):
                assert time.monotonic() < deadline, f"{len(records)} records of {ends}"
                records += itertools.chain.from_iterable(consumer.poll(200).values())
            return records
        finally:
            consumer.close()

    return all_of


def feature_rows(count: int, first: int = 0, seed: int = 0) -> RowBatch:
    """Rows whose ordinals count up from ``first``, with a NaN here and there."""
    rng = np.random.default_rng([seed, first])
    ordinal = np.arange(first, first + count)
    ts = 1_700_000_000_000_000_000 + ordinal * 100_000_000
    integer = np.stack([ts, ts + 1, ordinal, rng.integers(0, 9, count)])
    code = np.stack([rng.integers(-1, 3, count), rng.integers(-128, 128, count)]).astype(np.int8)
    value = rng.normal(size=(value_count(CONFIG), count))
    value[rng.random(value.shape) < 0.1] = np.nan
    return RowBatch(integer, code, value, np.empty((0, 0)))
