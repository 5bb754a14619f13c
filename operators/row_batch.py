"""Feature rows in columns: what the engine hands on, and every sink and topic takes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.schema import ROW_ORDINAL
from sources.tape.batch import Float64s, Int64s


class FeatureRows(NamedTuple):
    """Consecutive feature rows of one instrument, one array row a column (`operators.schema`).

    Shapes: ``integer`` (4, rows); ``code`` (2, rows); ``value`` (columns, rows); ``book`` (80, rows), or (0, 0)
    without books.
    """

    integer: Int64s
    code: npt.NDArray[np.int8]
    value: Float64s
    book: Float64s

    @property
    def rows(self) -> int:
        """Number of feature rows."""
        return int(self.integer.shape[1])

    def since(self, ordinal: int) -> "FeatureRows":
        """The rows whose newest tape row is ``ordinal`` or a later one."""
        first = int(np.searchsorted(self.integer[ROW_ORDINAL], ordinal))
        return FeatureRows._make(column[:, first:] if column.size else column for column in self)


# In a stream: the tape of the instrument has ended, and no more rows will come.
NO_MORE_ROWS = FeatureRows(np.empty((4, 0), np.int64), np.empty((2, 0), np.int8), np.empty((0, 0)), np.empty((0, 0)))


def concat_rows(parts: list[FeatureRows]) -> FeatureRows | None:
    """Join consecutive feature rows."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    return FeatureRows._make(np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))
