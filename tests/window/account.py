"""Rows of the account of a run that trades, as a tap is given them."""

from typing import Any

import numpy as np

from operators.execution.schemas import EQUITY, FILLS, ORDERS
from operators.execution.words import STATUSES
from operators.row_batch import DTYPES, Declared, RowBatch, RowSchema, row_schema
from operators.rules.schemas import APPLIED
from tests.window.conftest import BTC, MS, NOW
from window.tap import Tap

QUANTILES = {f"q{q:02}_{h}": (q - 50) * 1e-5 * (1 + (h == "30s")) for q in (5, 25, 50, 75, 95) for h in ("1s", "30s")}
FORECASTS = row_schema("predictions", [Declared("ts", "timestamp"), *(Declared(name, "float64") for name in QUANTILES)])


def made(schema: RowSchema, steps: list[int], **values: Any) -> RowBatch:
    """Rows at the times of the feature rows number ``steps``; what is not given is 0."""
    arrays = {name: np.zeros((schema.arrays.get(name, 0), len(steps)), dtype) for name, dtype in DTYPES.items()}
    arrays["valid"][:] = True
    for column in schema.columns:
        given = NOW + np.array(steps) * 100 * MS if column.type == "timestamp" else values.get(column.name, 0)
        arrays[column.array][column.row] = given
    return RowBatch(**arrays)


def account(tap: Tap) -> None:
    """Four orders, of which two are open; a fill; a rule that halved an order."""
    for schema in (FORECASTS, ORDERS, FILLS, EQUITY, APPLIED):
        tap.declare(schema)
    accepted, rejected, part, _, cancelled, _ = map(STATUSES.index, STATUSES)
    ids = [1, 2, 3, 2, 1, 2, 4]
    status = [accepted, accepted, accepted, part, cancelled, rejected, rejected]  # of 2 a change is rejected
    orders = made(
        ORDERS, [10, 11, 12, 20, 21, 22, 23], order_id=ids, status=status, side=[1, -1, 1, -1, 1, -1, 1],
        price=[99, 101, 98, 101, 99, 101, 97], size=2, leaves=[2, 2, 2, 0.5, 0, 0.5, 0],
    )  # fmt: skip
    tap.put(ORDERS.name, BTC, orders)
    tap.put(FILLS.name, BTC, made(FILLS, [20], side=-1, price=101, size=1.5, position=-1.5))
    tap.put(EQUITY.name, BTC, made(EQUITY, [*range(50)], position=-1.5, equity=np.linspace(0, 7.25, 50)))
    tap.put(APPLIED.name, BTC, made(APPLIED, [11], rule=7, action=1, before=4, after=2))
    tap.put(FORECASTS.name, BTC, made(FORECASTS, [*range(50)], **QUANTILES))
