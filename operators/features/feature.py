"""What a feature declares, and what its kernels are handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.config import FeatureConfig
from operators.rolling_sum import RollingShape, RollingSum
from operators.row_batch import Declared
from sources.tape.batch import Float64s, Int64s

PRICE_UNIT, SIZE_UNIT, TIME_UNIT = "quote currency", "base currency", "ns since 1970, UTC"
THE_BOOK = "the book at ts"
SINCE_ROW = "since the previous row"
WARM_WINDOWS, WARM_BOOK = 1, 64  # bits of `warm` (docs/features.md, 4.8) that are no single feature's


class Described(NamedTuple):
    """What a reader must know of a column, or of a family of columns.

    Attributes:
        name: of the column. ``{D}``, ``{w}`` and ``{m}`` stand for a depth as in ``l5``, a window and a level, in the
            other fields as well; there, ``{levels}`` stands for the levels down to a depth.
        definition: in one line.
        formula: that of docs/features.md; empty where there is none in one line.
        reads: which part of the tape; never anything behind the row's `ordinal`.
        unknown: when the value is NaN, or null; empty if never.
        warm: the bits of `warm` to ask for (docs/features.md, 4.8).
    """

    name: str
    unit: str
    definition: str
    formula: str = ""
    reads: str = ""
    unknown: str = ""
    warm: int = 0


@dataclass(frozen=True)
class Feature:
    """One feature, or a few that are computed together.

    Attributes:
        section: of docs/features.md, with the definition.
        columns: names and types, in the order of the data set; of one type they stand in consecutive rows.
        described: every column, or family of columns, in the order of the data set (`operators.dictionary`).
    """

    section: str
    columns: Callable[[FeatureConfig], Sequence[Declared]]
    described: Sequence[Described]


def floats(*names: str) -> list[Declared]:
    """Columns of float64."""
    return [Declared(name, "float64") for name in names]


class Place(NamedTuple):
    """Where a feature's columns begin: the first row of each array of `Rows`."""

    value: int
    integer: int
    code: int


class Rows(NamedTuple):
    """Room for feature rows, one array row a column, so that each column is contiguous."""

    integer: Int64s  # (columns, room), in the schema's order, as are all
    code: npt.NDArray[np.int8]  # (columns, room)
    value: Float64s  # (columns, room)
    book: Float64s  # (80, room), or (0, 0) when the books data set is off


class Common(NamedTuple):
    """Parameters that many features read."""

    sampling: int  # ns; 0: update
    depths: Int64s
    shape: RollingShape
    longest_window: int  # ns


class Scratch(NamedTuple):
    """Room for intermediate results, so that no event allocates; nothing in it outlives a call."""

    level: Float64s  # (2, L)
    depth: Float64s  # (D,)
    window: Float64s  # (D · windows,)
    window_zscore: Float64s  # (D · windows,)
    single: Float64s  # (1,)


class Moment(NamedTuple):
    """What a row is about: the book at the last update, and the windows that end now."""

    t: int  # ns: time of the row
    rows: int  # before this one, since the restart
    first_update: int  # ns: the clock at it
    price: Float64s  # (2, L): best levels, bids first; ∓∞ where there is none
    size: Float64s  # (2, L)
    mid: float
    log_mid: float
    rolling: RollingSum
    scratch: Scratch


Array = npt.NDArray[Any]
