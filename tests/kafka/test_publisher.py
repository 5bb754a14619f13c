"""The publisher and its sinks against a broker: all rows, in order, whatever the broker does; or a clear error."""

import json
import threading
import time

import pytest
from kafka.partitioner.default import murmur2

from sinks.kafka.publisher import Delivery, Publisher
from sinks.kafka.rows import ArrowRows, JsonRows
from sinks.kafka.sink import KafkaSink, RecoverableKafkaSink
from sinks.kafka.telemetry import KafkaTelemetry
from sources.errors import TickwaxError
from sources.kafka.connection import KafkaConnection
from sources.placement import home_worker
from tests.kafka.conftest import FEATURES, feature_rows
from tests.ports import free_ports

pytestmark = pytest.mark.slow

KEYS = [f"binance_futures:S{n}USDT" for n in range(7)]


class Counts(KafkaTelemetry):
    def __init__(self) -> None:
        self.rows = {"sent": 0, "confirmed": 0, "dropped": 0}
        self.told: list[str] = []
        self.most = 0

    def sent(self, topic, rows):
        self.rows["sent"] += rows

    def confirmed(self, topic, rows):
        self.rows["confirmed"] += rows

    def dropped(self, topic, rows):
        self.rows["dropped"] += rows

    def buffered(self, topic, size):
        self.most = max(self.most, size)

    def stalled(self, topic, seconds):
        self.told.append("stalled")

    def resumed(self, topic, seconds):
        self.told.append("resumed")

    def failed(self, topic, reason):
        self.told.append("failed")


@pytest.fixture
def publisher(connection):
    """Makes publishers, and ends them."""
    made: list[Publisher] = []

    def make(topic, form=JsonRows, counts=None, **delivery) -> Publisher:
        made.append(
            Publisher(
                connection,
                topic,
                form(FEATURES, "run"),
                Delivery(**delivery),
                time.monotonic,
                counts or KafkaTelemetry(),
            )
        )
        return made[-1]

    yield make
    for one in made:
        with pytest.raises(TickwaxError) if one.error else memoryview(b""):
            one.close(5.0)


def ordinals(records) -> dict[str, list[int]]:
    """Ordinals by key, in the order of each key's partition."""
    found: dict[str, list[int]] = {}
    for record in sorted(records, key=lambda r: (r.partition, r.offset)):
        found.setdefault(record.key.decode(), []).append(json.loads(record.value)["ordinal"])
    return found


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
def test_rows_arrive_in_order_on_the_partition_of_their_key(publisher, topic, read, compression):
    name, counts = topic(4), Counts()
    p = publisher(name, counts=counts, compression=compression)
    for first in range(0, 50, 10):
        for key in KEYS:
            p.put(key, feature_rows(10, first))
    p.flush()
    assert counts.rows == {"sent": 350, "confirmed": 350, "dropped": 0}
    records = read(name)
    assert ordinals(records) == {key: list(range(50)) for key in KEYS}
    assert all(r.partition == (murmur2(r.key) & 0x7FFFFFFF) % 4 for r in records)
    assert {h for r in records for h in r.headers if h[0] != "ordinal"} == {
        ("schema", b"tickwax.features/1"),
        ("run", b"run"),
    }
    assert all(dict(r.headers)["ordinal"] == b"%d" % json.loads(r.value)["ordinal"] for r in records)


def test_rows_outlive_a_broker_that_is_killed(cluster, publisher, topic, read):
    name, counts = topic(2), Counts()
    p = publisher(name, counts=counts, deadline=60.0)
    stop = threading.Event()
    put = 0

    def keep_putting() -> None:
        nonlocal put
        while not stop.is_set():
            for key in KEYS:
                p.put(key, feature_rows(10, put))
            put += 10
            time.sleep(0.02)

    thread = threading.Thread(target=keep_putting)
    thread.start()
    try:
        for outage in (cluster.killed, cluster.frozen):
            time.sleep(0.7)
            with outage():
                time.sleep(1.0)
    finally:
        time.sleep(0.5)
        stop.set()
        thread.join()
    p.flush(60.0)
    assert counts.rows == {"sent": put * len(KEYS), "confirmed": put * len(KEYS), "dropped": 0}
    assert ordinals(read(name)) == {key: list(range(put)) for key in KEYS}
    assert put > 1000


