"""Reads the tape of one instrument back, in the order of ``ordinal``, a bounded number of rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sources.errors import TickwaxError
from sources.events import DTYPES, KINDS, RESET, SNAPSHOT, Int8s, TapeBatch
from sources.instrument import Instrument
from sources.tape.check import GOOD, describe, first_fault
from sources.tape.layout import data_files
from sources.tape.schema import TAPE_SCHEMA

BATCH_ROWS = 1 << 16
_NO_KIND = -1


@dataclass(frozen=True)
class TapeFile:
    """One data file of a tape, from its footer."""

    path: Path
    rows: int
    first_ordinal: int
    last_ordinal: int
    first_receive_ts: int  # smallest and largest, ns
    last_receive_ts: int


class TapeReader:
    """The tape of one instrument between two receive times.

    ``start`` and ``end`` cut the tape where ``receive_ts`` first reaches them. A book can be rebuilt from a snapshot
    only, so reading begins at the newest snapshot or reset that is not after ``start``; `first_ordinal` tells where the
    range itself begins.
    """

    def __init__(
        self, root: Path, instrument: Instrument, start_ns: int | None = None, end_ns: int | None = None
    ) -> None:
        """Read the footers.

        Raises:
            TickwaxError: the tape has no data file of the instrument, a file is not Parquet or not of the tape's
                schema, or two files hold the same ordinals.
        """
        self.instrument = instrument
        files = [f for f in (_footer(path) for path in data_files(root, instrument)) if f.rows]
        self._files = sorted(files, key=lambda f: f.first_ordinal)
        if not files:
            raise TickwaxError(f"{root}: the tape has no rows of {instrument}")
        for a, b in zip(self._files, self._files[1:], strict=False):
            if b.first_ordinal <= a.last_ordinal:
                raise TickwaxError(
                    f"{b.path}: ordinals from {b.first_ordinal} overlap those of {a.path.name}, up to {a.last_ordinal}"
                )
        self._end_ns = end_ns
        self.first_ordinal = 0
        self._warm_ordinal = 0
        if start_ns is not None:
            self.first_ordinal = self._find_start(start_ns)
            self._warm_ordinal = self._find_book(self.first_ordinal)

    @property
    def rows(self) -> int:
        """Rows of the files that hold the range; an upper bound of what `batches` gives."""
        return sum(f.rows for f in self._files if self._reads(f))

    def batches(self, batch_rows: int = BATCH_ROWS) -> Iterator[TapeBatch]:
        """Every row from the one that makes the book known up to the end of the range, checked.

        Raises:
            TickwaxError: a row breaks the tape's rules; the text names file and row.
        """
        ordinal: int | None = None
        for file in self._files:
            if not self._reads(file):
                continue
            row = _rows_before(file.path, self._warm_ordinal)
            for batch in _read(file.path, batch_rows, from_ordinal=self._warm_ordinal):
                if ordinal is None:
                    ordinal = self._before_first(file, batch)
                bad, fault = first_fault(batch, ordinal)
                if fault != GOOD:
                    raise TickwaxError(f"{file.path}: row {row + bad}: {describe(batch, bad, fault, ordinal)}")
                row += batch.rows
                ordinal = int(batch.ordinal[-1])
                if ordinal < self._warm_ordinal:
                    continue
                part, ended = self._cut(batch)
                if part.rows:
                    yield part
                if ended:
                    return

    def _before_first(self, file: TapeFile, batch: TapeBatch) -> int:
        """Ordinal before the first row read: a tape begins with 0 or, where its beginning was removed, with a reset."""
        first = int(batch.ordinal[0])
        if self._warm_ordinal == 0 and first > 0 and batch.kind[0] != RESET:
            raise TickwaxError(
                f"{file.path}: row 0: rows before ordinal {first} are missing, so the book is unknown; "
                "set replay.start to a time after the next snapshot or reset"
            )
        return first - 1 if first > 0 else -1

    def _reads(self, file: TapeFile) -> bool:
        """Whether the file holds rows of the range; the order of ordinals need not be that of receive times."""
        if file.last_ordinal < self._warm_ordinal:
            return False
        before = [f for f in self._files if f.first_ordinal < file.first_ordinal]
        return self._end_ns is None or all(f.last_receive_ts < self._end_ns for f in before)

    def _cut(self, batch: TapeBatch) -> tuple[TapeBatch, bool]:
        first = int(np.searchsorted(batch.ordinal, self._warm_ordinal))
        if self._end_ns is None:
            return (batch.slice(first, batch.rows) if first else batch), False
        late = batch.receive_ts[first:] >= self._end_ns
        if not late.any():
            return batch.slice(first, batch.rows), False
        return batch.slice(first, first + int(late.argmax())), True

    def _find_start(self, start_ns: int) -> int:
        """Ordinal of the first row received at ``start_ns`` or later; one past the last if there is none."""
        for file in self._files:
            if file.last_receive_ts < start_ns:
                continue
            for batch in _read(file.path, BATCH_ROWS, ("ordinal", "receive_ts")):
                late = batch.receive_ts >= start_ns
                if late.any():
                    return int(batch.ordinal[late.argmax()])
        return self._files[-1].last_ordinal + 1

    def _find_book(self, ordinal: int) -> int:
        """Ordinal of the newest reset or first row of a snapshot that is not after ``ordinal``; 0 if there is none."""
        for n, file in reversed(list(enumerate(self._files))):
            if file.first_ordinal > ordinal:
                continue
            found = None
            before = _left_open(self._files[n - 1]) if n else _NO_KIND
            for batch in _read(file.path, BATCH_ROWS, ("ordinal", "kind", "last")):
                # A snapshot begins where the row before is none or closed its own message.
                opens = np.concatenate([[before != SNAPSHOT], (batch.kind[:-1] != SNAPSHOT) | batch.last[:-1]])
                begins = ((batch.kind == SNAPSHOT) & opens) | (batch.kind == RESET)
                at = np.flatnonzero(begins & (batch.ordinal <= ordinal))
                if len(at):
                    found = int(batch.ordinal[at[-1]])
                if batch.rows:
                    before = _NO_KIND if batch.last[-1] else int(batch.kind[-1])
            if found is not None:
                return found
        return 0


def _footer(path: Path) -> TapeFile:
    """Check a file's schema, and read its extent from the statistics of its row groups."""
    try:
        with pq.ParquetFile(path) as file:
            meta, schema = file.metadata, file.schema_arrow
    except (pa.ArrowInvalid, OSError) as e:
        raise TickwaxError(f"{path}: not a Parquet file: {str(e).splitlines()[0]}") from None
    for field in TAPE_SCHEMA:
        at = schema.get_field_index(field.name)
        found = schema.field(at).type if at >= 0 else None
        if found is None:
            raise TickwaxError(f"{path}: no column {field.name!r}; a tape has {', '.join(TAPE_SCHEMA.names)}")
        same = field.name == "kind" and pa.types.is_dictionary(found) and found.value_type == pa.string()
        if not (same or found == field.type):
            raise TickwaxError(f"{path}: column {field.name!r} is {found}, in a tape it is {field.type}")
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    groups = [g for g in groups if g.num_rows]
    if not groups:
        return TapeFile(path, 0, 0, -1, 0, 0)
    ordinals = [_extent(path, g, "ordinal") for g in groups]
    received = [_extent(path, g, "receive_ts") for g in groups]
    return TapeFile(
        path,
        meta.num_rows,
        min(low for low, _ in ordinals),
        max(high for _, high in ordinals),
        min(low for low, _ in received),
        max(high for _, high in received),
    )


