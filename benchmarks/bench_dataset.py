"""Labels: the barrier kernels alone, and `tickwax dataset` as its users run it.

    python benchmarks/bench_dataset.py [--span 14h] [--rounds 3]

A synthetic market with an edge of 0.3 is replayed at 10 ms, five million feature rows of 14 hours, for labels of up to
3 s (300 rows); the tape has four rows for each. Every round runs the kernels over all rows in one process, the verb in
another, and what bounds it in a third: the same columns of the same features read by PyArrow, a row group at a time,
and the columns of the data set written again. The fastest of the rounds counts, by the clock and in processor time;
the second shows less of what else the machine does. The verb's time includes the start of the
process; what that takes is shown by labelling a minute of tape.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from operators.labels.config import LabelConfig
from operators.labels.engine import Labeller, LabelRows

MS = 1_000_000
CHOSEN = {
    "four columns": "ofi_l5_1s,ofi_l5_5s,trade_imbalance_1s,volatility",
    "eight columns": "ofi_l5_1s,ofi_l5_5s,trade_imbalance_1s,volatility,mid,spread,microprice,depth_imbalance_l5",
}
HORIZONS, BARRIER = "100ms,500ms,3s", "3s"
CONFIG = LabelConfig(
    step_ns=10 * MS, barrier_ns=3000 * MS, horizons=(("100ms", 100 * MS), ("500ms", 500 * MS), ("3s", 3000 * MS))
)
Times = tuple[float, float]  # on the clock and of the processors, s


def tickwax(*arguments: object) -> Times:
    """Run a verb to its end."""
    before, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).parent / "tickwax", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL
    )
    clock, after = time.perf_counter() - before, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def here(work: Callable[[], object]) -> Times:
    before, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - before, time.process_time() - used


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("*.parquet"))


def label(root: Path) -> Times:
    """The kernels over all rows, 16,384 a call."""
    table = pa.concat_tables(
        pq.read_table(file, columns=["ts", "mid", "volatility"], partitioning=None) for file in files(root)
    )
    ts = table["ts"].cast(pa.int64()).to_numpy()
    mid, deviation = table["mid"].to_numpy(), table["volatility"].to_numpy()
    warm = np.ones(len(ts), bool)
    labeller = Labeller(CONFIG)

    def add(start: int, stop: int) -> None:
        part = slice(start, stop)
        labeller.add(LabelRows(ts[part], mid[part], mid[part], mid[part], deviation[part], warm[part]))

    add(0, 1000)  # compiles
    return here(lambda: [add(start, start + (1 << 14)) for start in range(1000, len(ts), 1 << 14)])


def read_and_write(features: Path, data: Path, columns: str, to: Path) -> Times:
    """What nobody can do without: read the features' columns, and write those of the data set."""
    names = ["ts", "receive_ts", "ordinal", "warm", *dict.fromkeys([*columns.split(","), "mid", "volatility"])]
    table = pa.concat_tables(pq.read_table(file, partitioning=None) for file in files(data))

    def work() -> None:
        for file in files(features):
            with pq.ParquetFile(file) as each:
                for group in range(each.num_row_groups):
                    each.read_row_group(group, names, use_threads=True)
        pq.write_table(table, to, row_group_size=1 << 15, use_dictionary=["warm", "barrier"])

    return here(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--span", default="14h")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="bench_dataset"))
    try:
        for name, span in (("whole", wanted.span), ("minute", "1m")):
            tape, features = root / f"tape-{name}", root / f"features-{name}"
            tickwax("synth", "--span", span, "--edge", "0.3", "--symbols", "binance_futures:XUSDT", "--tape", tape)
            tickwax("replay", "--tape", tape, "--features", features, "--sampling", "10ms")
        measure(root, wanted.rounds)
    finally:
        shutil.rmtree(root)


def measure(root: Path, rounds: int) -> None:
    rows = sum(pq.read_metadata(file).num_rows for file in files(root / "features-whole"))
    tape = sum(pq.read_metadata(file).num_rows for file in files(root / "tape-whole"))
    found: dict[str, list[Times]] = {}
    for _ in range(rounds):
        found.setdefault("kernels alone", []).append(label(root / "features-whole"))
        for name, columns in CHOSEN.items():
            for part in ("minute", "whole"):
                shutil.rmtree(root / "data", ignore_errors=True)
                found.setdefault(f"{name}: tickwax dataset, {part}", []).append(
                    tickwax(
                        "dataset", "--tape", root / f"tape-{part}", "--features", root / f"features-{part}", "--out",
                        root / "data", "--columns", columns, "--horizons", HORIZONS, "--barrier", BARRIER,
                    )
                )  # fmt: skip
            found.setdefault(f"{name}: PyArrow reads and writes", []).append(
                read_and_write(root / "features-whole", root / "data", columns, root / "again.parquet")
            )
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"{rows:,} feature rows, {tape:,} of tape; load {load}, {os.cpu_count()} processors")
    for name, times in found.items():
        clock, processor = (min(each) for each in zip(*times, strict=True))
        if "minute" in name:
            print(f"{name:48} {clock:6.2f} s on the clock, {processor:6.2f} s of processor")
            continue
        print(
            f"{name:48} {clock:6.2f} s on the clock, {processor:6.2f} s of processor: "
            f"{rows / clock / 1e6:.2f} and {rows / processor / 1e6:.2f} M rows/s"
        )


if __name__ == "__main__":
    main()
