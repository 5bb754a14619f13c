"""The feature columns: one row a column, in the order of the data set and of the kernels that fill it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from operators.config import BOOK_LEVELS, FeatureConfig
from operators.features import FEATURES, Places
from operators.features.feature import Place, Type

Array = Literal["integer", "code", "value", "book"]
_ARRAYS: dict[Type, Array] = {
    "timestamp": "integer", "int64": "integer", "float64": "value", "regime": "code", "uint8": "code",
}  # fmt: skip

# The first columns of every row, and their rows in the array ``integer``.
_HEAD: tuple[tuple[str, Type], ...] = (("ts", "timestamp"), ("receive_ts", "timestamp"), ("ordinal", "int64"))
TS, RECEIVE_TS, ROW_ORDINAL = 0, 1, 2


@dataclass(frozen=True)
class Column:
    """A column of a data set, and where its values are: a row of one of the arrays of `FeatureRows`."""

    name: str
    type: Type
    array: Array
    row: int
    section: str  # of docs/features.md, with the definition


class _Layout:
    """Columns, as they are declared one after the other."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.rows: Counter[Array] = Counter()  # of each array

    def place(self) -> Place:
        """Where the next columns go."""
        return Place(self.rows["value"], self.rows["integer"], self.rows["code"])

    def add(self, section: str, columns: Sequence[tuple[str, Type]]) -> None:
        for name, type_ in columns:
            array = _ARRAYS[type_]
            self.columns.append(Column(name, type_, array, self.rows[array], section))
            self.rows[array] += 1


@lru_cache(maxsize=64)
def _layout(config: FeatureConfig) -> tuple[_Layout, Any]:
    layout, places = _Layout(), []
    layout.add("4.2", _HEAD)
    for feature in FEATURES.values():
        places.append(layout.place())
        layout.add(feature.section, feature.columns(config))
    layout.add("4.8", [("warm", "uint8")])
    return layout, Places(*places)


def feature_columns(config: FeatureConfig) -> list[Column]:
    """Every column of the features data set.

    >>> [c.name for c in feature_columns(FeatureConfig())][:5]
    ['ts', 'receive_ts', 'ordinal', 'bid_price', 'bid_size']
    """
    return list(_layout(config)[0].columns)


def places(config: FeatureConfig) -> Any:
    """Where each feature's columns begin: `operators.features.Places`."""
    return _layout(config)[1]


def column_row(config: FeatureConfig, name: str) -> int:
    """The row of a column in its array.

    Raises:
        KeyError: there is no such column.
    """
    return {column.name: column.row for column in feature_columns(config)}[name]


def book_columns() -> list[Column]:
    """Every column of the books data set (docs/features.md, 4.9)."""
    columns = [
        Column("ts", "timestamp", "integer", TS, "4.9"),
        Column("ordinal", "int64", "integer", ROW_ORDINAL, "4.9"),
    ]
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    for g, name in enumerate(names):
        columns += [Column(f"{name}_{m}", "float64", "book", g * BOOK_LEVELS + m, "4.9") for m in range(BOOK_LEVELS)]
    return columns


def array_rows(config: FeatureConfig) -> tuple[int, int, int]:
    """Number of columns in the arrays ``integer``, ``code`` and ``value`` of `FeatureRows`."""
    rows = _layout(config)[0].rows
    return rows["integer"], rows["code"], rows["value"]


def value_count(config: FeatureConfig) -> int:
    """Number of float64 columns."""
    return array_rows(config)[2]
