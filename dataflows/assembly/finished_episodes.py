"""Episodes of a finished backtest or paper run: read, or computed from its fills, equity and features."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.fractal import REGIMES
from operators.row_batch import NO_CODE, RowBatch, RowSchema, concat_rows, row_batch
from operators.rules.episodes import EpisodeBuilder, MismatchError
from sinks.identity import settings_in
from sinks.row_format import rows_from_arrow
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import read_columns, read_schema
from sources.tape.layout import data_files, instruments

Columns = Mapping[str, Any]  # arrays of one length, by name; words as texts, None where there is none


def episodes_in(run: Path, features: Path | None) -> dict[Instrument, Columns]:
    """Columns of the data set ``episodes`` of every instrument of a run.

    Args:
        features: folder of the features of the same rows; asked for only where the run wrote no episodes.

    Raises:
        TickwaxError: it is no run, or the features are not those of its rows.
    """
    there = list(instruments(run / "equity"))
    if not there:
        raise TickwaxError(f"backtest.path: {run} holds no backtest: there are no rows in {run / 'equity'}")
    if any(True for _ in instruments(run / "episodes")):
        return {i: read_table(files) for i in there if (files := data_files(run / "episodes", i))}
    if features is None:
        raise TickwaxError(f"backtest.path: {run} has no episodes; name the features of its rows with features.path")
    out: dict[Instrument, Columns] = {}
    for instrument in there:
        rows, schema = made_episodes(run, features, instrument)
        if rows.rows:
            out[instrument] = _columns(rows, schema)
    return out


def made_episodes(run: Path, features: Path, instrument: Instrument) -> tuple[RowBatch, RowSchema]:
    """The episodes of an instrument, from what a run wrote and the features.

    Raises:
        TickwaxError: as `episodes_in`.
    """
    files = data_files(run / "equity", instrument)
    latency = _latency((settings_in(files[0]) or {}).get("execution.latency_entry", ""))
    orders, fills, equity = (_rows(run / s.name, instrument, s) for s in (ORDERS, FILLS, EQUITY))
    rows, names = _features(features, instrument)
    known, times = rows.integer[0], equity.integer[0]
    if len(known) != len(times):  # the features may be of a longer range
        rows = rows.slice(*_range(known, times))
    if not np.array_equal(rows.integer[0], times):
        raise TickwaxError(f"features.path: {features}: its rows of {instrument} are not those of the run in {run}")
    builder = EpisodeBuilder(names, 0, latency)
    try:
        parts = [builder.process(rows, orders, fills, equity), builder.end()]
    except MismatchError as e:
        raise TickwaxError(f"backtest.path: {run}: {instrument}: {e}") from None
    joined = concat_rows(parts)
    assert joined is not None
    return joined, builder.schema


def _latency(text: str) -> int:
    """ns, of a duration as a file's metadata has it; 0 where it does not tell."""
    found = re.search(r"'ns': (\d+)", text)
    return int(found[1]) if found else 0


def _range(known: Any, times: Any) -> tuple[int, int]:
    at = np.flatnonzero(known == times[0]) if len(times) else np.empty(0, np.int64)
    start = int(at[0]) if len(at) else 0
    return start, start + len(times)


def _rows(root: Path, instrument: Instrument, schema: RowSchema) -> RowBatch:
    names = [column.name for column in schema.columns]
    files = data_files(root, instrument)
    tables = [read_columns(file, names) for file in files]
    if not tables:
        return row_batch(schema, **{name: [] for name in names})
    parts = [rows_from_arrow(batch, schema) for batch in pa.concat_tables(tables).to_batches() if batch.num_rows]
    joined = concat_rows(parts)
    assert joined is not None
    return joined


def _features(root: Path, instrument: Instrument) -> tuple[RowBatch, list[str]]:
    """Times, regimes and columns of float64, and their names."""
    files = data_files(root, instrument)
    if not files:
        raise TickwaxError(f"features.path: {root} has no rows of {instrument}")
    first = read_schema(files[0])
    names = [field.name for field in first if field.type == pa.float64()]
    if "regime" not in first.names or "ts" not in first.names:
        raise TickwaxError(f"features.path: {files[0]} holds no features")
    table = pa.concat_tables([read_columns(file, ["ts", "regime", *names]) for file in files]).combine_chunks()
    codes = [REGIMES.index(word) if word in REGIMES else NO_CODE for word in table["regime"].to_pylist()]
    values = np.array([table[name].to_numpy() for name in names])
    ts = table["ts"].to_numpy().astype(np.int64)
    return RowBatch(ts[None, :], np.array([codes], np.int8), values, np.empty((0, 0))), names


def read_table(files: Sequence[Path]) -> Columns:
    """Columns of an instrument's files as arrays."""
    table = pa.concat_tables([read_columns(file, list(read_schema(file).names)) for file in files])
    out: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_dictionary(column.type):
            out[name] = np.array(column.to_pylist(), object)
        else:
            values = column.to_numpy()
            out[name] = values.astype(np.int64) if pa.types.is_timestamp(column.type) else values
    return out


def _columns(rows: RowBatch, schema: RowSchema) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for column in schema.columns:
        values = getattr(rows, column.array)[column.row]
        if column.words:
            values = np.array([column.words[code] if code >= 0 else None for code in values.tolist()], object)
        out[column.name] = values
    return out
