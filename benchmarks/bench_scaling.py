"""Replay on two processes and on two threads beside one worker, and what an instrument costs.

    python benchmarks/bench_scaling.py [--instruments 64] [--rows 60] [--rounds 5]

The tape is a synthetic market whose instruments are as unequal as a venue's: the n-th has about 1/n of the rows of the
first. The variants take turns in rounds, and of each the fastest run counts, because other work on the machine can
only make a run slower. A run is the whole of ``tickwax replay`` as its summary tells it, from the first row read to
the last file; beside it the whole command with start-up. A worker decodes and writes in threads of its own, so it is
shown on one core and on two. Items that crossed from one worker to another are counted.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from sources.instrument import Instrument
from sources.placement import BY_HASH, Placement
from sources.tape.reader import TapeReader

TICKWAX = [sys.executable, "-c", "from dataflows.cli import main; main()"]
SECOND = 1_000_000_000
ROWS_A_SECOND = 470  # of the synthetic market, an instrument

# Python runs it at the start of every process: what crosses a process is pickled, and that is noted.
HOOK = """
import os
from sources.tape import batch as events
plain = events.InstrumentBatch.__getnewargs__
def noting(self):
    with open(os.environ["NOTES"], "a") as file:
        file.write(str(self.instrument) + "\\n")
    return plain(self)
events.InstrumentBatch.__getnewargs__ = noting
"""


def write_tape(root: Path, count: int, millions: float) -> list[Instrument]:
    """``count`` instruments, the n-th with about 1/n of the first one's rows."""
    names = [Instrument("binance_futures", f"S{n:03d}USDT") for n in range(1, count + 1)]
    harmonic = sum(1 / n for n in range(1, count + 1))
    first = millions * 1e6 / harmonic / ROWS_A_SECOND
    for n, instrument in enumerate(names, 1):
        write_synthetic_tape(root, [instrument], max(int(first / n), 2) * SECOND, 7)
    return names


class Run(NamedTuple):
    """What one replay took."""

    seconds: float  # the whole command
    speed: float  # million tape rows a second, by its summary
    cpu: float  # s, of all its processes, start-up included
    memory: float  # MB at the most, of the largest process


