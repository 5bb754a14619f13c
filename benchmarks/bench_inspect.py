"""``tickwax inspect`` of a long tape: ``python benchmarks/bench_inspect.py [--rows 100e6] [--instruments 1]``.

The tape repeats a synthetic market's rows, shifted in time and ordinal, until it is long enough; each repetition begins
with a snapshot. Prints the wall time of the whole command, start of the interpreter included,
rows a second, processor time, and the most memory that was resident. Making the tape takes longer, and is not measured.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sources.tape.schema import TAPE_SCHEMA

TICKWAX = [sys.executable, "-c", "from dataflows.cli import main; main()"]
RUNS = 3
_SPAN_S = 3600  # of the market that is repeated


def _synthetic(folder: Path) -> pa.Table:
    """An hour of one instrument."""
    words = ["synth", "--tape", str(folder), "--symbols", "binance_futures:BTCUSDT", "--span", f"{_SPAN_S}s"]
    subprocess.run([*TICKWAX, *words], check=True, capture_output=True)
    files = sorted(folder.rglob("*.parquet"))
    tables = [pq.read_table(file, schema=TAPE_SCHEMA, partitioning=None) for file in files]
    return pa.concat_tables(tables).combine_chunks()


def _shifted(table: pa.Table, n: int) -> pa.Table:
    """Its n-th repetition."""
    by_ns = pa.scalar(n * (_SPAN_S + 1) * 10**9, pa.duration("ns"))
    for name in ("exchange_ts", "receive_ts"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pc.add(table[name], by_ns))
    at = table.schema.get_field_index("ordinal")
    return table.set_column(at, table.schema.field(at), pc.add(table["ordinal"], n * table.num_rows))


def _write(table: pa.Table, root: Path, symbols: list[str], rows: int) -> Iterator[int]:
    for symbol in symbols:
        for n in range(max(1, round(rows / len(symbols) / table.num_rows))):
            part = _shifted(table, n)
            days = pc.strftime(part["receive_ts"], format="%Y-%m-%d")
            for day in pc.unique(days).to_pylist():
                folder = root / "exchange=binance_futures" / f"symbol={symbol}" / f"date={day}"
                folder.mkdir(parents=True, exist_ok=True)
                of_day = part.filter(pc.equal(days, day))
                pq.write_table(of_day, folder / f"{n:06}.parquet", compression="snappy", row_group_size=1 << 20)
                yield of_day.num_rows


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=float, default=100e6)
    arguments.add_argument("--instruments", type=int, default=1)
    chosen = arguments.parse_args()
    symbols = [f"S{n}USDT" for n in range(chosen.instruments)]
    with tempfile.TemporaryDirectory() as folder:
        table = _synthetic(Path(folder) / "once")
        tape = Path(folder) / "tape"
        rows = sum(_write(table, tape, symbols, int(chosen.rows)))
        print(f"{rows:,} rows, {len(symbols)} instruments, {os.cpu_count()} cores")
        for _ in range(RUNS):
            begin = perf_counter()
            process = subprocess.Popen([*TICKWAX, "inspect", str(tape), "--json"],
                                       stdout=subprocess.DEVNULL)  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - begin
            code = os.waitstatus_to_exitcode(status)
            busy = usage.ru_utime + usage.ru_stime
            print(
                f"{seconds:.2f} s, {rows / seconds / 1e6:.1f} M rows/s, processor time {busy:.2f} s, "
                f"{usage.ru_maxrss / 1024:.0f} MB, exit {code}"
            )


if __name__ == "__main__":
    main()
