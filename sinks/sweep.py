"""The data set of a sweep: a row a run, with the settings it was run with and what it came to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from operators.execution.run_statistics import STATISTICS
from sinks.data_file import FileFormat
from sinks.dataset import DatasetWriter
from sinks.identity import Identity, check_folder
from sinks.lock import check_writable
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import data_files
from sources.tape.schema import TIMESTAMP

DATA_SET = "sweep"
_TEXT = pa.dictionary(pa.int32(), pa.string())
Row = Mapping[str, Any]


def sweep_schema(values: Mapping[str, Sequence[Any]]) -> pa.Schema:
    """The columns of a sweep.

    Args:
        values: of the settings that are varied, by dotted key; a column each.
    """
    fields = [
        _field("ts", TIMESTAMP, "ns since 1970, UTC", "first receive time of the range", False),
        _field("end_ts", TIMESTAMP, "ns since 1970, UTC", "last receive time of the range", False),
        _field("run", pa.int64(), "", "number of the combination of settings, from 0", False),
    ]
    fields += [_field(key, _type_of(given), "", "setting that was varied", False) for key, given in values.items()]
    fields += [_field(s.name, pa.int64() if s.whole else pa.float64(), s.unit, s.definition) for s in STATISTICS]
    fields.append(_field("seconds", pa.float64(), "s", "what the run took", False))
    fields.append(_field("error", _TEXT, "", "why the run failed; then its statistics are null"))
    return pa.schema(fields)


def _field(name: str, type_: pa.DataType, unit: str, definition: str, nullable: bool = True) -> pa.Field:
    told = {key: text for key, text in (("unit", unit), ("definition", definition)) if text}
    return pa.field(name, type_, nullable, told)


def _type_of(values: Sequence[Any]) -> pa.DataType:
    """Of numbers whole ones if all are; of values of several kinds text."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else _TEXT


def check_sweep_target(root: Path, identity: Identity, chosen: Sequence[Instrument], overwrite: bool, key: str) -> None:
    """Refuse, before any work, a folder that could not be written to, or holds what should stay.

    Args:
        chosen: the instruments of the sweep.
        key: of the setting that names the folder; begins the message.

    Raises:
        TickwaxError: it holds another kind of data set, lies in one, has rows of an instrument already, or of other
            settings.
    """
    if root.exists() and not root.is_dir():
        raise TickwaxError(f"{key}: {root} is not a folder")
    check_target(root, DATA_SET, key)
    check_writable(root)
    if not overwrite and (there := next((i for i in chosen if data_files(root, i)), None)):
        raise TickwaxError(
            f"{key}: {root}: holds a sweep of {there} already; name another folder, or set backtest.overwrite=true"
        )
    check_folder(root, identity, set(chosen), appended=False)


def write_sweep(
    root: Path,
    rows: Mapping[Instrument, Sequence[Row]],
    schema: pa.Schema,
    identity: Identity,
    compression: str,
    overwrite: bool,
) -> list[Path]:
    """Write the rows, all instruments or none; returns the files. The caller holds the data set's lock.

    Args:
        rows: by column, of each instrument in order.
        schema: as of `sweep_schema`.
        overwrite: whether files of these instruments that are there go.

    Raises:
        TickwaxError: the disk is full, or the folder cannot be written to.
    """
    words = [field.name for field in schema if field.type == _TEXT]
    form = FileFormat(schema, words, compression=compression, identity=identity)
    with DatasetWriter(root, form, DATA_SET) as writer:
        for instrument, own in rows.items():
            texts = [{**row, **{name: _text(row.get(name)) for name in words}} for row in own]
            batch = pa.RecordBatch.from_pylist(texts, schema)
            ts = np.array([row["ts"] for row in own], np.int64)
            writer.write(instrument, ts, lambda batch=batch: batch)
        return writer.commit(list(rows) if overwrite else [])


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
