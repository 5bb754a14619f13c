"""Import of history against plain reading of the files with Polars: ``python benchmarks/bench_history.py``.

The files are made up, a million rows each, in the layouts of the archives. An import is what it reads and
puts into rows of a tape, without Parquet on disk; Polars parses every column and throws the frame away. Prints the best
of several alternating runs of each.
"""

import argparse
import gzip
import io
import json
import random
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from sources.importers import binance_vision, bybit_archive, bybit_trades, tardis
from sources.importers.stats import ImportStats
from sources.tape.builder import TapeTail

RUNS = 3
TARGET = 2.0
_MS = 1_733_011_200_000
_DEPTH = ",".join(binance_vision.DEPTH_COLUMNS)
_TARDIS = "exchange,symbol,timestamp,local_timestamp"
_LEVELS = 25


def zipped(path: Path, lines: Iterable[str]) -> Path:
    """A zip of one member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.stem, "\n".join(lines) + "\n")
    return path


def gzipped(path: Path, lines: Iterable[str]) -> Path:
    """A gzip file."""
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 6))
    return path


def files(folder: Path, rows: int) -> dict[str, tuple[Callable[..., Any], list[Path]]]:
    """What is imported, by name: the reader and its files."""
    rng = random.Random(1)
    prints = [(n, 60_000 + rng.randrange(-500, 500) / 10, rng.randrange(1, 999) / 1e3, rng.random() < 0.5)
              for n in range(rows)]  # fmt: skip
    ids = (uuid.UUID(int=rng.getrandbits(128)) for _ in prints)
    bybit = gzipped(folder / "BTCUSDT2024-12-01.csv.gz", [
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional",
        *(f"{(_MS + n) / 1e3:.4f},BTCUSDT,{'Buy' if buy else 'Sell'},{q},{p},PlusTick,{name},"
          f"{q * p * 1e8:.6g},{q},{q * p}"
          for (n, p, q, buy), name in zip(prints, ids, strict=True)),
    ])  # fmt: skip
    aggregates = zipped(folder / "BTCUSDT-aggTrades-2024-12-01.zip", [
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        *(f"{n},{p},{q},{2 * n},{2 * n + 1},{_MS + n},{'false' if buy else 'true'}" for n, p, q, buy in prints),
    ])  # fmt: skip
    snapshot = folder / "BTCUSDT_T_DEPTH_2024-12-01_depth_snap.csv"
    levels = [(side, 60_000 + way * n / 10) for side, way in (("b", -1), ("a", 1)) for n in range(1, 1001)]
    snapshot.write_text("\n".join([_DEPTH, *(f"BTCUSDT,{_MS},1,1,{side},snap,{p},1.5,-1" for side, p in levels), ""]))
    updates = zipped(folder / "BTCUSDT_T_DEPTH_2024-12-01.zip", [
        _DEPTH,
        *(f"BTCUSDT,{_MS + 5 * (n // 5)},{n // 5 + 1},{n // 5 + 2},{'ab'[n % 2]},set,{p},{q},{n // 5 + 1}"
          for n, p, q, _ in prints),
    ])  # fmt: skip
    books = zipped(folder / "2024-12-01_BTCUSDT_ob500.data.zip", (book(n) for n in range(rows // 10)))
    l2 = gzipped(folder / "l2.csv.gz", [
        f"{_TARDIS},is_snapshot,side,price,amount",
        *(f"binance-futures,BTCUSDT,{_MS + n // 5}000,{_MS + n // 5}500,{'false' if n > 4 else 'true'},"
          f"{'bid' if n % 2 else 'ask'},{p},{q}" for n, p, q, _ in prints),
    ])  # fmt: skip
    trades = gzipped(folder / "trades.csv.gz", [
        f"{_TARDIS},id,side,price,amount",
        *(f"binance-futures,BTCUSDT,{_MS + n}000,{_MS + n}500,{n},{'buy' if buy else 'sell'},{p},{q}"
          for n, p, q, buy in prints),
    ])  # fmt: skip
    names = [f"{side}[{n}].{what}" for n in range(_LEVELS) for side in ("asks", "bids") for what in ("price", "amount")]
    wide = gzipped(folder / "wide.csv.gz", [
        f"{_TARDIS},{','.join(names)}",
        *(f"binance-futures,BTCUSDT,{_MS + n}000,{_MS + n}500,"
          + ",".join(f"{p + i / 10:.1f},{q},{p - i / 10:.1f},{q}" for i in range(1, _LEVELS + 1))
          for n, p, q, _ in prints[: rows // (2 * _LEVELS)]),
    ])  # fmt: skip
    vision = partial(binance_vision.read, symbol="BTCUSDT")
    archive = partial(bybit_archive.read, category="linear")
    return {
        "bybit-trades": (bybit_trades.read, [bybit]),
        "bybit-archive": (archive, [books]),
        "bybit-archive with trades": (archive, [books, bybit]),
        "binance-vision, aggTrades": (vision, [aggregates]),
        "binance-vision, T_DEPTH": (vision, [snapshot, updates]),
        "binance-vision, both": (vision, [snapshot, updates, aggregates]),
        "tardis, incremental_book_L2": (tardis.read, [l2]),
        "tardis, trades": (tardis.read, [trades]),
        "tardis, book_snapshot_25": (tardis.read, [wide]),
    }


def book(n: int) -> str:
    """A frame of Bybit's archive, of ten levels."""
    sides = {
        side: [[f"{base + (7 * n + i) % 500 / 10:.2f}", f"{(13 * n + i) % 50 / 10:.3f}"] for i in range(5)]
        for side, base in (("b", 60_000), ("a", 60_100))
    }
    frame = {"topic": "orderbook.500.BTCUSDT", "type": "delta" if n else "snapshot", "ts": _MS + 10 * n + 3,
             "data": {"s": "BTCUSDT", **sides, "u": 100 + n, "seq": 3 * n}, "cts": _MS + 10 * n}  # fmt: skip
    return json.dumps(frame, separators=(",", ":"))


def plain(path: Path) -> None:
    """What an import is measured against."""
    if path.suffix != ".zip":
        pl.read_csv(path)
        return
    with zipfile.ZipFile(path) as archive:
        content = archive.read(archive.namelist()[0])
    if path.name.endswith(".data.zip"):
        pl.read_ndjson(io.BytesIO(content))
    else:
        pl.read_csv(io.BytesIO(content))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000, help="rows of each file")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, (reader, paths) in files(Path(folder), chosen.rows).items():
            best, whole, rows = float("inf"), float("inf"), 0
            for _ in range(RUNS):
                start = perf_counter()
                for path in paths:
                    plain(path)
                middle = perf_counter()
                items = reader(paths, lambda _: TapeTail(), ImportStats(), lambda _: None)
                rows = sum(item.batch.rows for item in items)
                best, whole = min(best, middle - start), min(whole, perf_counter() - middle)
            ratio = whole / best
            print(f"{name}: Polars {best:.2f} s, import {whole:.2f} s, {rows / whole / 1e6:.1f} M rows/s, "
                  f"ratio {ratio:.2f}: {'met' if ratio <= TARGET else 'MISSED'}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
