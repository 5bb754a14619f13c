"""The state of a simulated exchange as named arrays, no larger than what is in it, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from operators.execution.state import (
    FILL_ROWS,
    MOST_OPEN,
    ORDER_ROWS,
    PENDING_END,
    PENDING_FIRST,
    REPORT_END,
    REPORT_FIRST,
    Exchange,
    Pending,
    Resting,
    Taken,
    grown,
    make_exchange,
)

VERSION = 2  # rises with every change of `Exchange`, or of what its numbers mean

Arrays = Mapping[str, Any]


def kept(exchange: Exchange) -> dict[str, Any]:
    """Copies of what a kernel may still read. Rows of the data sets must have been taken, and commands sent.

    Raises:
        ValueError: that is not so.
    """
    clock = exchange.clock.copy()
    if clock[ORDER_ROWS] or clock[FILL_ROWS] or exchange.commands.noted[0]:
        raise ValueError("rows or commands of the exchange have not been taken")
    waiting = slice(clock[PENDING_FIRST], clock[PENDING_END])
    unseen = slice(clock[REPORT_FIRST], clock[REPORT_END])
    clock[PENDING_FIRST], clock[PENDING_END] = 0, waiting.stop - waiting.start
    clock[REPORT_FIRST], clock[REPORT_END] = 0, unseen.stop - unseen.start
    taken = slice(0, int(exchange.taken.levels.max()))
    return {
        "clock": clock,
        "money": exchange.money.copy(),
        "resting_orders": exchange.resting.orders.copy(),
        "resting_integer": exchange.resting.integer.copy(),
        "resting_value": exchange.resting.value.copy(),
        "pending_integer": exchange.pending.integer[:, waiting].copy(),
        "pending_value": exchange.pending.value[:, waiting].copy(),
        "taken_levels": exchange.taken.levels.copy(),
        "taken_integer": exchange.taken.integer[..., taken].copy(),
        "taken_value": exchange.taken.value[..., taken].copy(),
        "report": exchange.report[:, unseen].copy(),
        "working": exchange.working.copy(),
    }


def rebuilt(arrays: Arrays) -> Exchange:
    """The exchange that `kept` was given.

    Raises:
        KeyError, ValueError: an array is missing, or of another shape or type.
    """
    like = make_exchange()
    exchange = like._replace(
        clock=_as(arrays["clock"], like.clock),
        money=_as(arrays["money"], like.money),
        resting=Resting(
            _as(arrays["resting_orders"], like.resting.orders),
            _as(arrays["resting_integer"], like.resting.integer),
            _as(arrays["resting_value"], like.resting.value),
        ),
        pending=Pending(
            _as(arrays["pending_integer"], like.pending.integer, grows=True),
            _as(arrays["pending_value"], like.pending.value, grows=True),
        ),
        taken=Taken(
            _as(arrays["taken_levels"], like.taken.levels),
            _as(arrays["taken_integer"], like.taken.integer, grows=True),
            _as(arrays["taken_value"], like.taken.value, grows=True),
        ),
        report=_as(arrays["report"], like.report, grows=True),
        working=_as(arrays["working"], like.working),
    )
    return grown(exchange, 2 * MOST_OPEN, 0)


def _as(array: Any, like: Any, *, grows: bool = False) -> Any:
    last = slice(-1 if grows else None)
    if array.shape[last] != like.shape[last] or array.dtype != like.dtype:
        raise ValueError(f"an array of {array.dtype} and shape {array.shape} where {like.shape} is expected")
    return np.array(array)
