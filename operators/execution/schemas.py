"""The data sets of trading (docs/execution.md, 7), in the order in which the kernels fill their rows."""

from operators.execution.words import ACTIONS, LIQUIDITIES, REASONS, STATUSES, TIMES_IN_FORCE
from operators.row_batch import Declared, RowSchema, row_schema

_TIME, _PRICE, _SIZE = "ns since 1970, UTC", "quote currency", "base currency"
_TS = Declared("ts", "timestamp", unit=_TIME, definition="exchange time")
_ID = Declared("order_id", "int64", unit="", definition="of the order, unique for the instrument")
_SIDE = Declared("side", "int8", unit="sign", definition="+1 buy, -1 sell")

ORDERS: RowSchema = row_schema(
    "orders",
    [
        _TS,
        Declared("local_ts", "timestamp", unit=_TIME, definition="from when the strategy sees it"),
        _ID,
        _SIDE,
        Declared("kind", "word", words=ACTIONS, definition="what arrived"),
        Declared("tif", "word", True, TIMES_IN_FORCE, definition="time in force; null of market orders and cancels"),
        Declared("price", "float64", unit=_PRICE, definition="limit; NaN of market orders"),
        Declared("size", "float64", unit=_SIZE, definition="of the order when it arrived"),
        Declared("leaves", "float64", unit=_SIZE, definition="what is still open"),
        Declared("status", "word", words=STATUSES, definition="what became of it"),
        Declared("reason", "word", True, REASONS, definition="why it was rejected or cancelled, if not by its owner"),
    ],
)

FILLS: RowSchema = row_schema(
    "fills",
    [
        _TS,
        _ID,
        _SIDE,
        Declared("price", "float64", unit=_PRICE, definition="of the fill"),
        Declared("size", "float64", unit=_SIZE, definition="of the fill"),
        Declared("fee", "float64", unit=_PRICE, definition="negative is a rebate"),
        Declared("liquidity", "word", words=LIQUIDITIES, definition="maker if the order rested"),
        Declared("position", "float64", unit=_SIZE, definition="after the fill"),
        Declared("mid", "float64", unit=_PRICE, definition="of the last update"),
    ],
)

EQUITY: RowSchema = row_schema(
    "equity",
    [
        Declared("ts", "timestamp", unit=_TIME, definition="of the feature row"),
        Declared("position", "float64", unit=_SIZE, definition="sum of signed fills"),
        Declared("cash", "float64", unit=_PRICE, definition="what was received less what was paid, fees included"),
        Declared("equity", "float64", unit=_PRICE, definition="cash + position * mid"),
        Declared("mid", "float64", unit=_PRICE, definition="of the last update"),
        Declared("fees", "float64", unit=_PRICE, definition="sum of fees since the beginning"),
        Declared("volume", "float64", unit=_PRICE, definition="sum of price * size of fills since the beginning"),
    ],
)

SCHEMAS = (ORDERS, FILLS, EQUITY)
