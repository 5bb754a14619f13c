"""cryptofeed, pandas, Polars and Bytewax's own operators on the capture."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.bench_decode import BookAlone, capture_frames, decode_live
from benchmarks.bench_replay import BTC, kernels_alone, replay, tape_of
from benchmarks.figures.table import Section, fastest, rate, times
from benchmarks.peers import ticks as bytewax_ticks
from benchmarks.peers.feed import follow_book
from benchmarks.peers.frames import DEPTHS, WINDOWS, ofi_pandas, ofi_polars
from benchmarks.peers.plain import ticks
from dataflows.command_line.jobs.replay import run_replay
from dataflows.settings.model import load_settings
from operators.config import FeatureConfig, depth_label
from operators.ofi import order_flow_imbalance
from sources.tape.batch import TapeBatch
from sources.tape.layout import data_files


def decoding(capture: Path, rounds: int) -> Section:
    """Frames to a book."""
    frames = [frame for frame in capture_frames(capture) if b"@trade" not in frame[1][:60]]
    updates, _ = follow_book(frames)
    spent = fastest(
        {
            "cryptofeed": lambda: follow_book(frames),
            **{f"{n}": lambda n=n: decode_live(frames, n, BookAlone) for n in (1, 8, 64)},
        },
        rounds,
    )
    section = Section(
        "Frames of the capture to a book",
        f"The {len(frames):,} book frames, of which cryptofeed takes {updates:,}: its Binance futures handler with "
        "its book (prices are `Decimal`), a callback a frame, REST answered by the capture. tickwax decodes, checks "
        "the sequence, makes tape rows and keeps the book.",
    )
    for name, (wall, ours, _) in spent.items():
        beside = times(ours, spent["cryptofeed"].processor, "cryptofeed")
        what = f"tickwax, {name} frames at once" if name.isdigit() else name
        section.add(what, rate(len(frames), ours), beside if name.isdigit() else "", wall=rate(len(frames), wall))
    return section


def offline(work: Path, once: TapeBatch, rounds: int) -> Section:
    """Windowed order flow from recorded books."""
    tape_of(once, work / "capture")
    folders = {"features.path": str(work / "all"), "books.path": str(work / "books")}
    common = {"tape.path": str(work / "capture"), "features.sampling": "update", "features.overwrite": True}
    run_replay(load_settings({**common, **folders}))
    files = data_files(work / "books", BTC)
    frame = pd.concat([pd.read_parquet(file, partitioning=None) for file in files]).set_index("ts")
    books = pl.read_parquet(files, hive_partitioning=False)
    known = pd.concat([pd.read_parquet(file, partitioning=None) for file in data_files(work / "all", BTC)])
    for name, theirs in (("pandas", ofi_pandas(frame)), ("polars", ofi_polars(books).to_pandas())):
        for depth in DEPTHS:
            for window in WINDOWS:
                # Of updates at one time a window by time sees all, and plain running sums drift.
                ours = known[f"ofi_{depth_label(depth)}_{window}"].groupby(known["ts"]).last()
                last = pd.Series(theirs[f"{depth}_{window}"].to_numpy()).groupby(known["ts"].to_numpy()).last()
                np.testing.assert_allclose(last, ours, rtol=1e-6, atol=1e-6, err_msg=f"{name} {depth} {window}")
    prices = [np.ascontiguousarray(frame[[f"{side}_{k}_{m}" for m in range(20)]].to_numpy())
              for side in ("bid", "ask") for k in ("price", "size")]  # fmt: skip
    ms = frame.index.as_unit("ns").asi8 / 1e6
    spent = fastest(
        {
            "pandas": lambda: ofi_pandas(frame),
            "polars": lambda: ofi_polars(books),
            "arrays": lambda: order_flow_imbalance(ms, *prices, timeframes_ms=(100, 1000, 5000, 30000)),
            "kernels": lambda: kernels_alone([once], FeatureConfig(sampling_ns=0)),
            "replay": lambda: replay(work / "capture", work / "all2", "update"),
        },
        rounds,
    )
    n = len(frame)
    section = Section(
        "Windowed order flow of recorded books, offline",
        f"{n:,} updates of the capture. pandas and Polars (all threads) begin with the 20 best levels after each in "
        "memory and compute `ofi_l{D}_{w}` alone, the values checked; tickwax builds the book of "
        f"{once.rows:,} level rows and computes every feature.",
    )
    for name, what in (
        ("pandas", "pandas"),
        ("polars", "Polars, processor time of all threads"),
        ("arrays", "tickwax: `order_flow_imbalance` on the same arrays, with z-scores"),
        ("kernels", "tickwax: bare kernels, book and every feature"),
        ("replay", "tickwax: replay, tape Parquet to feature Parquet, all threads"),
    ):
        wall, mine, _ = spent[name]
        beside = ", ".join(times(mine, spent[k].processor, w) for k, w in (("pandas", "pandas"), ("polars", "Polars")))
        section.add(what, rate(n, mine), beside if what.startswith("tickwax") else "", wall=rate(n, wall))
    return section


def one_item_a_tick(once: TapeBatch, rounds: int) -> Section:
    """Bytewax with a Python object a tick."""
    items, config = ticks(once), FeatureConfig()
    spent = fastest(
        {
            "nothing": lambda: bytewax_ticks.nothing(items),
            "plain": lambda: bytewax_ticks.plain_features(items, config),
            "columns": lambda: kernels_alone([once], config),
        },
        rounds,
    )
    section = Section(
        "Bytewax's own operators, one item a tick",
        f"`key_on` and `stateful_map` over the {len(items):,} rows of the capture, made Python objects before, "
        "1000 handed over at once; rows every 100 ms.",
    )
    ours = spent["columns"].processor
    for name, what in (("nothing", "the state a counter"), ("plain", "the state the plain-Python features")):
        wall, theirs, _ = spent[name]
        beside = f"tickwax's kernels {times(ours, theirs, 'as fast')}"
        section.add(what, rate(len(items), theirs), beside, wall=rate(len(items), wall))
    section.add("tickwax: columns, kernels alone", rate(len(items), ours), wall=rate(len(items), spent["columns"].wall))
    return section
