"""One instrument's backtest without a dataflow: what it came to as columns in memory, for many runs one by one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.row_batch import RowBatch, RowSchema, concat_rows
from operators.trade_engine import TradeEngine
from operators.trade_step import TradeLogic
from sources.tape.reader import TapeReader
from sources.tape.source import items

_ROWS_AT_ONCE = 20_000  # feature rows that a batch may complete
_ORDERS = ("order_id", "kind", "status")
_FILLS = ("ts", "order_id", "side", "price", "size", "fee", "liquidity", "position")
_EQUITY = ("ts", "position", "equity", "mid", "fees", "volume")

Columns = dict[str, Any]  # arrays of one length, by name; words as texts


class TradedColumns(NamedTuple):
    """Columns of the three data sets of a backtest, by data set."""

    orders: Columns
    fills: Columns
    equity: Columns


def backtest_in_memory(reader: TapeReader, engine: TradeEngine, sampling_ns: int) -> TradedColumns:
    """Run an instrument's tape through an engine; the tape is read a batch at a time.

    What is kept is 56 bytes a feature row, and the orders and fills.

    Args:
        sampling_ns: step of the engine's feature rows; 0: a row an update.

    Raises:
        StrategyError: the strategy raised.
        TooManyOrdersError: the strategy sent more than the exchange takes.
        TickwaxError: the tape cannot be read.
    """
    # The step of the dataflow itself, so that the bits are the same.
    logic = TradeLogic(lambda instrument: engine, lambda instrument: reader.first_ordinal, lambda error: None)
    orders: list[RowBatch] = []
    fills: list[RowBatch] = []
    equity: list[RowBatch] = []
    for _, item in items([reader], _ROWS_AT_ONCE * sampling_ns):
        for traded in logic.on_batch([item])[0]:
            for parts, rows in ((orders, traded.orders), (fills, traded.fills), (equity, traded.equity)):
                if rows.rows:
                    parts.append(rows)
    return TradedColumns(
        _columns(orders, ORDERS, _ORDERS), _columns(fills, FILLS, _FILLS), _columns(equity, EQUITY, _EQUITY)
    )


def _columns(parts: list[RowBatch], schema: RowSchema, names: Sequence[str]) -> Columns:
    rows = concat_rows(parts)
    out: Columns = {}
    for name in names:
        column = schema.column(name)
        assert column is not None
        if rows is None:
            out[name] = np.empty(0, object if column.words else np.float64)
        else:
            values = getattr(rows, column.array)[column.row]
            out[name] = np.array(column.words, object)[values] if column.words else values
    return out
