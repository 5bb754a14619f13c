"""A million feature rows from a dataflow through a broker to a consumer group of two processes.

    python benchmarks/bench_kafka.py [--rows 1000000] [--restart] [--compression lz4]

Rows are real ones (a synthetic market's tape through the kernels, every update a row), repeated for eight instruments
with ordinals and times that go on. They enter a Bytewax flow as `RowBatch` and leave it by the sink of a replay. The
consumers are plain kafka-python in processes of their own; they know nothing of the engine but docs/kafka.md's rule for
duplicates. With ``--restart`` the broker is killed (SIGKILL) when a third has been sent, and started again. The broker
is that of the tests. All of it, Java too, shares this machine's cores.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.run import cli_main
from rich.console import Console
from rich.table import Table

from dataflows.assembly.synthetic_tape import START_NS
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import TS, RowBatch
from operators.schema import RECEIVE_TS, ROW_ORDINAL, feature_schema
from sinks.kafka.message import Encoding
from sinks.kafka.publisher import Delivery, Publisher
from sinks.kafka.rows import ROW_ENCODINGS
from sinks.kafka.sink import RecoverableKafkaSink
from sinks.kafka.telemetry import KafkaTelemetry
from sources.instrument import Instrument
from sources.kafka.connection import KafkaConnection
from sources.tape.batch import concat
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.kafka.broker import Process, broker, header

CONFIG = FeatureConfig(sampling_ns=0)
FEATURES = feature_schema(CONFIG)
KEYS = [f"binance_futures:S{n}USDT" for n in range(8)]
BATCH = 1000  # rows that reach the sink together
PARTITIONS = 8
CONSUMERS = 2
CHILDREN: list[subprocess.Popen[str]] = []

CONSUMER = """
import json, sys, time
import msgspec, pyarrow as pa
from kafka import KafkaConsumer, errors
bootstrap, topic, quiet = sys.argv[1], sys.argv[2], float(sys.argv[3])
consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id="bench", auto_offset_reset="earliest",
                         session_timeout_ms=6000, heartbeat_interval_ms=1000, max_poll_records=5000)
while not consumer.assignment():
    consumer.poll(100)
print("ready", flush=True)
decode = msgspec.json.Decoder().decode
last, seen, kept, first, newest = {}, 0, 0, None, time.monotonic()
while seen == 0 or time.monotonic() - newest < quiet:
    try:
        polled = consumer.poll(500)
    except errors.KafkaError:  # the broker is away
        time.sleep(0.2)
        continue
    for records in polled.values():
        newest = time.monotonic()
        first = first or newest
        for record in records:
            headers = dict(record.headers)
            if "rows" in headers:
                table = pa.ipc.open_stream(record.value).read_all()
                ts = table["ts"].cast(pa.int64()).to_pylist()
                places = list(zip(table["ordinal"].to_pylist(), ts))
            else:
                row = decode(record.value)
                places = [(row["ordinal"], row["ts"])]
            stream = record.key, headers["run"]
            for place in places:
                seen += 1
                if place > last.get(stream, (-1, -1)):
                    last[stream] = place
                    kept += 1
end = newest
consumer.close()
print(json.dumps({"seen": seen, "kept": kept, "seconds": end - first,
                  "last": {k.decode(): v for (k, _), v in last.items()}}), flush=True)
