"""The feature columns: one row a column, in the order of the data set and of the kernels that fill it."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from operators.config import BOOK_LEVELS, FeatureConfig
from operators.features import FEATURES, Places
from operators.features.feature import Place
from operators.row_batch import TS, Column, Declared, Layout, RowBatch, RowSchema

# The first columns of every row, and their rows in the array ``integer``.
_HEAD = (Declared("ts", "timestamp"), Declared("receive_ts", "timestamp"), Declared("ordinal", "int64"))
RECEIVE_TS, ROW_ORDINAL = 1, 2
SINCE_RESTART = -1  # likewise, the last one: rows before this one since the restart. No column of the data set


@lru_cache(maxsize=64)
def _layout(config: FeatureConfig) -> tuple[RowSchema, Any]:
    layout, places = Layout(), []
    layout.add(_HEAD, "4.2")
    parts = [(feature.columns(config), feature.section) for feature in FEATURES.values()]
    for columns, section in [*parts, ([Declared("warm", "uint8")], "4.8")]:
        rows = layout.rows
        places.append(Place(rows["value"], rows["integer"], rows["code"]))
        layout.add(columns, section)
    layout.rows["integer"] += 1  # `SINCE_RESTART`
    return layout.schema("features"), Places(*places)


def feature_schema(config: FeatureConfig) -> RowSchema:
    """The features data set."""
    return _layout(config)[0]


def book_schema(config: FeatureConfig) -> RowSchema:
    """The books data set, whose rows are those of the features (docs/features.md, 4.9)."""
    features = feature_schema(config)
    return replace(features, arrays={**features.arrays, "book": 4 * BOOK_LEVELS}).reading("books", book_columns())


def feature_columns(config: FeatureConfig) -> list[Column]:
    """Every column of the features data set.

    >>> [c.name for c in feature_columns(FeatureConfig())][:5]
    ['ts', 'receive_ts', 'ordinal', 'bid_price', 'bid_size']
    """
    return list(feature_schema(config).columns)


def places(config: FeatureConfig) -> Any:
    """Where the columns of each feature, and of `warm`, begin: `operators.features.Places`."""
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
    """Number of columns in the arrays ``integer``, ``code`` and ``value`` of `RowBatch`."""
    rows = feature_schema(config).arrays
    return rows["integer"], rows["code"], rows["value"]


def value_count(config: FeatureConfig) -> int:
    """Number of float64 columns."""
    return array_rows(config)[2]


def since(rows: RowBatch, ordinal: int) -> RowBatch:
    """The feature rows whose newest tape row is ``ordinal`` or a later one."""
    return rows.slice(int(np.searchsorted(rows.integer[ROW_ORDINAL], ordinal)))
