"""The records of an evaluation as one Parquet file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sinks.identity import DATA_SET
from sinks.parquet import CHECKSUMS, seal
from sources.errors import DiskFailure

RELIABILITY = "reliability_"  # what the names of columns begin with that have a value for each bin of a chance
_TEXTS = ("horizon", "instrument", "model", "baseline", "verdict")


def write_evaluation(path: Path, records: Sequence[Mapping[str, Any]], told: Mapping[str, str]) -> None:
    """Write the file, whole or not at all; one that is there is replaced.

    Args:
        records: one at least; what one does not have is null.
        told: goes to the metadata.

    Raises:
        DiskFailure: it cannot be written.
    """
    kinds = {name: _kind(name) for one in records for name in one}
    schema = pa.schema([pa.field(*each) for each in kinds.items()], {DATA_SET: "evaluation", **told})
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([dict(one) for one in records], schema), part, **CHECKSUMS)
        seal(part)
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise DiskFailure(f"--parquet: cannot write {path}: {e.strerror or e}") from None


def _kind(name: str) -> pa.DataType:
    if name in _TEXTS:
        return pa.string()
    return pa.list_(pa.float64()) if name.startswith(RELIABILITY) else pa.float64()
