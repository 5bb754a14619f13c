"""Rows of a data set in columns: what operators hand on, and every sink and topic takes.

A data set is declared by its columns (`Declared`); where their values lie is derived. Columns of one kind of number
lie together in one array, one array row a column: joining or handing on a batch costs a few arrays, however many
columns there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.tape.batch import Float64s, Int64s

Type = Literal["timestamp", "int64", "float64", "uint8", "int8", "bool", "word"]
Array = Literal["integer", "code", "value", "book", "valid"]
ARRAYS: dict[Type, Array] = {
    "timestamp": "integer", "int64": "integer", "float64": "value",
    "uint8": "code", "int8": "code", "bool": "code", "word": "code",
}  # fmt: skip
DTYPES: dict[Array, str] = {"integer": "<i8", "value": "<f8", "book": "<f8", "code": "|i1", "valid": "|b1"}

NO_CODE = -1  # of a word that is null; of other columns that may be null, the array ``valid`` tells
NO_VALIDITY: npt.NDArray[np.bool_] = np.empty((0, 0), np.bool_)

_PARTITIONS = ("exchange", "symbol", "date")  # what the folders of a data set, and its messages, say of each row
_MOST_WORDS = 127  # codes are int8

TS = 0  # row of ``integer`` with the time of a row, the first column of every data set


class Declared(NamedTuple):
    """A column, as a data set declares it."""

    name: str
    type: Type
    nullable: bool = False
    words: tuple[str, ...] = ()  # of the type ``word``: the texts that codes 0, 1, … stand for
    unit: str = ""  # with the definition, of columns that are not in `operators.dictionary`
    definition: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a data set, and where its values are: a row of one of the arrays of a `RowBatch`."""

    name: str
    type: Type
    array: Array
    row: int
    section: str  # of docs/features.md, with the definition
    nullable: bool = False
    words: tuple[str, ...] = ()
    unit: str = ""
    definition: str = ""
    # Row of the array ``valid``, false where a value is null. None: never null, or a word, or null where it is NaN.
    valid: int | None = None


@dataclass(frozen=True)
class RowSchema:
    """A data set: its columns, and the arrays of a `RowBatch` that hold them.

    Attributes:
        name: of the data set.
        columns: in order; the first is ``ts``, a time in ns, which decides the date of a row.
        arrays: rows of each array that a column is read from.
    """

    name: str
    columns: tuple[Column, ...]
    arrays: Mapping[Array, int]

    def column(self, name: str) -> Column | None:
        """The column of that name; None if there is none."""
        return next((column for column in self.columns if column.name == name), None)

    def reading(self, name: str, columns: Iterable[Column]) -> "RowSchema":
        """Another data set that reads the same batches: other columns of them."""
        chosen = tuple(columns)
        read: set[Array] = {column.array for column in chosen}
        if any(column.valid is not None for column in chosen):
            read.add("valid")
        return RowSchema(name, chosen, {array: rows for array, rows in self.arrays.items() if array in read})


def nan_as_null(schema: RowSchema) -> RowSchema:
    """The same data set, whose columns of float64 are null where their value is NaN."""
    columns = (replace(c, nullable=True) if c.type == "float64" and c.valid is None else c for c in schema.columns)
    return replace(schema, columns=tuple(columns))


