"""What a run wrote, in a few lines."""

import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from dataflows.reports.progress import ReplayProgress
from dataflows.reports.text_table import TextTable
from operators.feature_engine import Quality
from sources.latency import Latencies
from sources.parquet import CheckedFile
from sources.store.path import StorePath
from sources.tape.layout import data_files, instruments

_LATE_NS = 5_000_000_000
_PASTED = re.compile(r"[\w./@%+=:,~ -]+")


class Written(Protocol):
    """A sink that tells what it wrote."""

    @property
    def root(self) -> Path:
        """Its folder."""

    @property
    def files(self) -> list[Path]:
        """Those that have appeared."""

    @property
    def rows_written(self) -> int:
        """Rows that have appeared."""


def data_set_table(sinks: Mapping[str, Written]) -> TextTable:
    """One line a data set: where, how many rows and files, how large."""
    table = TextTable(("data set", "folder", "rows", "files", "MB"), left=("folder",))
    for name, sink in sinks.items():
        megabytes = sum(path.stat().st_size for path in sink.files) / 1e6
        table.add(name, str(sink.root), f"{sink.rows_written:,}", str(len(sink.files)), f"{megabytes:,.2f}")
    return table


def latency_lines(latencies: Latencies) -> list[str]:
    """A line a venue: median and range of receive less exchange time, with a word where the clocks cannot be right."""
    lines = []
    for venue in sorted(latencies.of):
        spread = latencies[venue].spread()
        if spread is None:
            continue
        text = (
            f"latency (receive − exchange) of {venue}: median {signed(spread.median)}, "
            f"range {signed(spread.lowest)} to {signed(spread.highest)}"
        )
        word = clock_word(spread.median)
        lines.append(f"{text}; {word}" if word else text)
    return lines


def clock_word(latency_ns: int) -> str:
    """What a usual latency tells of the clocks; nothing if it can be that of frames on their way."""
    if latency_ns < 0:
        return "no frame comes before it is sent: the local clock is behind the exchange's"
    return "the local clock is ahead of the exchange's, or frames come late" if latency_ns > _LATE_NS else ""


def signed(ns: int) -> str:
    """A time of any sign with three digits and the unit that suits it.

    >>> [signed(ns) for ns in (-1_270_000_000, 12_340_000, 0, 7_200_000_000_000)]
    ['−1.27 s', '12.3 ms', '0 s', '7200 s']
    """
    size = abs(ns)
    unit, name = (10**9, "s") if size >= 10**9 or not size else (10**6, "ms") if size >= 10**6 else (10**3, "µs")
    value = size / unit
    text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{'−' if ns < 0 else ''}{text} {name}"


class Replayed(Protocol):
    """What is known of a replay at its end."""

    @property
    def progress(self) -> ReplayProgress:
        """What was read."""

    @property
    def sinks(self) -> Mapping[str, Written]:
        """What was written, by data set."""

    @property
    def quality(self) -> Quality:
        """Data-quality counters over all instruments."""


def replay_lines(replay: Replayed) -> list[str]:
    """What was read, and what the tape held that no feature reads."""
    quality = replay.quality
    written = (
        ", ".join(f"{sink.rows_written:,} rows to {sink.root}" for sink in replay.sinks.values()) or "nothing written"
    )
    return [
        f"replayed {replay.progress.rows:,} tape rows: {replay.progress.speed()}; {written}",
        f"data quality: {quality.resets} resets, {quality.crossed} crossed and {quality.one_sided} one-sided books, "
        f"{quality.holds} holes longer than max_hold, {quality.dropped_levels} levels dropped, "
        f"{quality.unknown_deltas} delta rows without a snapshot before them",
        *latency_lines(replay.progress.latencies),
    ]


def try_line(path: Path | None) -> str:
    """A line to paste into a shell that shows the features with DuckDB, which it installs if it is not there."""
    if path is None or isinstance(path, StorePath):  # DuckDB would have to be told who asks a store
        return ""
    if not _PASTED.fullmatch(str(path)):  # what else it may hold means something to a shell or DuckDB
        return ""
    query = (
        "select exchange, symbol, count(*) as rows, avg(spread) as spread, avg(volatility) as volatility "
        f"from '{path}/*/*/*/*.parquet' group by all order by all"
    )
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    first = "" if find_spec("duckdb") else f"{python} -m pip install -q duckdb && "
    return f'look at it:  {first}{python} -c "import duckdb; duckdb.sql(\\"{query}\\").show()"'


def newest_rows(path: Path) -> TextTable:
    """The newest feature row of each instrument: price, order flow and regime, by the default windows."""
    columns = ("mid", "spread", "ofi_l0_5s", "ofi_z_l0_5s", "fdi", "regime")
    table = TextTable(("newest row of", *columns), left=("regime",))
    for instrument in instruments(path):
        with CheckedFile(data_files(path, instrument)[-1]) as file:
            group = file.group(file.metadata.num_row_groups - 1, columns)
        values = group.slice(group.num_rows - 1).to_pydict().values()
        texts = ("–" if v is None or v != v else f"{v:.6g}" if isinstance(v, float) else str(v) for (v,) in values)
        table.add(str(instrument), *texts)
    return table
