"""A replay of the capture, beside the bare kernels, the raw reads of its file and hftbacktest."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import dataflows.command_line.jobs.replay as verb
from benchmarks.bench_replay import (
    BTC,
    best,
    feature_parts,
    kernels_alone,
    one_level_updates,
    replay,
    tape_of,
    write_parquet,
)
from benchmarks.figures.table import Section, fastest, rate, times
from benchmarks.peers.hft import HftBacktest, events
from benchmarks.peers.plain import PlainFeatures, ticks
from operators.config import FeatureConfig
from operators.feature_step import FeatureLogic
from operators.schema import feature_schema
from sinks.replay_sink import ReplaySink, _RowsPartition
from sinks.row_format import arrow_schema, rows_to_arrow
from sources.tape.batch import TapeBatch
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader
from sources.tape.source import Ahead


def machine(work: Path) -> Section:
    """What no program on this machine gets past."""
    section = Section("The machine", "Raw bounds, one thread.")
    array = np.ones(1 << 25)
    target = np.empty_like(array)
    block = bytes(1 << 26)

    def to_disk() -> None:
        with open(work / "raw", "wb", buffering=0) as file:
            for _ in range(4):
                file.write(block)

    spent = fastest({"copy": lambda: np.copyto(target, array), "disk": to_disk}, 5)
    for name, what, size in (
        ("copy", "copy in memory", array.nbytes),
        ("disk", "write to a file, into the page cache", 4 * len(block)),
    ):
        section.add(
            what, f"{size / spent[name].processor / 1e9:.1f} GB/s", wall=f"{size / spent[name].wall / 1e9:.1f} GB/s"
        )
    return section


def grid(work: Path, capture: Path, rows: int, repeats: int, rounds: int) -> Section:
    """Rows every 100 ms."""
    config = FeatureConfig()
    batches = list(TapeReader(work / "tape", BTC).batches())
    files = data_files(work / "tape", BTC)
    data = events(capture, repeats)
    hash_map, vector = HftBacktest(data, vector=False), HftBacktest(data, vector=True)
    spent = fastest(
        {
            "raw": lambda: [pq.ParquetFile(file).read(use_threads=False) for file in files],
            "read": lambda: sum(b.rows for b in TapeReader(work / "tape", BTC).batches()),
            "bare": lambda: kernels_alone(batches, config),
            "replay": lambda: replay(work / "tape", work / "features"),
            "hash map": hash_map.run,
            "vector": vector.run,
        },
        rounds,
    )
    raw, read, bare = spent["raw"].processor, spent["read"].processor, spent["bare"].processor
    whole, wall = spent["replay"].flow, spent["replay"].wall
    section = Section(
        "Replay at 100 ms, one worker",
        f"{rows:,} tape rows: the capture {repeats} times, with every feature, tape Parquet to feature Parquet. "
        f"hftbacktest has the same {repeats} times ({len(data):,} events of its converter) in memory, reads 20 levels "
        "a side every 100 ms and computes nothing. End to end is the processor time of the flow's thread: decoding and "
        "Parquet have threads of their own, which need a second core.",
    )
    section.add("PyArrow's read of the tape's file, unchecked", rate(rows, raw), wall=rate(rows, spent["raw"].wall))
    section.add(
        "tickwax: read and check, nothing else",
        rate(rows, read),
        times(read, raw, "PyArrow"),
        wall=rate(rows, spent["read"].wall),
    )
    section.add("tickwax: bare kernels on arrays in memory", rate(rows, bare), wall=rate(rows, spent["bare"].wall))
    section.add(
        "tickwax: replay end to end",
        rate(rows, whole),
        f"{bare / whole:.2f} × bare kernels",
        "≥ 5 M/s, ≥ 0.70 ×",
        rows / wall >= 5e6 and spent["bare"].wall / wall >= 0.7,
        wall=f"{rate(rows, wall)}, {spent['bare'].wall / wall:.2f} × bare kernels",
    )
    section.add("… processor time of all its threads", rate(rows, spent["replay"].processor))
    for name, what in (("hash map", "its book in a hash map"), ("vector", "its book in an array")):
        theirs, theirs_wall = (seconds * rows / len(data) for seconds in spent[name][:2][::-1])
        section.add(
            f"hftbacktest, {what}",
            rate(rows, theirs),
            f"tickwax end to end {theirs / whole:.2f} ×, bare kernels {theirs / bare:.2f} ×",
            "≥ 1 ×",
            theirs_wall >= wall,
            wall=f"{rate(rows, theirs_wall)}, tickwax end to end {theirs_wall / wall:.2f} ×",
        )
    return section


def plain_rows(part: list[Any], config: FeatureConfig) -> int:
    """Rows that the plain-Python features complete."""
    return len(PlainFeatures(config).process(part))


def updates(work: Path, once: TapeBatch, rounds: int, plain_ticks: int = 12_000) -> Section:
    """A row every update, and plain Python."""
    config, coarse = FeatureConfig(sampling_ns=0), FeatureConfig()
    dense = one_level_updates(int(once.exchange_ts[0]), 500_000)
    tape_of(dense, work / "dense")
    batches = list(TapeReader(work / "dense", BTC).batches())
    parts = list(feature_parts(batches, config))
    rows = sum(part.rows for part in parts)
    few, capture = ticks(dense.slice(0, plain_ticks)), ticks(once)
    spent = fastest(
        {
            "bare": lambda: kernels_alone(batches, config),
            "parquet": lambda: write_parquet(work / "bound.parquet", parts, config),
            "replay": lambda: replay(work / "dense", work / "features", "update"),
            "plain": lambda: plain_rows(few, config),
            "capture": lambda: kernels_alone([once], coarse),
            "plain capture": lambda: plain_rows(capture, coarse),
        },
        rounds,
    )
    bare, whole = spent["bare"].processor / rows, spent["replay"].flow / rows
    plain, wall = spent["plain"].processor / len(few), spent["replay"].wall / rows
    plain_wall = spent["plain"].wall / len(few)
    section = Section(
        "Book updates with every feature on",
        f"`update` sampling: {rows:,} updates of one level, a feature row each. Plain Python has the first "
        f"{len(few):,} as tuples in memory: dicts, sorted lists, deques, running sums; the last two lines are the "
        f"capture, {once.rows:,} rows, at 100 ms. End to end is the flow's thread; writing is another.",
    )
    aim = "≥ 100 × plain Python"
    section.add(
        "PyArrow's write of these feature rows alone",
        rate(rows, spent["parquet"].processor),
        wall=rate(rows, spent["parquet"].wall),
    )
    section.add(
        "tickwax: bare kernels",
        rate(1, bare),
        times(bare, plain, "plain Python"),
        aim,
        plain >= 100 * bare,
        wall=rate(rows, spent["bare"].wall),
    )
    section.add(
        "tickwax: end to end",
        rate(1, whole),
        times(whole, plain, "plain Python"),
        aim,
        plain_wall >= 100 * wall,
        wall=f"{rate(1, wall)}, {times(wall, plain_wall, 'plain Python')}",
    )
    section.add("plain Python", rate(1, plain), wall=rate(1, plain_wall))
    ours, theirs = spent["capture"].processor, spent["plain capture"].processor
    section.add("tickwax: bare kernels, capture at 100 ms", rate(once.rows, ours), times(ours, theirs, "plain Python"))
    section.add("plain Python, capture at 100 ms", rate(once.rows, theirs))
    return section


class _Clock:
    """Adds up the seconds spent in functions that the thread of the flow calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            before = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - before

        return timed