def test_the_buffer_is_bounded_and_full_it_holds_up_a_replay(cluster, publisher, topic, read):
    name, counts, limit = topic(1), Counts(), 1 << 20
    p = publisher(name, counts=counts, buffer_bytes=limit, deadline=60.0)
    done = threading.Event()

    def put() -> None:
        for first in range(0, 10_000, 100):
            p.put(KEYS[0], feature_rows(100, first))
        done.set()

    with cluster.frozen():
        thread = threading.Thread(target=put)
        thread.start()
        assert not done.wait(1.5)
    assert done.wait(60)
    p.flush(60.0)
    assert limit / 2 < counts.most < limit + sum(column.nbytes for column in feature_rows(100))
    assert ordinals(read(name)) == {KEYS[0]: list(range(10_000))}


def test_a_live_run_goes_on_when_the_broker_stays_away(cluster, publisher, topic):
    counts, dropped = Counts(), []
    name = topic(1)
    sink = KafkaSink(lambda: publisher(name, counts=counts, deadline=2.0), time.monotonic, dropped.append)
    part = sink.build("kafka", 0, 1)
    slowest = 0.0
    with cluster.frozen():
        deadline = time.monotonic() + 20
        while not dropped:
            assert time.monotonic() < deadline
            before = time.monotonic()
            part.write_batch([(KEYS[0], feature_rows(1))])
            slowest = max(slowest, time.monotonic() - before)
            time.sleep(0.01)
        assert slowest < 0.5
        assert "kafka.deadline allows 2 s" in str(sink.error)
        part.close()
    assert counts.told[-1] == "failed"
    assert counts.rows["dropped"] > 100


def test_a_live_run_waits_little_for_a_full_buffer(cluster, publisher, topic):
    counts, dropped = Counts(), []
    name = topic(1)
    sink = KafkaSink(lambda: publisher(name, counts=counts, buffer_bytes=100_000), time.monotonic, dropped.append)
    part = sink.build("kafka", 0, 1)
    with cluster.frozen():
        before = time.monotonic()
        while not dropped:
            part.write_batch([(KEYS[0], feature_rows(100))])
        assert time.monotonic() - before < 2.0
        assert "the buffer is full" in str(sink.error)
        part.close()


def test_a_message_that_no_broker_takes_ends_delivery(publisher, topic):
    counts = Counts()
    p = publisher(topic(1), form=lambda columns, run: ArrowRows(columns, "x" * 2_000_000), counts=counts)
    p.put(KEYS[0], feature_rows(3))
    with pytest.raises(TickwaxError, match=r"delivery is given up, 3 rows are not confirmed: MessageSizeTooLarge"):
        p.flush(10.0)
    assert counts.rows["dropped"] == 3
    with pytest.raises(TickwaxError):
        p.put(KEYS[0], feature_rows(3))


def test_a_snapshot_waits_for_every_confirmation(cluster, publisher, topic):
    counts, name = Counts(), topic(1)
    sink = RecoverableKafkaSink(lambda: publisher(name, counts=counts))
    part = sink.build_part("kafka", "00", None)
    for first in range(0, 2000, 100):
        part.write_batch([(KEYS[0], feature_rows(100, first))])
    assert counts.rows["confirmed"] < 2000
    assert part.snapshot() is None
    assert counts.rows["confirmed"] == 2000


def test_errors_are_told_before_bytewax_hears_them(publisher, topic):
    told: list[Exception] = []
    name = topic(1)
    large = lambda columns, run: ArrowRows(columns, "x" * 2_000_000)  # noqa: E731
    sink = RecoverableKafkaSink(lambda: publisher(name, form=large), told.append)
    part = sink.build_part("kafka", "00", None)
    part.write_batch([(KEYS[0], feature_rows(3))])
    with pytest.raises(TickwaxError):
        part.snapshot()
    assert len(told) == 1


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6, 8])
def test_a_shard_lives_where_its_keys_do(workers):
    sink = RecoverableKafkaSink(lambda: None)
    for key in KEYS:
        assert sink.part_fn(key) % workers == home_worker(key, workers)
    assert sink.list_parts() == sorted(sink.list_parts())


def test_no_broker_is_one_line(monkeypatch):
    monkeypatch.setattr("sources.kafka.connection._ANSWER_MS", 300)
    nowhere = KafkaConnection(f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(TickwaxError, match=r"^kafka.bootstrap: no broker at 127.0.0.1:\d+ can be used: [^\n]+$"):
        nowhere.require({"x": "kafka.topic"})


def test_a_missing_topic_is_one_line(connection):
    with pytest.raises(TickwaxError, match=r"^kafka.topic: no topic 'not.there' at .*; `tickwax topics create` makes"):
        connection.require({"not.there": "kafka.topic"})
