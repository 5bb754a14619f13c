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

_TEXTS = ("horizon", "instrument", "model", "baseline", "verdict")


def write_evaluation(path: Path, records: Sequence[Mapping[str, Any]], told: Mapping[str, str]) -> None:
    """Write the file, whole or not at all; one that is there is replaced.

    Args:
        records: one at least; all have the same names.
        told: goes to the metadata.

    Raises:
        DiskFailure: it cannot be written.
    """
    kinds = {name: pa.string() if name in _TEXTS else pa.float64() for name in records[0]}
    schema = pa.schema([pa.field(*each) for each in kinds.items()], {DATA_SET: "evaluation", **told})
    texts = [{name: value if name in _TEXTS or value is None else float(value) for name, value in one.items()}
             for one in records]  # fmt: skip
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(texts, schema), part, **CHECKSUMS)
        seal(part)
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise DiskFailure(f"--parquet: cannot write {path}: {e.strerror or e}") from None
