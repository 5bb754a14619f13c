"""Import of a raw capture against a plain loop over the same file: ``python benchmarks/bench_import.py CAPTURE.gz``.

Prints the best of several alternating runs of each,
in one process, and their ratio. The import is the whole verb: fingerprint, decode, sequence check, Parquet on disk; the
loop only reads the JSON and turns every price and size into a float.
"""

import argparse
import gzip
import json
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

from dataflows.assembly.importing import import_files
from sources.importers import hftbacktest
from sources.instrument import Instrument

RUNS = 7
TARGET = 0.2


def plain_loop(path: Path) -> None:
    """What the import is measured against."""
    with gzip.open(path) as file:
        for line in file:
            _, text = line.split(b" ", 1)
            frame = json.loads(text)
            data = frame.get("data", frame)
            for side in ("b", "a", "bids", "asks"):
                levels = data.get(side)
                if isinstance(levels, list):
                    for price, size in levels:
                        float(price)
                        float(size)
            if data.get("e") == "trade":
                float(data["p"])
                float(data["q"])


def tape_import(path: Path, instrument: Instrument, tape: Path) -> None:
    """The import onto a new tape, which is removed outside the measured time."""
    import_files(tape, [path], partial(hftbacktest.read, instrument=instrument), instrument)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("capture", type=Path, help="raw hftbacktest capture of Binance USD-M")
    arguments.add_argument("--symbol", default="BTCUSDT")
    chosen = arguments.parse_args()
    instrument = Instrument("binance_futures", chosen.symbol)
    best = {"loop": float("inf"), "import": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        tape_import(chosen.capture, instrument, Path(folder) / "0")  # kernels are compiled, or loaded from their cache
        for n in range(1, RUNS + 1):
            start = perf_counter()
            plain_loop(chosen.capture)
            middle = perf_counter()
            tape_import(chosen.capture, instrument, Path(folder) / str(n))
            best["loop"] = min(best["loop"], middle - start)
            best["import"] = min(best["import"], perf_counter() - middle)
    ratio = best["import"] / best["loop"]
    print(f"plain loop {best['loop'] * 1e3:.0f} ms, import {best['import'] * 1e3:.0f} ms, ratio {ratio:.3f}")
    print(f"target at most {TARGET}: {'met' if ratio <= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
