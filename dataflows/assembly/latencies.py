"""Latencies of orders that were measured, from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from dataflows.settings.model import Settings
from operators.execution.latency import Latency
from sources.errors import TickwaxError
from sources.instrument import Instrument

_KEY = "execution.latency_file"
_TIMES = ("local_ts", "exchange_ts", "response_ts")
_FORMER = {"req_ts": "local_ts", "exch_ts": "exchange_ts", "resp_ts": "response_ts"}  # as hftbacktest names them


def measured_latencies(settings: Settings) -> Callable[[Instrument], Latency | None]:
    """What tells an instrument's measured latencies; None where the settings' constants hold.

    A Parquet or CSV file has the columns ``local_ts`` (sent), ``exchange_ts`` (acted) and ``response_ts`` (reported),
    timestamps or ns, and may have ``exchange`` and ``symbol``: else its rows are of all instruments. The arrays that
    hftbacktest's `IntpOrderLatency` takes (``.npz``; ``req_ts``, ``exch_ts``, ``resp_ts``) are taken, too.

    Raises:
        TickwaxError: the file cannot be read, lacks a column, or a row is wrong. What is returned raises it for an
            instrument that the file does not have.
    """
    path = settings.execution.latency_file
    if path is None:
        return lambda instrument: None
    table = _read(path)
    if lacking := [name for name in _TIMES if name not in table]:
        raise TickwaxError(f"{_KEY}: {path}: has no column {lacking[0]}; it needs {', '.join(_TIMES)}")
    times = [table[name] for name in _TIMES]
    if "exchange" not in table or "symbol" not in table:
        everywhere = _latency(path, *times)
        return lambda instrument: everywhere
    names = np.char.add(np.char.add(table["exchange"].astype(str), ":"), table["symbol"].astype(str))
    by_instrument = {name: _latency(path, *(t[names == name] for t in times)) for name in np.unique(names).tolist()}

    def of(instrument: Instrument) -> Latency:
        try:
            return by_instrument[str(instrument)]
        except KeyError:
            there = ", ".join(list(by_instrument)[:8])
            raise TickwaxError(f"{_KEY}: {path}: has no row of {instrument}; it has {there}") from None

    return of


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                rows = arrays["data"]
            columns = {name: rows[name] for name in rows.dtype.names or ()}
        else:
            read = pc.read_csv if path.suffix == ".csv" else pq.read_table
            found = read(path)
            columns = {name: _numbers(found[name]) for name in found.column_names}
    except (OSError, ValueError, KeyError, pa.ArrowException) as e:
        raise TickwaxError(f"{_KEY}: {path}: {e}".splitlines()[0]) from None
    return {_FORMER.get(name, name): values for name, values in columns.items()}


def _numbers(column: pa.ChunkedArray) -> Any:
    if column.null_count:
        raise ValueError("a value is null")
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    return column.to_numpy()


def _latency(path: Path, *times: Any) -> Latency:
    try:
        return Latency.measured(*(np.asarray(t).astype(np.int64, casting="safe") for t in times))
    except (TypeError, ValueError) as e:
        raise TickwaxError(f"{_KEY}: {path}: {e}") from None
