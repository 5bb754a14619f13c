"""The placement rule, held against Bytewax itself: it is measured, not documented."""

import subprocess
import sys
import threading

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource, cluster_main, run_main

from sources.placement import home_worker, siphash13

VENUES = ("binance_futures", "bybit_linear")
BASES = ("BTC", "ETH", "1000PEPE", "A", "币安人生")
SYMBOLS = [base + quote for base in BASES for quote in ("", "USDT", "-31DEC26")]
# Every length from 0 to 40 bytes: the hash reads words of 8, and the rest.
KEYS = [f"{venue}:{symbol}" for venue in VENUES for symbol in SYMBOLS]
KEYS += ["k" * n for n in range(41)] + ["x\x00y", "é" * 3]


class WorkerSink(DynamicSink):
    """Notes the worker on which each key arrives: that of the keyed step before it, for an output moves nothing."""

    def __init__(self) -> None:
        self.seen: dict[str, set[int]] = {}
        self.lock = threading.Lock()

    def build(self, step_id, worker_index, worker_count):
        return _WorkerPartition(self, worker_index)


class _WorkerPartition(StatelessSinkPartition):
    def __init__(self, sink: WorkerSink, worker: int) -> None:
        self.sink = sink
        self.worker = worker

    def write_batch(self, items):
        with self.sink.lock:
            for key, _ in items:
                self.sink.seen.setdefault(key, set()).add(self.worker)


def workers_of(keys: list[str], workers: int) -> dict[str, set[int]]:
    sink = WorkerSink()
    flow = Dataflow("placement")
    items = op.input("in", flow, TestingSource([(key, 1) for key in keys * 2], batch_size=7))
    kept = op.stateful_map("keep", items, lambda state, value: (value, value))
    op.output("out", kept, sink)
    if workers == 1:
        run_main(flow)
    else:
        cluster_main(flow, [], 0, worker_count_per_proc=workers)
    return sink.seen


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_a_key_lives_where_bytewax_sends_it(workers):
    assert workers_of(KEYS, workers) == {key: {home_worker(key, workers)} for key in KEYS}


def test_keys_spread_over_the_workers():
    homes = [home_worker(f"binance_futures:S{n}USDT", 4) for n in range(400)]
    assert all(70 < homes.count(worker) < 130 for worker in range(4))


def test_the_hash_is_siphash_1_3():
    # CPython since 3.11 hashes bytes with SipHash-1-3, too, under the zero key if PYTHONHASHSEED is 0.
    assert sys.hash_info.algorithm == "siphash13"
    texts = [key.encode() + b"\xff" for key in KEYS]
    code = f"print(*(hash(text) % 2**64 for text in {texts!r}))"
    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True
    )
    assert [siphash13(text) for text in texts] == [int(word) for word in run.stdout.split()]
    assert siphash13(b"") == 15130871412783076140  # what a new `DefaultHasher` of Rust gives
