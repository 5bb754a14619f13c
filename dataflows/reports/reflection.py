"""What a reflection tells: where money was lost."""

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataflows.reports.chart_panels import Panel
from dataflows.reports.text_table import TextTable
from learning.reflection.analysis import Bucket, worst
from sinks.disk import cannot_write

_SHOWN = 12  # buckets on the terminal


def losses_table(buckets: Sequence[Bucket]) -> TextTable:
    """The buckets in which most was lost."""
    out = TextTable(("by", "bucket", "episodes", "net", "mean, bp", "95 % interval", "losing", "markout 10s"), keys=2)
    for b in worst(list(buckets), _SHOWN):
        out.add(
            b.by, b.bucket, f"{b.episodes:,}", f"{b.net:,.2f}", f"{b.mean_bp:+.2f}", _interval(b), f"{b.losing:.0%}",
            "-" if math.isnan(b.markout_10s) else f"{b.markout_10s:+.2f}",
        )  # fmt: skip
    return out


def losses_panels(buckets: Sequence[Bucket]) -> list[list[Panel]]:
    """A picture a dimension, two in a row: mean outcome of each bucket, with its confidence interval."""
    panels = []
    for by, group in groupby(buckets, key=lambda b: b.by):
        mine = list(group)
        names = [f"{b.bucket} ({b.episodes:,})" for b in mine]
        curves = [
            ("· mean after fees", names, [b.mean_bp for b in mine]),
            ("from", names, [b.from_bp for b in mine]),
            ("to", names, [b.to_bp for b in mine]),
        ]
        panels.append(Panel(by, "bucket (episodes)", "basis points", curves, [("0", 0.0)]))
    return [panels[n : n + 2] for n in range(0, len(panels), 2)]


def write_losses(path: Path, buckets: Sequence[Bucket]) -> None:
    """Write all buckets to a Parquet file, a row each.

    Raises:
        DiskFailure: it cannot be written.
    """
    columns = {name: [getattr(b, name) for b in buckets] for name in Bucket._fields}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
    except OSError as e:
        raise cannot_write(path, e) from e


def _interval(b: Bucket) -> str:
    return "-" if math.isnan(b.from_bp) else f"{b.from_bp:+.2f} to {b.to_bp:+.2f}"
