"""The file of a comparison of backtests: a row an instrument and run."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from operators.execution.run_statistics import STATISTICS
from sinks.identity import DATA_SET
from sinks.parquet import CHECKSUMS, seal
from sources.errors import DiskFailure

_NAMES = ("folder", "exchange", "symbol")
_DIFFERENCE = ("net_pnl_less_first", "net_pnl_less_first_error")


def write_comparison(path: Path, records: Sequence[Mapping[str, Any]], differing: Sequence[str]) -> None:
    """Write the file, whole or not at all; one that is there is replaced.

    Args:
        differing: settings that are columns, as text.

    Raises:
        DiskFailure: it cannot be written.
    """
    fields = [pa.field(name, pa.string()) for name in (*_NAMES, *differing)]
    fields += [pa.field(s.name, pa.int64() if s.whole else pa.float64()) for s in STATISTICS]
    fields += [pa.field(name, pa.float64()) for name in _DIFFERENCE]
    schema = pa.schema(fields, {DATA_SET: "comparison"})
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(records), schema), part, **CHECKSUMS)
        seal(part)
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise DiskFailure(f"--parquet: cannot write {path}: {e.strerror or e}") from None