_STAGES = (
    (verb, "prepare_replay", "settings, footers, assembly"),
    (verb, "ready_features", "kernels ready"),
    (Ahead, "next", "waiting for decoded rows"),
    (FeatureLogic, "on_batch", "kernels, and the calls into them"),
    (_RowsPartition, "write_batch", "waiting for the writer"),
    (_RowsPartition, "close", "the last row groups and footers"),
    (ReplaySink, "commit", "renames"),
)


@contextmanager
def _timed_stages() -> Iterator[_Clock]:
    clock = _Clock()
    with ExitStack() as stack:
        for owner, name, label in _STAGES:
            stack.enter_context(patch.object(owner, name, clock.around(label, getattr(owner, name))))
        yield clock


def breakdown(work: Path, rows: int, rounds: int) -> Section:
    """Where the time of one replay goes."""
    config = FeatureConfig()
    schema = feature_schema(config)
    arrow = arrow_schema(schema)
    runs: list[tuple[float, float, dict[str, float]]] = []
    for _ in range(rounds):
        with _timed_stages() as clock:
            before, cpu = time.perf_counter(), time.process_time()
            replay(work / "tape", work / "features")
            runs.append((time.perf_counter() - before, time.process_time() - cpu, clock.seconds))
    whole, cpu, stages = min(runs, key=lambda run: run[0])
    section = Section(
        "Where the time of a replay goes",
        f"{rows:,} rows at 100 ms, the fastest of {rounds}: wall clock of the flow's thread. Decoding and Parquet "
        "have threads of their own; the last lines are what they cost alone.",
    )
    section.add("replay end to end", f"{whole:.2f} s", f"{cpu:.2f} s of processor")
    for *_, label in _STAGES:
        spent = stages.get(label, 0.0)
        section.add(label, f"{spent * 1e3:.0f} ms", f"{spent / whole:.1%}")
    rest = whole - sum(stages.values())
    section.add("Bytewax, progress, interpreter: the rest", f"{rest * 1e3:.0f} ms", f"{rest / whole:.1%}")
    parts = list(feature_parts(list(TapeReader(work / "tape", BTC).batches()), config))
    out = [rows_to_arrow(part, schema, arrow) for part in parts]
    to_arrow = best(lambda: [rows_to_arrow(part, schema, arrow) for part in parts])
    parquet = best(lambda: write_parquet(work / "bound.parquet", parts, config))
    read = best(lambda: sum(b.rows for b in TapeReader(work / "tape", BTC).batches()))
    section.add("alone: reading and checking", f"{read * 1e3:.0f} ms", f"{read / whole:.1%}, beside the kernels")
    section.add("alone: feature rows to Arrow", f"{to_arrow * 1e3:.1f} ms", f"{to_arrow / whole:.1%}, by the writer")
    count = pa.Table.from_batches(out).num_rows
    section.add(f"alone: {count:,} feature rows to Parquet", f"{parquet * 1e3:.0f} ms", f"{parquet / whole:.1%}")
    return section
