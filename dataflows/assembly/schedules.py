"""A schedule of orders from a Parquet file (docs/execution.md, 2)."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataflows.assembly.tapes import time_text
from operators.execution.schedule import Schedule
from operators.execution.words import ACTIONS, AMEND, CANCEL, LIMIT, MARKET, TIMES_IN_FORCE
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.reader import TapeReader

_COLUMNS = ("exchange", "symbol", "local_ts", "action", "order_id", "side", "kind", "tif", "price", "size")


def read_schedules(path: Path, readers: list[TapeReader]) -> dict[Instrument, Schedule]:
    """The orders of each instrument.

    Raises:
        TickwaxError: the file cannot be read, lacks a column, or a row is wrong: an unknown instrument, a duplicate id,
            NaN (but as the size of an amend, which keeps it), a time before the tape. The text names the row, counted
            from 0.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise TickwaxError(f"backtest.orders: {path} {what}; a Parquet file is needed")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as e:
        raise TickwaxError(f"backtest.orders: {path}: {e}".splitlines()[0]) from None
    if lacking := [name for name in _COLUMNS if name not in table.column_names]:
        raise TickwaxError(f"backtest.orders: {path}: has no column {lacking[0]}; it needs {', '.join(_COLUMNS)}")
    by_name = {str(reader.instrument): reader for reader in readers}
    columns = {name: _column(table, name, path) for name in _COLUMNS}
    names = [f"{e}:{s}" for e, s in zip(columns["exchange"], columns["symbol"], strict=True)]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name not in by_name:
            there = ", ".join(list(by_name)[:8])
            raise _wrong(path, row, f"{name} is not among the instruments of the run: {there}")
        rows.setdefault(name, []).append(row)
    return {by_name[name].instrument: _schedule(path, columns, own, by_name[name]) for name, own in rows.items()}


def _column(table: pa.Table, name: str, path: Path) -> list[Any]:
    column = table[name]
    try:
        if name == "local_ts":
            whole = column if pa.types.is_integer(column.type) else column.cast(pa.timestamp("ns", "UTC"))
            return list(whole.cast(pa.int64()).to_pylist())
        if name in ("price", "size"):
            return list(column.cast(pa.float64()).to_pylist())
        if name in ("order_id", "side"):
            return list(column.cast(pa.int64()).to_pylist())
        return list(pc.cast(column, pa.string()).to_pylist())
    except pa.ArrowException as e:
        raise TickwaxError(f"backtest.orders: {path}: {name}: {e}".splitlines()[0]) from None


def _wrong(path: Path, row: int, what: str) -> TickwaxError:
    return TickwaxError(f"backtest.orders: {path}: row {row}: {what}")


def _schedule(path: Path, columns: dict[str, list[Any]], rows: list[int], reader: TapeReader) -> Schedule:
    begins = reader.span[0]
    sent: set[int] = set()
    actions, tifs, sides = [], [], []
    for row in rows:
        row_of = {name: values[row] for name, values in columns.items()}
        action = _action(path, row, row_of)
        if row_of["local_ts"] is None or row_of["order_id"] is None:
            raise _wrong(path, row, "local_ts or order_id is null")
        if row_of["local_ts"] < begins:
            raise _wrong(path, row, f"local_ts lies before the tape, which begins at {time_text(begins)}")
        if action in (LIMIT, MARKET):
            if row_of["order_id"] in sent:
                raise _wrong(path, row, f"order_id {row_of['order_id']} is there twice")
            sent.add(row_of["order_id"])
            if row_of["side"] not in (1, -1):
                raise _wrong(path, row, f"side {row_of['side']} is neither 1 nor -1")
        for name in ("price", "size"):
            keeps = action == AMEND and name == "size" and (row_of[name] is None or np.isnan(row_of[name]))
            needed = action in (LIMIT, AMEND) or (action == MARKET and name == "size")
            if needed and not keeps and (row_of[name] is None or not np.isfinite(row_of[name])):
                raise _wrong(path, row, f"{name} {row_of[name]} is not a finite number")
        tif = row_of["tif"] if action == LIMIT else None
        if action == LIMIT and tif not in TIMES_IN_FORCE:
            raise _wrong(path, row, f"tif {tif!r} is not one of {', '.join(TIMES_IN_FORCE)}")
        actions.append(action)
        tifs.append(-1 if tif is None else TIMES_IN_FORCE.index(tif))
        sides.append(row_of["side"] or 0)
    numbers = {name: [columns[name][row] for row in rows] for name in _COLUMNS}
    return Schedule(
        local_ts=np.array(numbers["local_ts"], np.int64),
        order_id=np.array(numbers["order_id"], np.int64),
        side=np.array(sides, np.int8),
        action=np.array(actions, np.int8),
        tif=np.array(tifs, np.int8),
        price=np.array([np.nan if x is None else x for x in numbers["price"]], np.float64),
        size=np.array([np.nan if x is None else x for x in numbers["size"]], np.float64),
    )


def _action(path: Path, row: int, row_of: dict[str, Any]) -> int:
    action, kind = row_of["action"], row_of["kind"]
    if action == "cancel":
        return CANCEL
    if action == "amend":
        return AMEND
    if action != "new":
        raise _wrong(path, row, f"action {action!r} is not one of new, cancel, amend")
    if kind not in ACTIONS[:2]:
        raise _wrong(path, row, f"kind {kind!r} is not one of {', '.join(ACTIONS[:2])}")
    return ACTIONS.index(kind)
