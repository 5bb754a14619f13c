"""How fast a replay is, beside what bounds it, in one run.

    python benchmarks/bench_replay.py --capture CAPTURE.gz [--rows 10] [--big 50]

The capture (a raw hftbacktest capture of Binance USD-M, such as btcusdt_20240808.gz) is imported once and repeated, a
second apart with a `reset` between, until the tape has the wanted number of million rows. Without one, a synthetic
market stands in, and the table says so. Every figure is the best of several runs; ratios are within this run.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from dataflows.command_line.jobs.replay import run_replay
from dataflows.runtime.replay_run import Replay
from dataflows.settings.model import load_settings
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import RowBatch
from operators.schema import feature_schema
from sinks.row_format import arrow_schema, rows_to_arrow
from sinks.tape import TapeWriter
from sources.instrument import Instrument
from sources.tape.batch import DELTA, RESET, TapeBatch, concat, tape_batch
from sources.tape.reader import TapeReader

_RUNS = itertools.count()
TICKWAX = str(Path(sys.executable).with_name("tickwax"))
SECOND = 1_000_000_000
BTC = Instrument("binance_futures", "BTCUSDT")


def capture_rows(capture: Path | None, folder: Path) -> TapeBatch:
    """The tape that is repeated."""
    if capture:
        command = ["import", "hftbacktest", str(capture), "--venue", BTC.venue, "--symbol", BTC.symbol]
    else:
        command = ["synth", "--symbols", str(BTC), "--span", "20m"]
    subprocess.run([TICKWAX, *command, "--tape", str(folder)], check=True)
    return concat(list(TapeReader(folder, BTC).batches()))


def write_repeated(once: TapeBatch, millions: float, folder: Path, instrument: Instrument = BTC) -> int:
    """Repeat a tape until it has so many million rows; returns how many."""
    span = int(once.receive_ts.max() - once.receive_ts.min()) + SECOND
    writer = TapeWriter(folder, "bench")
    rows = 0
    while rows < millions * 1e6:
        shift = span * (rows // once.rows)
        start = once.slice(0, 1)._replace(ordinal=np.array([rows]), kind=np.array([RESET], np.int8))
        reset = tape_batch(**{**start._asdict(), "side": [0], "price": [0.0], "size": [0.0], "last": [True]})
        body = once._replace(ordinal=np.arange(rows + 1, rows + 1 + once.rows))
        for batch in (reset, body) if rows else (once,):
            moved = batch._replace(exchange_ts=batch.exchange_ts + shift, receive_ts=batch.receive_ts + shift)
            writer.write(instrument, moved)
            rows += batch.rows
    writer.commit()
    return rows


def tape_of(batch: TapeBatch, folder: Path) -> None:
    """Write a batch as a tape of its own."""
    writer = TapeWriter(folder, "bench")
    writer.write(BTC, batch)
    writer.commit()


def one_level_updates(start_ns: int, count: int = 1_000_000, rate: int = 100) -> TapeBatch:
    """A tape whose every row is an update, ``rate`` a second: one of the 30 best levels changes its size each time."""
    random = np.random.default_rng(1)
    side = np.where(random.random(count) < 0.5, 1, -1)
    level = random.integers(0, 30, count)
    ts = start_ns + SECOND // rate * np.arange(count)
    return tape_batch(
        ordinal=np.arange(count),
        exchange_ts=ts,
        receive_ts=ts,
        sequence=np.arange(count),
        kind=np.full(count, DELTA),
        side=side,
        price=np.where(side > 0, 6_000_000 - level, 6_000_001 + level) / 100,
        size=(1 + random.integers(0, 10_000, count)) / 1000,
        last=np.ones(count, bool),
    )


def best(run: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        before = perf_counter()
        run()
        seconds.append(perf_counter() - before)
    return min(seconds)


def process(*arguments: str) -> tuple[float, float]:
    """A verb as a user starts it: seconds of the whole process, and its peak memory in MB."""
    before = perf_counter()
    child = subprocess.Popen([TICKWAX, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"tickwax {' '.join(arguments)} failed")
    return perf_counter() - before, usage.ru_maxrss / 1024


def replay(tape: Path, features: Path, sampling: str = "100ms") -> Replay:
    """A replay inside this process, from the first read to the appearance of the files, in a new folder each time.

    To remove those of the run before would be part of the time: 23 ms for 40 MB.
    """
    target = features / str(next(_RUNS))
    flags = {"tape.path": str(tape), "features.path": str(target), "features.sampling": sampling}
    return run_replay(load_settings(flags))


def feature_parts(batches: list[TapeBatch], config: FeatureConfig) -> Iterator[RowBatch]:
    """Book and every feature of batches that are in memory."""
    engine = FeatureEngine(config)
    return (rows for batch in batches for rows in engine.parts(batch))


def kernels_alone(batches: list[TapeBatch], config: FeatureConfig) -> int:
    """The same, keeping nothing; returns the number of feature rows."""
    return sum(rows.rows for rows in feature_parts(batches, config))


def write_parquet(path: Path, parts: list[RowBatch], config: FeatureConfig) -> None:
    """Feature rows to one file, by PyArrow alone."""
    schema = feature_schema(config)
    arrow = arrow_schema(schema)
    with pq.ParquetWriter(path, schema, use_dictionary=["regime", "warm"]) as writer:
        writer.write_table(pa.Table.from_batches([rows_to_arrow(rows, schema, arrow) for rows in parts]))


def measure_grid(table: Table, work: Path, rows: int) -> None:
    """Rows every 100 ms."""
    tape, config = work / "tape", FeatureConfig()
    batches = list(TapeReader(tape, BTC).batches())
    kernels_alone(batches[:1], config)
    read = best(lambda: sum(b.rows for b in TapeReader(tape, BTC).batches()))
    bare = best(lambda: kernels_alone(batches, config))
    whole = best(lambda: replay(tape, work / "features"), 5)
    table.add_row("read and check the tape, nothing else", f"{rows / read / 1e6:.2f} M rows/s", "")
    table.add_row("bare kernels on arrays in memory", f"{rows / bare / 1e6:.2f} M rows/s", "")
    table.add_row("replay end to end", f"{rows / whole / 1e6:.2f} M rows/s", f"{bare / whole:.2f} × bare kernels")


def measure_updates(table: Table, work: Path, once: TapeBatch) -> None:
    """A row every update."""
    config, dense = FeatureConfig(sampling_ns=0), one_level_updates(int(once.exchange_ts[0]))
    tape_of(dense, work / "dense")
    batches = list(TapeReader(work / "dense", BTC).batches())
    parts = list(feature_parts(batches, config))
    rows = sum(part.rows for part in parts)
    bare = best(lambda: kernels_alone(batches, config))
    write = best(lambda: write_parquet(work / "bound.parquet", parts, config))
    whole = best(lambda: replay(work / "dense", work / "features", "update"), 5)
    table.add_row("feature rows to Parquet, nothing else", f"{rows / write / 1e3:.0f} k rows/s", "")
    table.add_row("update sampling, bare kernels", f"{rows / bare / 1e3:.0f} k rows/s", "")
    table.add_row(
        "update sampling, end to end", f"{rows / whole / 1e3:.0f} k rows/s", f"{bare / whole:.2f} × bare kernels"
    )


def measure_process(table: Table, work: Path, once: TapeBatch, rows: int, big: float) -> None:
    """Memory, and the time that a small replay takes from the shell."""
    flags = ("--features", str(work / "whole-features"), "--overwrite")
    _, memory = process("replay", "--tape", str(work / "tape"), *flags)
    table.add_row("peak memory", f"{memory:.0f} MB", f"{rows / 1e6:.0f} M rows")
    if big:
        rows = write_repeated(once, big, work / "big")
        seconds, memory = process("replay", "--tape", str(work / "big"), *flags)
        speed = f"{rows / seconds / 1e6:.2f} M rows/s with start-up"
        table.add_row("peak memory", f"{memory:.0f} MB", f"{rows / 1e6:.0f} M rows, {speed}")
    tape_of(once.slice(0, 20_000), work / "small")
    seconds = best(lambda: process("replay", "--tape", str(work / "small"), *flags))
    table.add_row("a tape of 20 000 rows, from the shell", f"{seconds:.2f} s", "kernels cached")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--capture", type=Path)
    arguments.add_argument("--rows", type=float, default=10.0, help="million rows of the tape")
    arguments.add_argument(
        "--big", type=float, default=50.0, help="million rows of the tape that memory is measured on"
    )
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        once = capture_rows(chosen.capture, work / "once")
        rows = write_repeated(once, chosen.rows, work / "tape")
        table = Table(
            "figure", "value", "beside", title=f"{rows:,} tape rows of {chosen.capture or 'a synthetic market'}"
        )
        # First, while this process is small: the system counts a child's peak from before it became another program.
        measure_process(table, work, once, rows, chosen.big)
        measure_grid(table, work, rows)
        measure_updates(table, work, once)
    Console().print(table)


if __name__ == "__main__":
    main()
