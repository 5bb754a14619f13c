"""Data sets and tapes as frames."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import numpy as np
import pyarrow as pa

from dataflows.assembly.tapes import open_tape
from dataflows.settings.local_paths import data_set_path
from dataflows.settings.model import Settings
from sinks.frame import with_instruments
from sinks.identity import data_set_of
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.parquet import CheckedFile, read_schema
from sources.tape.arrow import from_arrow_array
from sources.tape.layout import data_files, date_text, instruments
from sources.tape.reader import TapeReader
from sources.tape.schema import TAPE_SCHEMA, to_arrow
from tickwax._arguments import Path, Symbols, Time, as_settings, naming_arguments
from tickwax._frames import As, as_frame, check_form

if TYPE_CHECKING:
    import pathlib

    import pandas as pd
    import polars as pl

_MOST_NS = (1 << 63) - 1


class TapeArguments(TypedDict, total=False):
    """What every form of `read_tape` takes."""

    symbols: Symbols | None
    start: Time | None
    end: Time | None


class FeaturesArguments(TapeArguments, total=False):
    """What every form of `read_features` takes."""

    columns: Sequence[str] | None


@overload
def read_features(path: Path, *, as_: Literal["arrow"] = ..., **arguments: Unpack[FeaturesArguments]) -> pa.Table: ...
@overload
def read_features(path: Path, *, as_: Literal["polars"], **arguments: Unpack[FeaturesArguments]) -> "pl.DataFrame": ...
@overload
def read_features(path: Path, *, as_: Literal["pandas"], **arguments: Unpack[FeaturesArguments]) -> "pd.DataFrame": ...
def read_features(
    path: Path,
    *,
    symbols: Symbols | None = None,
    columns: Sequence[str] | None = None,
    start: Time | None = None,
    end: Time | None = None,
    as_: As = "arrow",
) -> Any:
    """Read a data set of features or books: the frame that `replay` gives without ``to``.

        >>> import tickwax as tw
        >>> path = tw.replay(tw.synthetic_tape("tape1", span="5s"), to="features1", sampling="1s")
        >>> tw.read_features(path, columns=["ts", "mid"], start="2026-01-05T00:00:03Z").column_names
        ['exchange', 'symbol', 'ts', 'mid']

    Every byte that is read has passed its checksum. Rows that a live run still has in its journals are not read.

    Args:
        path: folder of the data set.
        symbols: one or more of ``venue:SYMBOL`` and ``venue:*``; None: all of the data set.
        columns: in this order; None: all. ``exchange`` and ``symbol`` stand before them.
        start, end: rows with ``start`` ≤ ``ts`` < ``end``.
        as_: form of the frame: ``arrow``, ``polars`` or ``pandas``.

    Raises:
        ValueError: an argument is out of range.
        TickwaxError: the data set has no rows of a symbol, lacks a column, or a file is damaged.
        ImportError: ``as_`` names a library that is not installed.
    """
    check_form(as_)
    settings = as_settings({"symbols": symbols, "replay.start": start, "replay.end": end}, {})
    begin, stop = settings.replay.start, settings.replay.end
    bounds = (begin.ns if begin else 0, stop.ns if stop else _MOST_NS)
    try:
        root = data_set_path(str(path))
    except ValueError as e:
        raise ValueError(f"path: {e}") from None
    chosen = _chosen(settings, root)
    if data_set_of(read_schema(data_files(root, chosen[0])[0])) == "tape":
        raise TickwaxError(f"path: {root} holds a tape; read_tape reads it")
    schema = _schema(data_files(root, chosen[0])[0], columns)
    parts = [(i, [b for f in data_files(root, i) for b in _rows(f, schema, bounds)]) for i in chosen]
    return as_frame(with_instruments(parts, schema).unify_dictionaries(), as_)


@overload
def read_tape(tape: Path, *, as_: Literal["arrow"] = ..., **arguments: Unpack[TapeArguments]) -> pa.Table: ...
@overload
def read_tape(tape: Path, *, as_: Literal["polars"], **arguments: Unpack[TapeArguments]) -> "pl.DataFrame": ...
@overload
def read_tape(tape: Path, *, as_: Literal["pandas"], **arguments: Unpack[TapeArguments]) -> "pd.DataFrame": ...
def read_tape(
    tape: Path,
    *,
    symbols: Symbols | None = None,
    start: Time | None = None,
    end: Time | None = None,
    as_: As = "arrow",
) -> Any:
    """Read a tape: every book row and trade in the order in which they were recorded, checked as by a replay.

        >>> import tickwax as tw
        >>> rows = tw.read_tape(tw.synthetic_tape("tape2", span="2s"), end="2026-01-05T00:00:01Z")
        >>> rows["ordinal"][0].as_py(), sorted(set(rows["kind"].to_pylist()))
        (0, ['delta', 'snapshot', 'trade'])

    Rows that are still in the journals of a run that records now are read, too. A row takes 50 bytes of memory.

    Args:
        tape: folder of the tape.
        symbols: one or more of ``venue:SYMBOL`` and ``venue:*``; None: all of the tape.
        start, end: rows with ``start`` ≤ ``receive_ts`` < ``end``.
        as_: form of the frame: ``arrow``, ``polars`` or ``pandas``.

    Returns:
        ``exchange``, ``symbol`` and the columns of a tape, instrument by instrument.

    Raises:
        ValueError: an argument is out of range.
        TickwaxError: the tape cannot be read, breaks a rule, or has none of the instruments.
        ImportError: ``as_`` names a library that is not installed.
    """
    check_form(as_)
    settings = as_settings({"tape.path": tape, "symbols": symbols, "replay.start": start, "replay.end": end}, {})
    with naming_arguments() as lines:
        _refuse_other_data(settings.tape.path)
        _, readers = open_tape(settings, tell=lines.append)
        parts = [(reader.instrument, list(_in_range(reader))) for reader in readers]
    return as_frame(with_instruments(parts, TAPE_SCHEMA), as_)


def _refuse_other_data(root: "pathlib.Path | None") -> None:
    first = None if root is None else next(instruments(root), None)
    there = "" if first is None or root is None else data_set_of(read_schema(data_files(root, first)[0]))
    if there not in ("", "tape"):
        raise TickwaxError(f"tape.path: {root} holds {there}, not a tape; read_features reads it")


def _in_range(reader: TapeReader) -> Iterator[pa.RecordBatch]:
    """Rows of the range itself: those before it only make the book known."""
    for batch in reader.batches():
        first = int(np.searchsorted(batch.ordinal, reader.first_ordinal))
        if first < batch.rows:
            yield to_arrow(batch.slice(first, batch.rows))


def _chosen(settings: Settings, root: "pathlib.Path") -> list[Instrument]:
    there = list(instruments(root))
    if not there:
        raise TickwaxError(f"path: {root} holds no data set")
    if "symbols" not in settings.model_fields_set:
        return there
    for text in settings.symbols:
        if not any(_is(i, text) for i in there):
            names = ", ".join(map(str, there[:8])) + (" …" if len(there) > 8 else "")
            raise TickwaxError(f"symbols: {text} is not in {root}, which holds {names}")
    return [i for i in there if any(_is(i, text) for text in settings.symbols)]


def _is(instrument: Instrument, text: str) -> bool:
    return text in (str(instrument), f"{instrument.venue}:*")


def _schema(file: "pathlib.Path", columns: Sequence[str] | None) -> pa.Schema:
    """The schema of the columns that were asked for, without what one file says of itself."""
    schema = read_schema(file).remove_metadata()
    names = schema.names if columns is None else [c for c in columns if c not in ("exchange", "symbol")]
    for name in names:
        if name not in schema.names:
            close = get_close_matches(name, schema.names, n=1) or [
                f"one of {len(schema.names)}, such as {schema.names[0]}"
            ]
            raise TickwaxError(f"columns: {name!r} is not in {file}; did you mean {close[0]}?")
    return pa.schema([schema.field(name) for name in names])


def _rows(file: "pathlib.Path", schema: pa.Schema, bounds: tuple[int, int]) -> Iterator[pa.RecordBatch]:
    """The rows of a file that lie between two times."""
    start, end = bounds
    date = file.parent.name.removeprefix("date=")
    if (start and date < date_text(start)) or (end < _MOST_NS and date > date_text(end)):
        return
    wanted = [*schema.names, *({"ts"} - set(schema.names))]
    with CheckedFile(file) as opened:
        for name in wanted:
            if name not in opened.schema.names:
                raise TickwaxError(f"{file}: no column {name!r}, though other files have it")
        for group in range(opened.metadata.num_row_groups):
            for batch in opened.group(group, wanted).to_batches():
                ts = from_arrow_array(batch.column("ts"), np.int64)
                inside = (ts >= start) & (ts < end)
                if not inside.all():
                    batch = batch.filter(pa.array(inside))
                if len(batch):
                    yield batch.select(schema.names).cast(schema)
