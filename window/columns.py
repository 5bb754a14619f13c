"""Rows of any data set as one matrix of float64, which is what the page reads."""

from typing import Any

import numpy as np

from operators.config import FeatureConfig
from operators.row_batch import Array, Column, RowBatch, RowSchema
from operators.schema import SINCE_RESTART, book_columns, feature_schema
from sources.tape.batch import Float64s

NS_PER_MS = 1e6
RESTART = "since_restart"  # rows since the features began anew; 0: nothing may be drawn across from the row before


class Columns:
    """Which columns a data set has, in order, and how they are read from a batch.

    Times become ms since 1970; a word its number, −1 where it is null.

    Attributes:
        names: of the columns.
        words: of the columns that are words, by name.
    """

    def __init__(self, schema: RowSchema, more: tuple[Column, ...] = ()) -> None:
        """Args:
        more: columns behind those of the schema, which its batches may lack: NaN then.
        """
        columns = [*schema.columns, *more]
        self.names = [column.name for column in columns]
        self.words = {column.name: list(column.words) for column in columns if column.words}
        self._times = [i for i, column in enumerate(columns) if column.type == "timestamp"]
        self._unsigned = [i for i, column in enumerate(columns) if column.type == "uint8"]
        places: dict[Array, tuple[list[int], list[int]]] = {}
        for i, column in enumerate(columns):
            to, of = places.setdefault(column.array, ([], []))
            to.append(i)
            of.append(column.row)
        self._places = {array: (np.array(to), np.array(of)) for array, (to, of) in places.items()}

    def of(self, rows: RowBatch) -> Float64s:
        """Shape ``(columns, rows)``."""
        out = np.full((len(self.names), rows.rows), np.nan)
        for array, (to, of) in self._places.items():
            found: Any = getattr(rows, array)
            if found.size:
                out[to] = found[of]
        for i in self._times:
            out[i] /= NS_PER_MS
        for i in self._unsigned:
            out[i] %= 256  # a code is kept as int8
        return out


def feature_rows(config: FeatureConfig) -> Columns:
    """Of features with their books beside them."""
    restart = Column(RESTART, "int64", "integer", SINCE_RESTART, "4.2")
    book = [column for column in book_columns() if column.array == "book"]
    return Columns(feature_schema(config), (restart, *book))
