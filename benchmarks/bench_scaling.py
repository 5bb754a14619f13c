"""Replay on two processes and on two threads beside one worker, and what an instrument costs.

    python benchmarks/bench_scaling.py [--instruments 64] [--rows 12] [--rounds 5]

The tape is a synthetic market whose instruments are as unequal as a venue's: the n-th has about 1/n of the rows of the
first. The variants take turns in rounds, and of each the fastest run counts, because other work on the machine can
only make a run slower. A run is the whole of ``tickwax replay`` as its summary tells it, from the first row read to
the last file; beside it the whole command with start-up. Items that crossed from one worker to another are counted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataflows.synthesis import write_synthetic_tape
from sources.balance import BY_HASH, Placement
from sources.instrument import Instrument
from sources.tape.reader import TapeReader

TICKWAX = [sys.executable, "-c", "from dataflows.cli import main; main()"]
SECOND = 1_000_000_000
ROWS_A_SECOND = 470  # of the synthetic market, an instrument

# Python runs it at the start of every process: what crosses a process is pickled, and that is noted.
HOOK = """
import os
from sources import events
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


def replay(tape: Path, features: Path, hooks: Path, *flags: str) -> tuple[float, float]:
    """Seconds of the whole command, and million rows a second by its summary."""
    around = os.environ | {"PYTHONPATH": f"{hooks}:{Path(__file__).parents[1]}", "NOTES": str(hooks / "notes")}
    command = [*TICKWAX, "replay", "--tape", str(tape), "--features", str(features), "--overwrite", *flags]
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=around)
    seconds = time.perf_counter() - before
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds, float(done.stdout.split("tape rows: ")[1].split(" M rows/s")[0])


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
    arguments.add_argument("--rows", type=float, default=12.0, help="million rows of the tape")
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "sitecustomize.py").write_text(HOOK)
        instruments = write_tape(work / "tape", chosen.instruments, chosen.rows)
        readers = [TapeReader(work / "tape", i) for i in instruments]
        rows = sum(reader.rows for reader in readers)
        weights = {str(reader.instrument): reader.weight(SECOND // 10) for reader in readers}
        variants = {
            "one worker": (),
            "--processes 2": ("--processes", "2"),
            "-w 2 (threads)": ("-w", "2"),
        }
        best: dict[str, tuple[float, float]] = {}
        for _ in range(chosen.rounds):
            for variant, flags in variants.items():
                seconds, speed = replay(work / "tape", work / "features", work, *flags)
                before = best.get(variant, (seconds, speed))
                best[variant] = (min(before[0], seconds), max(before[1], speed))
        table = Table(title=f"{rows:,} tape rows of {len(instruments)} instruments, the first has {readers[0].rows:,}")
        for title in ("variant", "M rows/s", "× one", "whole command", "× one "):
            table.add_column(title, justify="left" if title == "variant" else "right")
        alone = best["one worker"]
        for variant, (seconds, speed) in best.items():
            ratio, whole = f"{speed / alone[1]:.2f}", f"{alone[0] / seconds:.2f}"
            table.add_row(variant, f"{speed:.2f}", ratio, f"{seconds:.1f} s", whole)
        console.print(table)
        notes = work / "notes"
        console.print(f"items that crossed processes: {len(notes.read_text().split()) if notes.exists() else 0}")
        for workers in (2, 4, 8, 16):
            dealt = share_of_the_heaviest(Placement(weights), weights, workers)
            hashed = share_of_the_heaviest(BY_HASH, weights, workers)
            console.print(f"{workers} workers, largest load over the mean: {dealt:.2f} by weight, {hashed:.2f} by name")


if __name__ == "__main__":
    main()
