"""What a tape consists of: its Parquet files, each read a bounded number of rows at a time."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from sources.errors import TickwaxError
from sources.parquet import CheckedFile
from sources.tape.arrow import from_arrow_array
from sources.tape.batch import DTYPES, KINDS, Int8s, TapeBatch
from sources.tape.schema import CUT_LEVELS, EDGE, GRID, SETTINGS, TAPE_SCHEMA

NO_KIND = -1
ALL = tuple(TAPE_SCHEMA.names)


class Steps(NamedTuple):
    """The largest decimal steps of which all prices, and all sizes, of books and trades are multiples; None: there are
    none."""

    tick: Fraction | None
    lot: Fraction | None


@dataclass(frozen=True)
class TapeFile(ABC):
    """Consecutive rows of one instrument in one file. Columns that are not asked for have no rows."""

    path: Path
    rows: int
    first_ordinal: int
    last_ordinal: int
    first_receive_ts: int  # smallest and largest, ns
    last_receive_ts: int
    cut_levels: int = field(default=0, kw_only=True)  # as of `InstrumentBatch`
    edge: str = field(default="", kw_only=True)  # as of `schema.EDGE`; empty: of no synthetic market that says so
    steps: "Steps | None" = field(default=None, kw_only=True)  # None: the file does not tell

    @abstractmethod
    def read(self, batch_rows: int, names: tuple[str, ...] = ALL, from_ordinal: int = 0) -> Iterator[TapeBatch]:
        """The rows in order; those before an ordinal may be left out, see `rows_before`.

        Raises:
            TickwaxError: the file cannot be read, is damaged, or holds nulls.
        """

    @abstractmethod
    def rows_before(self, ordinal: int) -> int:
        """How many rows `read` leaves out when it begins with ``ordinal``."""

    @abstractmethod
    def backwards(self, names: tuple[str, ...] = ALL) -> Iterator[TapeBatch]:
        """Parts of the file, the last one first; within each the rows are in order.

        Raises:
            TickwaxError: as `read`.
        """

    def left_open(self) -> int:
        """Kind of the message that the last row does not close, which the next file goes on with; −1 if it does."""
        batch = next(self.backwards(("ordinal", "kind", "last")))
        return NO_KIND if batch.last[-1] else int(batch.kind[-1])


class ParquetFile(TapeFile):
    """A data file of a tape."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Check a file's schema, and read its extent from the statistics of its row groups.

        Raises:
            TickwaxError: the file is not Parquet, damaged, or not of the tape's schema.
        """
        with CheckedFile(path) as file:
            meta, schema = file.metadata, file.schema
        for column in () if schema.equals(TAPE_SCHEMA) else TAPE_SCHEMA:
            at = schema.get_field_index(column.name)
            found = schema.field(at).type if at >= 0 else None
            if found is None:
                raise TickwaxError(f"{path}: no column {column.name!r}; a tape has {', '.join(TAPE_SCHEMA.names)}")
            same = column.name == "kind" and pa.types.is_dictionary(found) and found.value_type == pa.string()
            if not (same or found == column.type):
                raise TickwaxError(f"{path}: column {column.name!r} is {found}, in a tape it is {column.type}")
        cut_levels, edge = _told(path, schema)
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        groups = [g for g in groups if g.num_rows]
        if not groups:
            return cls(path, 0, 0, -1, 0, 0)
        ordinals = [_extent(path, g, "ordinal") for g in groups]
        received = [_extent(path, g, "receive_ts") for g in groups]
        first, last = min(low for low, _ in ordinals), max(high for _, high in ordinals)
        return cls(
            path,
            meta.num_rows,
            first,
            last,
            min(low for low, _ in received),
            max(high for _, high in received),
            cut_levels=cut_levels,
            edge=edge,
            steps=_steps(meta.metadata or {}, [first, last]),
        )

    def read(self, batch_rows: int, names: tuple[str, ...] = ALL, from_ordinal: int = 0) -> Iterator[TapeBatch]:
        """Rows, skipping row groups that end before the ordinal."""
        with CheckedFile(self.path, ["kind"]) as file:
            groups, row = self._groups_from(file.metadata, from_ordinal)
            for record in file.batches(batch_rows, groups, names):
                yield columns_of(self.path, record, row)
                row += record.num_rows

    def rows_before(self, ordinal: int) -> int:
        """Rows of the row groups that end before ``ordinal``."""
        if ordinal <= self.first_ordinal:
            return 0
        with CheckedFile(self.path) as file:
            return self._groups_from(file.metadata, ordinal)[1]

    def backwards(self, names: tuple[str, ...] = ALL) -> Iterator[TapeBatch]:
        """The row groups, the last one first."""
        with CheckedFile(self.path, ["kind"]) as file:
            for group in reversed(range(file.metadata.num_row_groups)):
                for record in file.group(group, names).combine_chunks().to_batches():
                    yield columns_of(self.path, record, 0)

    def _groups_from(self, meta: Any, ordinal: int) -> tuple[list[int], int]:
        """The row groups but for those that end before ``ordinal``, and the number of rows in the latter."""
        sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        wanted = [
            i for i, rows in enumerate(sizes) if rows and _extent(self.path, meta.row_group(i), "ordinal")[1] >= ordinal
        ]
        return wanted, sum(sizes) - sum(sizes[i] for i in wanted)


def _told(path: Path, schema: pa.Schema) -> tuple[int, str]:
    """How many levels a side the books were cut to, and the edge of a synthetic market, as the file says."""
    told = (schema.metadata or {}).get(SETTINGS.encode())
    try:
        settings = json.loads(told) if told else {}
        return int(settings.get(CUT_LEVELS, 0)), str(settings.get(EDGE, ""))
    except (ValueError, TypeError, AttributeError):
        raise TickwaxError(f"{path}: its metadata {SETTINGS} cannot be read") from None


def _steps(told_of: dict[bytes, bytes], ordinals: list[int]) -> Steps | None:
    """As the file says of rows with these first and last ordinals; None if it says nothing, or that of other rows."""
    told = told_of.get(GRID.encode())
    try:
        grid = json.loads(told) if told else {}
        if grid.get("ordinals") != ordinals:  # another program has rewritten the file
            return None
        return Steps(*(None if grid[name] is None else Fraction(grid[name]) for name in Steps._fields))
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError):
        return None


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


def columns_of(place: Path | str, record: pa.RecordBatch, row: int) -> TapeBatch:
    """The batch in arrays; columns that it has not have no rows.

    Args:
        place: where it comes from, for errors.
        row: the number of its first row there.

    Raises:
        TickwaxError: a value is null, or a kind no text.
    """
    columns: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in DTYPES.items()}
    for name in record.schema.names:
        column = record.column(name)
        if column.null_count:
            row += int(column.is_null().to_numpy(zero_copy_only=False).argmax())
            raise TickwaxError(f"{place}: row {row}: column {name!r} is null; a tape has no nulls")
        if name == "kind":
            columns[name] = _kind_codes(place, column)
        else:
            columns[name] = from_arrow_array(column, DTYPES[name])
    return TapeBatch(**columns)


def _kind_codes(place: Path | str, column: Any) -> Int8s:
    """Codes of `batch.KINDS` from a dictionary column, whose order is the file's own; −1 for another word."""
    indices = from_arrow_array(column.indices, column.indices.type.to_pandas_dtype())
    try:
        words = column.dictionary.to_pylist()
    except UnicodeDecodeError as e:
        raise TickwaxError(f"{place}: cannot be read: {e}") from None
    if tuple(words) == KINDS[: len(words)]:  # as the tape's own writer has them
        return indices.astype(np.int8)
    codes = np.array([KINDS.index(w) if w in KINDS else NO_KIND for w in words], np.int8)
    kinds: Int8s = codes[indices]
    return kinds