"""


class Counts(KafkaTelemetry):
    """Rows confirmed; calls back at a number of them."""

    def __init__(self, at: int, act: threading.Event) -> None:
        self.rows = 0
        self._at = at
        self._act = act

    def confirmed(self, topic: str, rows: int) -> None:
        self.rows += rows
        if self.rows >= self._at:
            self._act.set()


class Source(DynamicSource[tuple[str, RowBatch]]):
    """Batches of rows, the instruments in turn."""

    def __init__(self, batches: Iterator[tuple[str, RowBatch]]) -> None:
        self._batches = batches

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Partition":
        return _Partition(self._batches)


class _Partition(StatelessSourcePartition[tuple[str, RowBatch]]):
    def __init__(self, batches: Iterator[tuple[str, RowBatch]]) -> None:
        self._batches = batches

    def next_batch(self) -> list[tuple[str, RowBatch]]:
        return [next(self._batches)]


def real_rows() -> RowBatch:
    """Feature rows of a synthetic market."""
    market = SyntheticMarket(Instrument.parse(KEYS[0]), 7, START_NS)
    rows = FeatureEngine(CONFIG).process(concat(list(synthetic_tape(market, START_NS + 600 * 10**9))))
    assert rows is not None
    return rows


def repeated(once: RowBatch, total: int) -> Iterator[tuple[str, RowBatch]]:
    """``total`` rows in batches, each instrument's rising in ordinal and time."""
    span = int(once.integer[TS][-1] - once.integer[TS][0]) + 1
    most = int(once.integer[ROW_ORDINAL][-1]) + 1
    sent = dict.fromkeys(KEYS, 0)
    for n in range(total // BATCH):
        key = KEYS[n % len(KEYS)]
        turn, start = divmod(sent[key], once.rows // BATCH * BATCH)
        part = RowBatch._make(column[:, start : start + BATCH] if column.size else column for column in once)
        integer = part.integer.copy()
        integer[[TS, RECEIVE_TS]] += turn * span
        integer[ROW_ORDINAL] += turn * most
        sent[key] += BATCH
        yield key, part._replace(integer=integer)


def measure(
    running: Process, form: str, once: RowBatch, total: int, restart: bool, compression: str | None
) -> list[str]:
    """One run; the cells of its line."""
    connection, topic = KafkaConnection(running.bootstrap), f"bench.{form}{'.restart' if restart else ''}"
    with connection.admin() as admin:
        wanted = {topic: {"num_partitions": PARTITIONS, "replication_factor": 1}}
        admin.create_topics(wanted, wait_for_metadata=True)
    quiet = "20" if restart else "3"
    command = [sys.executable, "-c", CONSUMER, running.bootstrap, topic, quiet]
    consumers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(CONSUMERS)]
    CHILDREN.extend(consumers)
    for consumer in consumers:
        assert consumer.stdout is not None
        consumer.stdout.readline()
    due = threading.Event()
    counts = Counts(total // 3 if restart else total + 1, due)

    def outage() -> None:
        if due.wait(600) and restart:
            with running.killed():
                time.sleep(1.0)

    killer = threading.Thread(target=outage, daemon=True)
    killer.start()
    encoding: Encoding[RowBatch] = ROW_ENCODINGS[form](FEATURES, "bench")
    delivery = Delivery(compression=compression, deadline=120.0)
    sink = RecoverableKafkaSink(lambda: Publisher(connection, topic, encoding, delivery, time.monotonic, counts))
    flow = Dataflow("bench")
    rows = op.input("rows", flow, Source(repeated(once, total)))
    op.output("kafka", op.map("key", rows, lambda item: (item[0], item)), sink)
    began = time.perf_counter()
    cli_main(flow, epoch_interval=timedelta(seconds=1))
    seconds = time.perf_counter() - began
    found = [json.loads(consumer.communicate(timeout=900)[0]) for consumer in consumers]
    seen, kept = sum(f["seen"] for f in found), sum(f["kept"] for f in found)
    assert counts.rows == total // BATCH * BATCH
    read = max(f["seconds"] for f in found)
    return [
        f"{form}{', broker killed' if restart else ''}",
        f"{total / seconds:,.0f}",
        f"{total / read:,.0f}",
        f"{seen:,}",
        f"{kept:,}",
        f"{total - kept:,}",
    ]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--restart", action="store_true", help="kill the broker on the way, as well")
    parser.add_argument("--compression", choices=["none", "gzip", "lz4", "zstd"], default="none")
    parser.add_argument("--forms", nargs="+", default=["json", "arrow"], choices=list(ROW_ENCODINGS))
    options = parser.parse_args()
    compression = None if options.compression == "none" else options.compression
    once = real_rows()
    messages = list(ROW_ENCODINGS["json"](FEATURES, "bench").messages(KEYS[0], [once]))
    size = np.mean([len(m.value) for m in messages])
    title = f"{options.rows:,} rows; {header()}; compression {options.compression}; a JSON row has {size:,.0f} bytes"
    table = Table(
        "", "rows/s to confirmed", "rows/s to the consumers", "received", "after the rule", "lost", title=title
    )
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as running:
        assert isinstance(running, Process)
        for form in options.forms:
            for restart in (False, True) if options.restart else (False,):
                table.add_row(*measure(running, form, once, options.rows, restart, compression))
                Console().print(table)


if __name__ == "__main__":
    try:
        main()
    finally:
        for child in CHILDREN:
            child.kill()
