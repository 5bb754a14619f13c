"""The rows of a data set of labels, as models are trained on them (docs/learning.md, 4)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from learning.stored_inputs import Inputs, StoredInputs
from operators.dictionary import describe
from operators.features.feature import PRICE_UNIT
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import CheckedFile
from sources.tape.batch import Float64s, Int64s
from sources.tape.layout import data_files, instruments
from sources.tape.schema import SETTINGS

Rows = npt.NDArray[np.intp]  # row numbers
Integers = npt.NDArray[np.integer[Any]]

_DATA_SET = b"tickwax.data_set"
_UNKNOWN = "features.unknown"  # how a number that is not known is written: to a model both are one
_HEAD = ("ts", "ordinal", "label_end", "weight", "group", "barrier")
_TYPES: dict[str, npt.DTypeLike] = {
    "ts": np.int64, "ordinal": np.int64, "label_end": np.int64, "weight": np.float64, "group": np.int32,
    "barrier": np.int8, "instrument": np.int32,
}  # fmt: skip
_MOST_HELD = 1 << 28  # bytes of inputs
_NO_INPUT = ("receive_ts", "warm", "barrier_end", *_HEAD)


@dataclass(frozen=True)
class TrainingRows:
    """Rows of all instruments, by time; those of one time in the order of instruments and ordinals.

    Attributes:
        columns: names of the inputs.
        horizons: texts of the returns that are foretold.
        latency: text, from a row to the price at which a return begins.
        features: settings that the features were computed with, the same for all instruments.
        own: by ``venue:SYMBOL``, settings in which instruments may differ.
        instruments: which, in the order of ``instrument``.
        instrument: (n,): number of each row's instrument.
        ts, end: (n,): ns, of the row and of the latest time that its labels know of.
        ordinal: (n,): of the newest tape row in the row.
        group: (n,): number of the segment within the instrument.
        inputs: (n, columns): NaN where unknown.
        returns: (n, horizons): what is foretold.
        weight: (n,): average uniqueness.
        barrier: (n,): −1, 0 or +1; empty where nobody asks for it.
        labels: settings of the barrier.
    """

    columns: tuple[str, ...]
    horizons: tuple[str, ...]
    latency: str
    features: dict[str, str]
    own: dict[str, dict[str, str]]
    instruments: tuple[Instrument, ...]
    instrument: Integers
    ts: Int64s
    end: Int64s
    ordinal: Int64s
    group: Integers
    inputs: Inputs
    returns: Float64s
    weight: Float64s
    barrier: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    labels: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ts)


def read_rows(
    root: Path,
    columns: Sequence[str] = (),
    beside: Path | None = None,
    most_held: int = _MOST_HELD,
    key: str = "train.columns",
) -> TrainingRows:
    """Read a data set that `tickwax dataset` has written.

    Args:
        columns: inputs; none: every number but prices, which tell the time of a row more than what comes next.
        beside: folder of a file that inputs are kept in which would take more memory than ``most_held``, 8 bytes a
            number; None: all are in memory. Times, weights and labels are, whatever is asked for.
        most_held: bytes.
        key: what the columns were given as; an error about them begins with it.

    Raises:
        TickwaxError: there is none, it cannot be read, a column is not in it, or a label is not a finite number.
        DiskFailure: the file cannot be written.
    """
    chosen = list(instruments(root))
    if not chosen:
        raise TickwaxError(f"dataset.path: {root} holds no data set; write one with `tickwax dataset`")
    first = data_files(root, chosen[0])[0]
    told, schema = _settings(first)
    horizons = tuple(told["horizons"].split(", "))
    inputs = _inputs(first, schema, columns, key)
    labels = [f"ret_{horizon}" for horizon in horizons]
    files = [(number, file) for number, instrument in enumerate(chosen) for file in data_files(root, instrument)]
    own: dict[str, dict[str, str]] = {}
    for number, file in files:
        settings = _settings(file)[0]
        own.setdefault(str(chosen[number]), {name: value for name, value in settings.items() if _is_own(name)})
        if (odd := _difference(told, settings)) is not None:
            raise TickwaxError(f"dataset.path: {file}: {odd} is {settings.get(odd)}, elsewhere {told.get(odd)}")
    n = sum(_count(file) for _, file in files)
    read: dict[str, Any] = {name: np.empty(n, kind) for name, kind in _TYPES.items()}
    read["returns"] = np.empty((n, len(labels)))
    stored = StoredInputs(beside, len(inputs)) if beside is not None and n * len(inputs) * 8 > most_held else None
    read |= {} if stored is not None else {"inputs": np.empty((n, len(inputs)))}
    at = 0
    for number, file in files:
        for table in _tables(file, [*_HEAD, *inputs, *labels]):
            part = slice(at, at + table.num_rows)
            for name in _HEAD:
                column = table[name].cast(pa.int64()) if pa.types.is_timestamp(table[name].type) else table[name]
                read[name][part] = column.to_numpy()
            read["instrument"][part], read["returns"][part] = number, _matrix(table, labels)
            if stored is not None:
                stored.add(_matrix(table, inputs))
            else:
                read["inputs"][part] = _matrix(table, inputs)
            at += table.num_rows
    order = np.lexsort((read["ordinal"], read["instrument"], read["ts"]))
    for name in read:  # one after the other: of each there are two for a moment, and not of all
        read[name] = read[name][order]
    if stored is not None:
        stored.number(order)
    _check(root, read["returns"], labels)
    return TrainingRows(
        columns=tuple(inputs),
        horizons=horizons,
        latency=told["label.latency"],
        features={
            n: value for n, value in told.items() if n.startswith("features.") and not _is_own(n) and n != _UNKNOWN
        },
        own={name: values for name, values in own.items() if values},
        instruments=tuple(chosen),
        instrument=read["instrument"],
        ts=read["ts"],
        end=read["label_end"],
        ordinal=read["ordinal"],
        group=read["group"],
        inputs=read["inputs"] if stored is None else stored,
        returns=read["returns"],
        weight=read["weight"],
        barrier=read["barrier"],
        labels={name: value for name, value in told.items() if name.startswith("barrier.")},
    )


def _is_own(name: str) -> bool:
    return name.startswith(("features.d_file.", "synthetic."))


def _difference(there: dict[str, str], here: dict[str, str]) -> str | None:
    names = sorted(name for name in {*there, *here} if not _is_own(name))
    return next((name for name in names if there.get(name) != here.get(name)), None)


def _settings(file: Path) -> tuple[dict[str, str], pa.Schema]:
    with CheckedFile(file) as opened:
        schema = opened.schema
    metadata = schema.metadata or {}
    if metadata.get(_DATA_SET) != b"dataset":
        there = metadata.get(_DATA_SET, b"none of ours").decode(errors="replace")
        raise TickwaxError(
            f"dataset.path: {file}: {there}, and no data set of labels; write one with `tickwax dataset`"
        )
    found: dict[str, str] = json.loads(metadata[SETTINGS.encode()])
    return found, schema


def _inputs(file: Path, schema: pa.Schema, columns: Sequence[str], key: str) -> list[str]:
    """The inputs, in the order of the data set."""
    numbers = [
        field.name
        for field in schema
        if field.name not in _NO_INPUT
        and not field.name.startswith("ret_")
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]
    for name in columns:
        if name not in numbers:
            close = get_close_matches(name, numbers, n=1) or numbers[:1]
            raise TickwaxError(f"{key}: {name!r} is no number in {file}; did you mean {close[0]}?")
    chosen = [name for name in numbers if name in columns] if columns else [n for n in numbers if not _is_price(n)]
    if not chosen:
        raise TickwaxError(f"{key}: {file} has no column that is a number and no price")
    return chosen


def _is_price(name: str) -> bool:
    try:
        return describe(name, "features").unit == PRICE_UNIT and name != "spread"
    except KeyError:
        return False


def _count(file: Path) -> int:
    with CheckedFile(file) as opened:
        return int(opened.metadata.num_rows)


def _tables(file: Path, names: list[str]) -> Iterator[pa.Table]:
    with CheckedFile(file) as opened:
        if lost := next((name for name in names if name not in opened.schema.names), None):
            raise TickwaxError(f"dataset.path: {file} has no column {lost!r}")
        for group in range(opened.metadata.num_row_groups):
            yield opened.group(group, names)


def _matrix(table: pa.Table, names: list[str]) -> Float64s:
    """Columns side by side, shape ``(rows, columns)``; null is NaN."""
    out = np.empty((table.num_rows, len(names)))
    for at, name in enumerate(names):
        out[:, at] = table[name].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return out


def _check(root: Path, returns: Float64s, labels: list[str]) -> None:
    for at, name in enumerate(labels):
        if (bad := int(np.count_nonzero(~np.isfinite(returns[:, at])))) > 0:
            raise TickwaxError(f"dataset.path: {root}: {name} is no finite number in {bad:,} rows; labels must be")
        if len(returns) and (returns[:, at] == returns[0, at]).all():
            raise TickwaxError(
                f"dataset.path: {root}: {name} is {returns[0, at]:g} in all {len(returns):,} rows; nothing to foretell"
            )
