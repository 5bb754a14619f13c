"""The feature columns: one row a column, in the order of the data set and of the kernels that fill it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from operators.config import BOOK_LEVELS, FeatureConfig, depth_label
from operators.row import RECEIVE_TS, REGIME, ROW_ORDINAL, TRADE_COUNT, TS, WARM

Type = Literal["timestamp", "int64", "float64", "regime", "uint8"]


@dataclass(frozen=True)
class Column:
    """A column of a data set, and where its values are: a row of one of the arrays of `FeatureRows`."""

    name: str
    type: Type
    array: Literal["integer", "code", "value", "book"]
    row: int
    section: str  # of the contract, with the definition


def feature_columns(config: FeatureConfig) -> list[Column]:
    """Every column of the features data set.

    >>> [c.name for c in feature_columns(FeatureConfig())][:5]
    ['ts', 'receive_ts', 'ordinal', 'bid_price', 'bid_size']
    """
    depths = [depth_label(d) for d in config.depths]
    windows = [text for text, _ in config.windows]
    columns: list[Column] = []
    values = 0

    def value(section: str, *names: str) -> None:
        nonlocal values
        for name in names:
            columns.append(Column(name, "float64", "value", values, section))
            values += 1

    columns.append(Column("ts", "timestamp", "integer", TS, "4.2"))
    columns.append(Column("receive_ts", "timestamp", "integer", RECEIVE_TS, "4.2"))
    columns.append(Column("ordinal", "int64", "integer", ROW_ORDINAL, "4.2"))
    value("4.3", "bid_price", "bid_size", "ask_price", "ask_size", "mid", "spread", "microprice")
    value("4.3", *(f"depth_imbalance_{d}" for d in depths))
    value("4.3", "vw_ofi")
    value("4.4", *(f"ofi_{d}" for d in depths))
    value("4.4", *(f"ofi_{d}_{w}" for d in depths for w in windows))
    value("4.4", *(f"ofi_z_{d}_{w}" for d in depths for w in windows))
    if config.depths[0] == 1:
        value("4.4", "ofi_momentum", "ofi_acceleration")
    value("4.5", *(f"trade_imbalance_{w}" for w in windows))
    value("4.5", "trade_volume")
    columns.append(Column("trade_count", "int64", "integer", TRADE_COUNT, "4.5"))
    value("4.5", "vwap")
    value("4.6", "price_ffd", "volume_ffd")
    value("4.7", "fdi")
    columns.append(Column("regime", "regime", "code", REGIME, "4.7"))
    value("4.7", "volatility")
    columns.append(Column("warm", "uint8", "code", WARM, "4.8"))
    return columns


def book_columns() -> list[Column]:
    """Every column of the books data set (contract, 4.9)."""
    columns = [
        Column("ts", "timestamp", "integer", TS, "4.9"),
        Column("ordinal", "int64", "integer", ROW_ORDINAL, "4.9"),
    ]
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    for g, name in enumerate(names):
        columns += [Column(f"{name}_{m}", "float64", "book", g * BOOK_LEVELS + m, "4.9") for m in range(BOOK_LEVELS)]
    return columns


@lru_cache(maxsize=64)
def value_count(config: FeatureConfig) -> int:
    """Number of float64 columns."""
    return sum(c.type == "float64" for c in feature_columns(config))
