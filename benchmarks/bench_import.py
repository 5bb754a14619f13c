"""Import of a raw capture against a plain loop over the same file.

Usage: ``python benchmarks/bench_import.py [CAPTURE.gz [SYMBOL]]``. Prints the best of several alternating runs of each,
in one process, and their ratio. The import is the whole verb: fingerprint, decode, sequence check, Parquet on disk; the
loop only reads the JSON and turns every price and size into a float.
"""

import gzip
import json
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

from dataflows.importing import import_files
from sources.importers import hftbacktest
from sources.instrument import Instrument

DATA = Path(os.environ.get("TICKWAX_TEST_DATA") or Path(__file__).parent.parent.parent / "shared" / "data")
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


def tape_import(path: Path, instrument: Instrument) -> None:
    """The import onto a new tape, which is removed outside the measured time."""
    import_files(TAPE, [path], partial(hftbacktest.read, instrument=instrument), instrument)


TAPE = Path(tempfile.mkdtemp(prefix="tickwax-bench-")) / "tape"


def main() -> None:
    """Measure and print."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "binance_usdm" / "btcusdt_20240808.gz"
    instrument = Instrument("binance_futures", sys.argv[2] if len(sys.argv) > 2 else "BTCUSDT")
    best = {"loop": float("inf"), "import": float("inf")}
    tape_import(path, instrument)  # kernels are compiled, or loaded from their cache
    for _ in range(RUNS):
        shutil.rmtree(TAPE)
        for name, run in (("loop", lambda: plain_loop(path)), ("import", lambda: tape_import(path, instrument))):
            start = perf_counter()
            run()
            best[name] = min(best[name], perf_counter() - start)
    shutil.rmtree(TAPE.parent)
    ratio = best["import"] / best["loop"]
    print(f"plain loop {best['loop'] * 1e3:.0f} ms, import {best['import'] * 1e3:.0f} ms, ratio {ratio:.3f}")
    print(f"target at most {TARGET}: {'met' if ratio <= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
