"""Rows of any data set as Arrow, in journals and in Parquet files: derived from its `RowSchema`."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from operators.dictionary import describe
from operators.fractal import REGIMES
from operators.row_batch import DTYPES, NO_CODE, TS, Column, RowBatch, RowSchema, Type
from sinks.data_file import FileFormat
from sinks.format import Array, Form
from sinks.identity import Identity
from sources.tape.arrow import arrow_words, from_arrow_array, to_arrow_array
from sources.tape.journal_format import Field
from sources.tape.schema import TIMESTAMP

_TYPES: dict[str, pa.DataType] = {
    "timestamp": TIMESTAMP,
    "int64": pa.int64(),
    "float64": pa.float64(),
    "uint8": pa.uint8(),
    "int8": pa.int8(),
    "bool": pa.bool_(),
    "word": pa.dictionary(pa.int8(), pa.string()),
}
FORMER_ROWS = "rows"  # what journals up to version 2 call features and books
_IN_DICTIONARY = ("features", "books", FORMER_ROWS)
_words = lru_cache(arrow_words)  # of a column: every batch takes them
_NOTHING: dict[Any, Array] = {name: np.empty((0, 0), dtype) for name, dtype in DTYPES.items()}


def arrow_schema(schema: RowSchema) -> pa.Schema:
    """The data set's Arrow schema. NaN is a value, and null another."""
    return pa.schema([_field(column, schema.name) for column in schema.columns])


def _field(column: Column, data_set: str) -> pa.Field:
    return pa.field(column.name, _TYPES[column.type], nullable=column.nullable, metadata=_described(column, data_set))


def _described(column: Column, data_set: str) -> dict[str, str]:
    """What the dictionary says of features and books; of other data sets what they declare, and nothing else: their
    ``price`` may be another."""
    if data_set in _IN_DICTIONARY:
        return describe(column.name)._replace(section=column.section).metadata()
    told = {"unit": column.unit, "definition": column.definition, "section": column.section}
    return {key: text for key, text in told.items() if text}


def row_file(schema: RowSchema, compression: str = "snappy", identity: Identity | None = None) -> FileFormat:
    """How the data set is laid out inside its files."""
    return FileFormat(
        schema=arrow_schema(schema),
        dictionary=[c.name for c in schema.columns if c.type in ("word", "uint8", "int8")],
        row_group_rows=1 << 15,  # 18 MB in memory; the last one, which nothing overlaps, is that small, too
        compression=compression,
        identity=identity,
    )


def rows_to_arrow(rows: RowBatch, schema: RowSchema, arrow: pa.Schema) -> pa.RecordBatch:
    """One batch as Arrow; numbers are not copied.

    Args:
        arrow: `arrow_schema` of ``schema``.
    """
    return pa.RecordBatch.from_arrays([_arrow(rows, column) for column in schema.columns], schema=arrow)


def _arrow(rows: RowBatch, column: Column) -> pa.Array:
    values: Any = getattr(rows, column.array)[column.row]
    valid = known(rows, column)
    if column.type == "word":
        return pa.DictionaryArray.from_arrays(to_arrow_array(values, pa.int8(), valid), _words(column.words))
    if column.type == "bool":
        values = values != 0
    return to_arrow_array(values, _TYPES[column.type], valid)


def rows_from_arrow(batch: pa.RecordBatch, schema: RowSchema) -> RowBatch:
    """The inverse of `rows_to_arrow`, of data sets whose numbers are not null: null is NaN where there is a NaN.

    Raises:
        ValueError: a column is of another type, or has a word that the schema does not know; begins with its name.
    """
    arrays: dict[Any, Array] = {
        name: np.zeros((schema.arrays.get(name, 0), batch.num_rows if schema.arrays.get(name) else 0), dtype)
        for name, dtype in DTYPES.items()
    }
    for column in schema.columns:
        found = batch.column(column.name)
        if found.type != _TYPES[column.type]:
            raise ValueError(f"{column.name}: is {found.type}, not {_TYPES[column.type]}")
        arrays[column.array][column.row] = _values(found, column)
    return RowBatch(**arrays)


def _values(found: pa.Array, column: Column) -> Array:
    """A column as it lies in a `RowBatch`, shape ``(rows,)``."""
    if column.type == "word":
        words = found.dictionary.to_pylist()
        if unknown := next((word for word in words if word not in column.words), None):
            raise ValueError(f"{column.name}: {unknown!r} is not one of {', '.join(column.words)}")
        codes = np.array([*map(column.words.index, words), NO_CODE], np.int8)  # the last one is that of null
        return codes[from_arrow_array(found.indices.fill_null(len(words)), np.int8)]
    if column.type == "float64":
        return from_arrow_array(found.fill_null(np.nan) if found.null_count else found, np.float64)
    if found.null_count:
        raise ValueError(f"{column.name}: {found.null_count} of its values are null")
    return from_arrow_array(found, np.bool_ if column.type == "bool" else DTYPES[column.array])


def known(rows: RowBatch, column: Column) -> Any:
    """Which values of a column are not null, shape ``(rows,)``; None of one that cannot be."""
    if column.valid is not None:
        return rows.valid[column.valid]
    if not column.nullable:
        return None
    return (
        rows.code[column.row] != NO_CODE
        if column.type == "word"
        else ~np.isnan(getattr(rows, column.array)[column.row])
    )


def row_form(schema: RowSchema, compression: str = "snappy", identity: Identity | None = None) -> Form[RowBatch]:
    """How rows are kept in a journal and in files: of the arrays only those that the data set reads.

    Raises:
        ValueError: the data set is called ``tape``, whose journals are another kind.
    """
    if schema.name == "tape":
        raise ValueError("rows of a data set cannot be called tape")
    file = row_file(schema, compression, identity)
    fields = tuple(Field(array, DTYPES[array], schema.arrays[array]) for array in DTYPES if array in schema.arrays)

    def arrow(arrays: dict[str, Array]) -> pa.RecordBatch:
        rows = RowBatch(**{name: arrays.get(name, nothing) for name, nothing in _NOTHING.items()})
        return rows_to_arrow(rows, schema, file.schema)

    return Form(
        data_set=schema.name,
        columns=[_described_column(c) for c in schema.columns],
        fields=fields,
        file=file,
        arrays=lambda rows: [getattr(rows, field.name) for field in fields],
        ts=lambda arrays: arrays["integer"][TS],
        arrow=arrow,
    )


def _described_column(c: Column) -> tuple[Any, ...]:
    return (c.name, c.type, c.array, c.row, c.section, c.nullable, c.words, c.unit, c.definition, c.valid)


def described_schema(description: dict[str, Any]) -> RowSchema:
    """The schema of rows that a journal describes, as `row_form` does."""
    columns = tuple(map(_column, description["columns"]))
    return RowSchema(description["data_set"], columns, {name: rows for name, _, rows in description["fields"]})


def _column(described: Sequence[Any]) -> Column:
    type_: Any
    name, type_, array, row, section, *rest = described
    if not rest:  # up to version 2 of journals: features or books, of which one column of words was a type of its own
        words = REGIMES if type_ == "regime" else ()
        kind: Type = "word" if words else type_
        return Column(name, kind, array, row, section, bool(words), words)
    nullable, words, unit, definition, valid = rest
    return Column(name, type_, array, row, section, nullable, tuple(words), unit, definition, valid)
