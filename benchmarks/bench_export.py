"""Exports of a tape beside what else writes such files:

    python benchmarks/bench_export.py TAPE [--capture CAPTURE.gz]

Times of the exports are those of the whole verb without the start of the process. Beside them: hftbacktest's converter,
which reads the raw capture (install `.[bench]`), and Polars, which reads the same Parquet files and writes the same
columns as CSV, plain and packed with gzip. The best of several alternating rounds in one process, by the wall clock and
in processor time; the peak memory of the process after the exports, before the peers begin.
"""

import argparse
import contextlib
import gzip
import io
import resource
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time

import polars as pl

from dataflows.assembly.export_csv import export_csv
from dataflows.assembly.export_hftbacktest import export_hftbacktest
from dataflows.assembly.importing import import_files
from sources.importers import hftbacktest
from sources.instrument import Instrument
from sources.tape.layout import instruments
from sources.tape.reader import TapeReader

ROUNDS = 5
AIM = 5e6  # rows a second to npz

Measured = dict[str, tuple[float, float]]  # seconds, by the wall clock and of the processor


def measure(best: Measured, name: str, run: Callable[[], object]) -> None:
    wall, processor = perf_counter(), process_time()
    run()
    wall, processor = perf_counter() - wall, process_time() - processor
    before = best.get(name, (float("inf"), float("inf")))
    best[name] = min(before[0], wall), min(before[1], processor)


def readers(tape: Path) -> list[TapeReader]:
    return [TapeReader(tape, instrument) for instrument in instruments(tape)]


def to_npz(tape: Path, out: Path, compress: bool) -> None:
    export_hftbacktest(readers(tape), out, overwrite=True, compress=compress, wait=False, progress=lambda i, n: None)


def to_csv(tape: Path, out: Path) -> None:
    export_csv(readers(tape), out, overwrite=True, progress=lambda i, n: None)


def polars_csv(tape: Path, out: Path, packed: bool) -> None:
    """The same columns in one file a kind, by Polars."""
    rows = pl.read_parquet(tape)
    kind = pl.col("kind").cast(pl.String)
    common = [
        "exchange", "symbol", pl.col("exchange_ts").dt.epoch("us").alias("timestamp"),
        pl.col("receive_ts").dt.epoch("us").alias("local_timestamp"),
    ]  # fmt: skip
    book = rows.filter(kind.is_in(["snapshot", "delta"])).select(
        *common, (kind == "snapshot").alias("is_snapshot"),
        pl.when(pl.col("side") > 0).then(pl.lit("bid")).otherwise(pl.lit("ask")).alias("side"),
        "price", pl.col("size").alias("amount"),
    )  # fmt: skip
    trades = rows.filter(kind == "trade").select(
        *common, pl.col("sequence").alias("id"),
        pl.when(pl.col("side") > 0).then(pl.lit("buy")).otherwise(pl.lit("sell")).alias("side"),
        "price", pl.col("size").alias("amount"),
    )  # fmt: skip
    for name, frame in (("book", book), ("trades", trades)):
        if packed:
            with gzip.open(out / f"{name}.csv.gz", "wb", compresslevel=1) as file:
                frame.write_csv(file)
        else:
            frame.write_csv(out / f"{name}.csv")


def against_converter(capture: Path, folder: Path) -> None:
    """The raw capture by hftbacktest's converter, and by way of a tape."""
    if not find_spec("hftbacktest"):
        print("hftbacktest is not installed: nothing beside the export to npz")
        return
    from hftbacktest.data.utils import binancefutures

    instrument = Instrument("binance_futures", capture.name.partition("_")[0].upper())
    tape = folder / "capture"
    import_files(tape, [capture], partial(hftbacktest.read, instrument=instrument), instrument)
    best: Measured = {}
    for n in range(ROUNDS):
        with contextlib.redirect_stdout(io.StringIO()):
            convert = partial(binancefutures.convert, str(capture), str(folder / "theirs.npz"), buffer_size=2_000_000)
            measure(best, "converter", convert)
        new = folder / f"tape{n}"
        imports = partial(hftbacktest.read, instrument=instrument)
        measure(best, "import", partial(import_files, new, [capture], imports, instrument))
        measure(best, "export", partial(to_npz, tape, folder / "npz", True))
    theirs, ours = best["converter"][0], best["import"][0] + best["export"][0]
    print(f"capture to npz: hftbacktest's converter {theirs:.2f} s, import and export {ours:.2f} s "
          f"(export alone {best['export'][0]:.3f} s): {theirs / ours:.1f} × as fast")  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("tape", type=Path)
    arguments.add_argument("--capture", type=Path, help="raw hftbacktest capture of Binance USD-M, SYMBOL_….gz")
    chosen = arguments.parse_args()
    rows = sum(reader.rows for reader in readers(chosen.tape))
    best: Measured = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "polars").mkdir()
        ours = {
            "npz": partial(to_npz, chosen.tape, folder / "stored", False),
            "npz, compressed": partial(to_npz, chosen.tape, folder / "packed", True),
            "csv.gz": partial(to_csv, chosen.tape, folder / "csv"),
        }
        for export in ours.values():  # kernels are compiled, or loaded from their cache
            export()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peers = {
            "Polars' csv": partial(polars_csv, chosen.tape, folder / "polars", False),
            "Polars' csv, gzip": partial(polars_csv, chosen.tape, folder / "polars", True),
        }
        for _ in range(ROUNDS):
            for what, run in {**ours, **peers}.items():
                measure(best, what, run)
        for what, (wall, processor) in best.items():
            print(f"{what}: {rows / wall / 1e6:.2f} M rows/s, {rows / processor / 1e6:.2f} M a second of the processor")
        packed, plain, own = (best[what][0] for what in ("Polars' csv, gzip", "Polars' csv", "csv.gz"))
        print(f"csv.gz beside Polars with gzip: {packed / own:.2f} ×, beside its plain CSV {plain / own:.2f} ×")
        for what in ("npz, compressed", "npz"):
            print(f"{what}: aim {AIM / 1e6:.0f} M rows/s: {'met' if rows / best[what][0] >= AIM else 'MISSED'}")
        print(f"peak memory of the exports: {peak / 1024:.0f} MB, {rows:,} rows")
        shutil.rmtree(folder / "polars")
        if chosen.capture:
            against_converter(chosen.capture, folder)


if __name__ == "__main__":
    main()