def replay(tape: Path, features: Path, hooks: Path, cores: int, *flags: str) -> Run:
    """A replay as a user starts it, on so many cores."""
    around = os.environ | {"PYTHONPATH": f"{hooks}:{Path(__file__).parents[1]}", "NOTES": str(hooks / "notes")}
    command = [*TICKWAX, "replay", "--tape", str(tape), "--features", str(features), *flags]
    before = time.perf_counter()
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:cores])  # a process has what the one that starts it has
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=around)
    os.sched_setaffinity(0, allowed)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - before
    if status:
        raise SystemExit(f"{' '.join(flags)}: failed")
    speed = float(told.split("tape rows: ")[1].split(" M rows/s")[0])
    return Run(seconds, speed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def resident_mb() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def instrument_costs(console: Console, tape: Path, instrument: Instrument, count: int = 300) -> None:
    """Memory and state of an instrument, and what it takes to find 2 000 of them a place."""
    batches = list(TapeReader(tape, instrument).batches())
    warm = FeatureEngine(FeatureConfig())
    for batch in batches:
        warm.process(batch)
    few = batches[0].slice(0, 30_000)
    before = resident_mb()
    engines = [FeatureEngine(FeatureConfig()) for _ in range(count)]
    for engine in engines:
        engine.process(few)
    memory = (resident_mb() - before) / count * 1000
    state = len(warm.snapshot())
    began = time.perf_counter()
    for engine in engines:
        engine.snapshot()
    snapshot = (time.perf_counter() - began) / count * 1e6
    console.print(f"an instrument: {memory:.0f} kB of memory after {few.rows:,} rows; state of {state / 1000:.0f} kB "
                  f"after {sum(b.rows for b in batches):,} rows, a snapshot in {snapshot:.0f} µs")  # fmt: skip
    names = [Instrument("binance_futures", f"S{n:04d}USDT") for n in range(2000)]
    began = time.perf_counter()
    placement = Placement({str(i): 1_000_000 // n for n, i in enumerate(names, 1)})
    for i in names[::20]:
        placement.route(i, 20)
    console.print(f"2 000 instruments dealt to 20 workers, routes of 100: {time.perf_counter() - began:.2f} s")


def share_of_the_heaviest(placement: Placement, weights: dict[str, int], workers: int) -> float:
    """The largest load of a worker, over the mean; 1 is perfect."""
    loads = [0] * workers
    for key, weight in weights.items():
        loads[placement.home(Instrument.parse(key), workers)] += weight
    return max(loads) * workers / sum(loads)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--instruments", type=int, default=64)
    arguments.add_argument("--rows", type=float, default=60.0, help="million rows of the tape")
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "sitecustomize.py").write_text(HOOK)
        instruments = write_tape(work / "tape", chosen.instruments, chosen.rows)
        readers = [TapeReader(work / "tape", i) for i in instruments]
        rows = sum(reader.rows for reader in readers)
        weights = {str(reader.instrument): reader.weight(SECOND // 10) for reader in readers}
        variants: dict[str, tuple[int, tuple[str, ...]]] = {
            "one worker, one core": (1, ()),
            "one worker, two cores": (2, ()),
            "--processes 2": (2, ("--processes", "2")),
            "-w 2 (threads)": (2, ("-w", "2")),
        }
        runs: dict[str, list[Run]] = {variant: [] for variant in variants}
        for _ in range(chosen.rounds):
            for variant, (cores, flags) in variants.items():
                shutil.rmtree(work / "features", ignore_errors=True)  # to write over them would be part of the time
                runs[variant].append(replay(work / "tape", work / "features", work, cores, *flags))
        table = Table(title=f"{rows:,} tape rows of {len(instruments)} instruments, the first has {readers[0].rows:,}")
        for title in ("variant", "M rows/s", "× one", "whole command", "× one ", "processor time", "MB", "all runs"):
            table.add_column(title, justify="left" if title == "variant" else "right")
        best = {
            variant: Run(min(r.seconds for r in each), max(r.speed for r in each), min(r.cpu for r in each),
                         max(r.memory for r in each))
            for variant, each in runs.items()
        }  # fmt: skip
        alone = best["one worker, one core"]
        for variant, run in best.items():
            table.add_row(
                variant,
                f"{run.speed:.2f}",
                f"{run.speed / alone.speed:.2f}",
                f"{run.seconds:.1f} s",
                f"{alone.seconds / run.seconds:.2f}",
                f"{run.cpu:.1f} s",
                f"{run.memory:.0f}",
                " ".join(f"{r.speed:.2f}" for r in runs[variant]),
            )
        console.print(table)
        console.print(f"load average of the machine, {os.cpu_count()} cores: {os.getloadavg()[0]:.1f}")
        notes = work / "notes"
        console.print(f"items that crossed processes: {len(notes.read_text().split()) if notes.exists() else 0}")
        files = list((work / "features").rglob("*.parquet"))
        samples = sum(pq.read_metadata(file).num_rows for file in files)
        size = sum(file.stat().st_size for file in files)
        tape = sum(file.stat().st_size for file in (work / "tape").rglob("*.parquet"))
        console.print(f"{samples:,} feature rows of {size / samples:.0f} bytes, tape rows of {tape / rows:.1f} bytes")
        instrument_costs(console, work / "tape", instruments[0])
        for workers in (2, 4, 8, 16):
            dealt = share_of_the_heaviest(Placement(weights), weights, workers)
            hashed = share_of_the_heaviest(BY_HASH, weights, workers)
            console.print(f"{workers} workers, largest load over the mean: {dealt:.2f} by weight, {hashed:.2f} by name")


if __name__ == "__main__":
    main()