class Layout:
    """Columns, as they are declared one after the other."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.rows: Counter[Array] = Counter()  # of each array

    def add(self, columns: Iterable[Declared], section: str = "") -> None:
        """Append columns; ``section`` of docs/features.md defines them."""
        for name, type_, nullable, words, unit, definition in columns:
            array = ARRAYS[type_]
            row = self.rows[array]
            valid = self.rows["valid"] if nullable and type_ != "word" else None
            self.columns.append(Column(name, type_, array, row, section, nullable, words, unit, definition, valid))
            self.rows[array] += 1
            if valid is not None:
                self.rows["valid"] += 1

    def schema(self, name: str) -> RowSchema:
        """The data set of the columns so far.

        Raises:
            ValueError: two have one name, the first is not ``ts``, or there can be no such column.
        """
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError(f"{name}: a column is declared twice: {max(names, key=names.count)}")
        if not names or (names[0], self.columns[0].type) != ("ts", "timestamp"):
            raise ValueError(f"{name}: the first column must be ts, a timestamp")
        if odd := next((c for c in self.columns if c.name in ("ts", "ordinal") and c.nullable), None):
            raise ValueError(f"{name}: {odd.name} cannot be null")
        for column in self.columns:
            if problem := _problem(column):
                raise ValueError(f"{name}: {column.name} {problem}")
        return RowSchema(name, tuple(self.columns), dict(self.rows))


def _problem(column: Column) -> str:
    """Why there can be no such column; empty if there can."""
    if column.name in _PARTITIONS:
        return "is the name of a partition"
    if (column.type == "word") != bool(column.words):
        return "has words and is not of type word, or the other way round"
    if len(column.words) > _MOST_WORDS or len(set(column.words)) < len(column.words):
        return f"has more than {_MOST_WORDS} words, or one twice"
    return ""


def row_schema(name: str, columns: Sequence[Declared]) -> RowSchema:
    """A data set from the columns it declares.

    Raises:
        ValueError: as `Layout.schema`.

    >>> fills = row_schema("fills", [Declared("ts", "timestamp"), Declared("price", "float64"),
    ...                              Declared("liquidity", "word", words=("maker", "taker"))])
    >>> [(column.name, column.array, column.row) for column in fills.columns]
    [('ts', 'integer', 0), ('price', 'value', 0), ('liquidity', 'code', 0)]
    """
    layout = Layout()
    layout.add(columns)
    return layout.schema(name)


class RowBatch(NamedTuple):
    """Consecutive rows of one instrument, one array row a column; which is which tells a `RowSchema`.

    Shapes: ``(columns, rows)`` each, or ``(0, 0)`` for an array that the data set does not have. ``book`` holds the
    levels of books beside features: rows of one batch can be those of several data sets. ``valid`` is false where a
    number is null.
    """

    integer: Int64s
    code: npt.NDArray[np.int8]
    value: Float64s
    book: Float64s
    valid: npt.NDArray[np.bool_] = NO_VALIDITY

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.integer.shape[1])

    def slice(self, start: int, stop: int | None = None) -> "RowBatch":
        """Rows ``start:stop`` as views."""
        return RowBatch._make(array[:, start:stop] if array.size else array for array in self)


# In a stream: the tape of the instrument has ended, and no more rows will come.
NO_MORE_ROWS = RowBatch(np.empty((4, 0), np.int64), np.empty((2, 0), np.int8), np.empty((0, 0)), np.empty((0, 0)))


def row_batch(schema: RowSchema, **columns: Any) -> RowBatch:
    """Build a batch from sequences, one keyword a column.

    Args:
        columns: of shape ``(rows,)``. Null is None where the column may be null; words are their texts.

    Raises:
        ValueError: a column is missing, unknown, of another length or of values that it cannot hold.

    >>> schema = row_schema("x", [Declared("ts", "timestamp"), Declared("side", "word", True, ("buy", "sell"))])
    >>> row_batch(schema, ts=[1, 2], side=["sell", None]).code.tolist()
    [[1, -1]]
    """
    names = [column.name for column in schema.columns]
    if set(columns) != set(names):
        raise ValueError(f"{schema.name}: columns differ: {sorted(set(columns) ^ set(names))}")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"{schema.name}: columns differ in length")
    n = lengths.pop()
    arrays = {a: np.zeros((schema.arrays.get(a, 0), n if schema.arrays.get(a) else 0), DTYPES[a]) for a in DTYPES}
    for column in schema.columns:
        values = columns[column.name]
        arrays[column.array][column.row] = [_stored(column, value) for value in values]
        if column.valid is not None:
            arrays["valid"][column.valid] = [value is not None for value in values]
    return RowBatch(**arrays)


def _stored(column: Column, value: Any) -> Any:
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column.name}: null in a column that has none")
        return NO_CODE if column.type == "word" else 0
    if column.type == "uint8":
        return np.uint8(value).view(np.int8)
    return column.words.index(value) if column.type == "word" else value


def concat_rows(parts: list[RowBatch]) -> RowBatch | None:
    """Join consecutive rows; None if there are no parts."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    arrays = zip(*parts, strict=True)
    return RowBatch._make(np.concatenate(each, axis=1) if each[0].shape[0] else each[0] for each in arrays)
