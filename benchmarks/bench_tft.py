"""The Temporal Fusion Transformer: a row served, and targets trained a second, at width 16, 64 columns, window 100.

    python benchmarks/bench_tft.py [--rounds 7] [--passes 16] [--no-training]

Serving: batches of 1000 rows, and one row a call, each as often as there are rounds; the fastest counts, because other
work on the machine can only make one slower. Where onnxruntime is installed (`pip install 'tickwax[bench]'`), it serves
the same network without passes, in single precision: one row, and a row of each of 1000 instruments. Before, both are
held against each other to 1e-4 of a target's deviation. Training: steps of the optimiser as `tickwax train tft` does
them, on two threads, after the first, which compiles. Beside the time on the clock stands that of the processors, which
other work does not change much.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("PJRT_NPROC", "2")

import jax
import jax.numpy as jnp
import numpy as np

try:
    from onnx_models import fusion
except ImportError:
    fusion = None

from learning.tft.epochs import Batch, Memory, batch_of, batches, optimiser, trained
from learning.tft.network import TemporalFusion
from learning.tft.sequences import Sequences, stretches_of
from learning.tft.training import Hyper
from operators.models.served import QUANTILES, ModelHead, ModelRows, forecasts
from operators.models.tft.phase import phases
from operators.models.tft.serve import Codes, TemporalFusionModel
from operators.models.tft.step import Model
from operators.models.tft.weights import Size, kernel_weights, named
from sources.instrument import Instrument

SIZE = Size(columns=64, width=16, heads=4, window=100, horizons=3, venues=2, symbols=2)
ROWS = 1000


def best(rounds: int, work: Callable[[], None]) -> tuple[float, float]:
    """Seconds on the clock and of the processors, the fastest of each."""
    clock, processor = [], []
    for _ in range(rounds):
        before = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - before[0])
        processor.append(time.process_time() - before[1])
    return min(clock), min(processor)


def model_of(net: TemporalFusion, passes: int) -> TemporalFusionModel:
    arrays = {name: np.asarray(array) for name, array in named(net.weights).items()}
    one = np.ones(SIZE.columns)
    model = Model(SIZE, 0 * one, one, np.ones(SIZE.horizons), passes, 6554, kernel_weights(arrays, SIZE))
    head = ModelHead("0" * 64, "tft", ("x",) * SIZE.columns, (("1s", 10**9),) * SIZE.horizons, 0, 0, np.zeros((3, 1)))
    return TemporalFusionModel(model, head, Codes({"venue": 1}, {"X": 1}))


def some_rows() -> ModelRows:
    random = np.random.default_rng(1)
    return ModelRows(np.arange(ROWS) * 10**8, np.arange(ROWS), random.normal(size=(ROWS, SIZE.columns)))


def serve(net: TemporalFusion, rounds: int, passes: int) -> None:
    served, rows = model_of(net, passes), some_rows()
    single = [ModelRows(*(array[i : i + 1] for array in rows)) for i in range(ROWS)]
    state, out, row_out = served.start(Instrument("venue", "X")), forecasts(ROWS, 3), forecasts(1, 3)
    served.step(state, rows, out)
    assert out.quantiles.shape[-1] == len(QUANTILES)

    def one_by_one() -> None:
        for row in single:
            served.step(state, row, row_out)

    for name, work in (("in batches of 1000", lambda: served.step(state, rows, out)), ("a row a call", one_by_one)):
        clock, processor = best(rounds, work)
        wall, cpu = clock / ROWS * 1e6, processor / ROWS * 1e6
        print(f"serving, {passes} passes, {name}: {wall:.1f} µs a row, {cpu:.1f} of processor")
    times = []
    for row in single * rounds:
        before = time.perf_counter()
        served.step(state, row, row_out)
        times.append(time.perf_counter() - before)
    print(f"a row a call: p50 {np.percentile(times, 50) * 1e6:.1f}, p99 {np.percentile(times, 99) * 1e6:.1f} µs")


def beside_onnx(net: TemporalFusion, rounds: int) -> None:
    """ONNX Runtime's step of the same network; its output equals ours once its window is full."""
    session, served, rows = fusion(net, SIZE), model_of(net, 0), some_rows()
    state, out, d = served.start(Instrument("venue", "X")), forecasts(ROWS, SIZE.horizons), SIZE.width
    carried = [
        state.memory[:1].copy(), state.memory[1:].copy(), np.zeros((1, SIZE.heads, SIZE.window, d // SIZE.heads)),
        np.zeros((1, SIZE.window, d // SIZE.heads)),
    ]  # fmt: skip
    about = {"select": state.contexts[:1], "enrich": state.contexts[1:]}
    about = {name: array.astype(np.float32) for name, array in about.items()}
    names = ("output", "cell", "keys", "values")
    known = np.zeros((ROWS, 4))
    for ts, phase in zip(rows.ts, known, strict=True):
        phases(ts, phase)
    inputs, known = np.clip(rows.inputs, -10, 10).astype(np.float32), known.astype(np.float32)
    now = {name: array.astype(np.float32) for name, array in zip(names, carried, strict=True)}

    def one_by_one() -> list[np.ndarray]:
        told, seen = [], dict(now)
        for i in range(ROWS):
            one, *after = session.run(None, {"x": inputs[i : i + 1], "known": known[i : i + 1], **about, **seen})
            seen = dict(zip(names, after, strict=True))
            told.append(one)
        now.update(seen)
        return told

    found = np.sort(np.concatenate(one_by_one()).reshape(out.quantiles.shape))
    served.step(state, rows, out)
    worst = np.abs(found - out.quantiles)[SIZE.window :].max()
    assert worst < 1e-4, worst
    many = {name: np.repeat(array, ROWS, axis=0) for name, array in {**about, **now}.items()}
    many |= {"x": inputs, "known": known}
    for name, work in (("1000 instruments a call", lambda: session.run(None, many)), ("a row a call", one_by_one)):
        clock, processor = best(rounds, work)
        wall, cpu = clock / ROWS * 1e6, processor / ROWS * 1e6
        print(f"ONNX Runtime, without passes, {name}: {wall:.1f} µs a row, {cpu:.1f} of processor")


def training_batch(hyper: Hyper) -> Batch:
    random, n = np.random.default_rng(2), hyper.stretch * hyper.batch + hyper.window
    first = np.arange(n) == 0
    data = Sequences(
        random.normal(size=(n, SIZE.columns)).astype(np.float32), np.zeros((n, 4), np.float32),
        random.normal(size=(n, SIZE.horizons)).astype(np.float32), np.ones(n, np.float32), np.zeros(n, np.float32),
        np.ones((n, 2), np.int64), first, np.zeros(1), np.ones(1), np.ones(1),
    )  # fmt: skip
    where = stretches_of(first, np.ones(n, bool), hyper.window, hyper.stretch)
    none = np.zeros((n, SIZE.width), np.float32)
    numbers = next(batches(hyper.batch, hyper.batch))
    return batch_of(data, where, numbers, Memory(none, none), data.weight, hyper.stretch)


def train(net: TemporalFusion, rounds: int) -> None:
    hyper = Hyper()
    batch, state, key = training_batch(hyper), optimiser(0.003, 0.01).init(net), jax.random.key(0)
    chosen = [jnp.float32(x) for x in (hyper.dropout, hyper.rate, hyper.decay)]
    began = time.process_time()
    jax.block_until_ready(trained(net, state, batch, key, *chosen)[2])
    print(f"training: the first step compiles, {time.process_time() - began:.0f} s of processor")
    clock, processor = best(rounds, lambda: jax.block_until_ready(trained(net, state, batch, key, *chosen)[2]))
    targets = int((np.asarray(batch.weight) > 0).sum())
    print(f"training: {targets / clock:,.0f} targets/s on the clock, {targets / processor:,.0f} a second of processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--passes", type=int, default=16)
    parser.add_argument("--no-training", action="store_true")
    wanted = parser.parse_args()
    print(f"load {Path('/proc/loadavg').read_text().split()[0]}, {os.cpu_count()} processors")
    net = TemporalFusion.drawn(SIZE, 0)
    serve(net, wanted.rounds, wanted.passes)
    if fusion is not None:
        serve(net, wanted.rounds, 0)
        beside_onnx(net, wanted.rounds)
    if not wanted.no_training:
        train(net, wanted.rounds)


if __name__ == "__main__":
    main()