def _extent(path: Path, group: Any, name: str) -> tuple[int, int]:
    """Smallest and largest value of an integer or time column of a row group."""
    for i in range(group.num_columns):
        column = group.column(i)
        if column.path_in_schema == name:
            s = column.statistics
            if s is None or not s.has_min_max:
                raise TickwaxError(f"{path}: column {name!r} has no statistics; write the tape with them")
            return int(s.min_raw), int(s.max_raw)
    raise TickwaxError(f"{path}: no column {name!r}")


def _groups_from(path: Path, meta: Any, ordinal: int) -> tuple[list[int], int]:
    """The row groups of a file but for those that end before ``ordinal``, and the number of rows in the latter."""
    sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    groups = [i for i, rows in enumerate(sizes) if rows and _extent(path, meta.row_group(i), "ordinal")[1] >= ordinal]
    return groups, sum(sizes) - sum(sizes[i] for i in groups)


def _rows_before(path: Path, ordinal: int) -> int:
    """Rows of the file's row groups that end before ``ordinal``."""
    with pq.ParquetFile(path) as file:
        return _groups_from(path, file.metadata, ordinal)[1]


def _left_open(file: TapeFile) -> int:
    """Kind of the message that the file's last row does not close, which the next file goes on with; −1 if it does."""
    kind = _NO_KIND
    for batch in _read(file.path, BATCH_ROWS, ("ordinal", "kind", "last"), from_ordinal=file.last_ordinal):
        kind = _NO_KIND if batch.last[-1] else int(batch.kind[-1])
    return kind


def _read(
    path: Path, batch_rows: int, names: tuple[str, ...] = tuple(TAPE_SCHEMA.names), from_ordinal: int = 0
) -> Iterator[TapeBatch]:
    """A file's rows, but for row groups before an ordinal; columns that were not asked for have no rows."""
    try:
        with pq.ParquetFile(path, read_dictionary=["kind"]) as file:
            groups, row = _groups_from(path, file.metadata, from_ordinal)
            for record in file.iter_batches(batch_rows, row_groups=groups, columns=list(names), use_threads=True):
                yield _columns(path, record, row)
                row += record.num_rows
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as e:
        raise TickwaxError(f"{path}: cannot be read: {str(e).splitlines()[0]}") from None


def _columns(path: Path, record: pa.RecordBatch, row: int) -> TapeBatch:
    """The batch in arrays; ``row``: the number of its first row in the file."""
    columns: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in DTYPES.items()}
    for name in record.schema.names:
        column = record.column(name)
        if column.null_count:
            row += int(column.is_null().to_numpy(zero_copy_only=False).argmax())
            raise TickwaxError(f"{path}: row {row}: column {name!r} is null; a tape has no nulls")
        if name == "kind":
            columns[name] = _kind_codes(column)
        elif pa.types.is_timestamp(column.type):
            columns[name] = column.view(pa.int64()).to_numpy()
        else:
            columns[name] = column.to_numpy(zero_copy_only=name != "last")
    return TapeBatch(**columns)


def _kind_codes(column: Any) -> Int8s:
    """Codes of `sources.events.KINDS` from a dictionary column, whose order is the file's own; −1 for another word."""
    words = column.dictionary.to_pylist()
    codes = np.array([KINDS.index(w) if w in KINDS else _NO_KIND for w in words] or [_NO_KIND], np.int8)
    kinds: Int8s = codes[column.indices.to_numpy(zero_copy_only=False)]
    return kinds
