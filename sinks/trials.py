"""The data set of trials: every configuration that was ever tried, with its returns (docs/learning.md, 3).

Whoever looks at many and keeps the best has to say how many there were. Each writing is a file of its own, which
appears whole or not at all; no file is ever replaced or removed, so no trial is lost, whatever becomes of the results.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sinks.identity import DATA_SET
from sinks.parquet import CHECKSUMS, seal
from sources.errors import DiskFailure
from sources.parquet import read_columns
from sources.tape.batch import Float64s
from sources.tape.schema import TIMESTAMP

FOLDER = "trials"


def _field(name: str, type_: pa.DataType, definition: str) -> pa.Field:
    return pa.field(name, type_, False, {"definition": definition})


SCHEMA = pa.schema(
    [
        _field("tried_at", TIMESTAMP, "when it was recorded"),
        _field("source", pa.string(), "what tried it: sweep, evaluate"),
        _field("subject", pa.string(), "what it was tried on: an instrument, or a data set and horizon"),
        _field("configuration", pa.string(), "every setting that may differ between trials, as JSON"),
        _field("first_ts", TIMESTAMP, "beginning of the first period"),
        _field("last_ts", TIMESTAMP, "end of the last period"),
        _field("returns", pa.list_(pa.float64()), "of equal periods, one after the other; in any unit"),
    ],
    {DATA_SET: FOLDER},
)


@dataclass(frozen=True)
class Trial:
    """A configuration and what it brought, of equal periods between two times, ns."""

    source: str
    subject: str
    configuration: Mapping[str, Any]
    first_ts: int
    last_ts: int
    returns: Float64s


@dataclass(frozen=True)
class TrialSet:
    """Different configurations on the same periods of the same subject.

    Attributes:
        configurations: as JSON.
        returns: shape ``(periods, configurations)``.
    """

    source: str
    subject: str
    first_ts: int
    configurations: Sequence[str]
    returns: Float64s


def write_trials(root: Path, trials: Sequence[Trial], now_ns: int) -> Path:
    """Add trials, all or none; returns the new file.

    Args:
        now_ns: when they were tried.

    Raises:
        DiskFailure: it cannot be written.
    """
    rows = [
        {
            "tried_at": now_ns,
            "source": one.source,
            "subject": one.subject,
            "configuration": json.dumps(dict(one.configuration), sort_keys=True, default=str),
            "first_ts": one.first_ts,
            "last_ts": one.last_ts,
            "returns": np.asarray(one.returns, np.float64).tolist(),
        }
        for one in trials
    ]
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]
    path = root / f"{now_ns}-{os.getpid()}-{digest}.parquet"
    part = path.with_name(f".{path.name}.part")
    try:
        root.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), part, **CHECKSUMS)
        seal(part)
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise DiskFailure(f"trials: cannot write {path}: {e.strerror or e}") from None
    return path


def read_trials(root: Path) -> list[TrialSet]:
    """All trials, those of the same source, subject and periods side by side; one that was repeated counts once.

    Raises:
        TickwaxError: a file cannot be read, or has other columns.
    """
    groups: dict[tuple[Any, ...], dict[str, Float64s]] = {}
    for path in sorted(root.glob("*.parquet")):
        table = read_columns(path, SCHEMA.names)
        first, last = (table[name].cast(pa.int64()).to_pylist() for name in ("first_ts", "last_ts"))
        texts = (table[name].to_pylist() for name in ("source", "subject", "configuration", "returns"))
        for source, subject, configuration, returns, begin, end in zip(*texts, first, last, strict=True):
            key = (source, subject, begin, end, len(returns))
            groups.setdefault(key, {})[configuration] = np.array(returns, np.float64)
    return [
        TrialSet(key[0], key[1], key[2], list(found), np.stack(list(found.values()), axis=1))
        for key, found in groups.items()
    ]
