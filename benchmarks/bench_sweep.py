"""A sweep of 64 backtests on two processes beside one.

    python benchmarks/bench_sweep.py [--minutes 60] [--rounds 3]

The tape is a synthetic market of one instrument. One process and two take turns in rounds, and of each the fastest
sweep counts, because other work on the machine can only make one slower. A sweep is from its start to the file that is
written, as its summary tells; beside it the whole command with start-up, and the largest of the processes in memory.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from dataflows.assembly.synthetic_tape import write_synthetic_tape
from sources.instrument import Instrument

TICKWAX = [sys.executable, "-c", "from dataflows.cli import main; main()"]
SECOND = 1_000_000_000
GRID = """
[strategy]
name = "glft"
size = 0.1
gamma = [0.01, 0.02, 0.05, 0.1]
k = [0.1, 0.2, 0.3, 0.5]
[execution]
queue = ["power", "risk_averse"]
latency_entry = ["1ms", "10ms"]
"""


def sweep(folder: Path, processes: int, out: str) -> tuple[float, float, int]:
    """Seconds of the sweep and of the command, and MB of its largest process."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [*TICKWAX, "backtest", "--sweep", "grid.toml", "--tape", "tape", "--out", out, "--processes", str(processes)],
        cwd=folder, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)  # with the processes that it waited for
    if status:
        sys.exit("the sweep failed")
    found = re.search(r"64 runs in ([\d.]+) s", said)
    assert found
    return float(found[1]), time.perf_counter() - began, usage.ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        instrument = Instrument("binance_futures", "BTCUSDT")
        write_synthetic_tape(folder / "tape", [instrument], wanted.minutes * 60 * SECOND, 7)
        (folder / "grid.toml").write_text(GRID)
        sweep(folder, 1, "warm")  # compiles, and has the tape in the page cache
        best = {1: (float("inf"),) * 3, 2: (float("inf"),) * 3}
        for n in range(wanted.rounds):
            for processes in best:
                best[processes] = min(best[processes], sweep(folder, processes, f"out{n}-{processes}"))
        tables = [pl.read_parquet(folder / f"out0-{p}/**/*.parquet").drop("seconds") for p in best]
        assert tables[0].equals(tables[1])
    for processes, (seconds, whole, megabytes) in best.items():
        print(f"{processes} process(es): 64 runs in {seconds:.2f} s, the command {whole:.2f} s; {megabytes:,} MB")
    print(f"two are {best[1][0] / best[2][0]:.2f} times as fast, as whole commands {best[1][1] / best[2][1]:.2f}")


if __name__ == "__main__":
    main()
