"""Rules between a strategy's decision and the exchange (docs/reflecting.md, 4)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from operators.execution.closures import named_after
from operators.execution.state import MOST_SENT, Commands
from operators.execution.view import View
from operators.execution.words import LIMIT, MARKET, WITHHELD
from operators.row_batch import RowBatch
from operators.rules.jit import entry_kernel, kernel
from operators.rules.table import RuleTable, consult
from sources.tape.batch import Float64s, Int64s

_ROOM = 6100  # decisions between two calls of `Log.take`: more than the feature rows of a part
_ON_GRID = 1e-6  # of a lot
_NO_BOOK = np.empty((0, 0))
NOTHING = RowBatch(np.empty((4, 0), np.int64), np.empty((1, 0), np.int8), np.empty((4, 0)), _NO_BOOK)  # of `APPLIED`


class Log(NamedTuple):
    """What rules did since it was last taken: rows of `schemas.APPLIED`.

    Attributes:
        rows: how many, shape ``(1,)``.
        integer: ts, local_ts, rule, orders, shape ``(4, …)``.
        code: action, shape ``(1, …)``.
        value: distance, scale, before, after, shape ``(4, …)``.
    """

    rows: Int64s
    integer: Int64s
    code: Any
    value: Float64s

    def take(self) -> RowBatch:
        """The rows, whose room is free again."""
        n = int(self.rows[0])
        self.rows[0] = 0
        return RowBatch(self.integer[:, :n].copy(), self.code[:, :n].copy(), self.value[:, :n].copy(), _NO_BOOK)


def make_log() -> Log:
    """An empty one."""
    shape = np.zeros(1, np.int64), np.zeros((4, _ROOM), np.int64), np.zeros((1, _ROOM), np.int8), np.zeros((4, _ROOM))
    return Log(*shape)


@kernel
def apply_rules(
    table: RuleTable,
    context: Float64s,
    ts: int,
    local_ts: int,
    position: float,
    lot: float,
    commands: Commands,
    log: Log,
) -> None:
    """Take back, or make smaller, the new orders of a decision, if a rule decides so.

    What reduces the position passes: of an order against it, as much as the position, order by order. The rest is a
    new position; ``scale`` of it is left, in whole lots rounded down. An order of which nothing is left keeps its
    number and is never sent. Cancels and amends pass.

    Args:
        position: that the strategy knows of, base currency.
    """
    noted, new = min(commands.noted[0], MOST_SENT), False
    for i in range(noted):
        new = new or commands.integer[2, i] in (LIMIT, MARKET)
    if not new or len(table.scale) == 0:
        return
    r = consult(table, context)
    if r < 0:
        return
    scale = table.scale[r]
    held = np.rint(position / lot)
    buys, sells = max(-held, 0.0), max(held, 0.0)  # lots that still reduce it
    orders, before, after = 0, 0.0, 0.0
    for i in range(noted):
        side, size = commands.integer[1, i], commands.value[1, i]
        if commands.integer[2, i] not in (LIMIT, MARKET) or not size > 0.0:
            continue
        lots = size / lot
        closing = min(lots, buys if side > 0 else sells)
        if side > 0:
            buys -= closing
        else:
            sells -= closing
        opening = lots - closing
        if opening <= _ON_GRID:
            continue
        left = np.floor(opening * scale + _ON_GRID)
        orders += 1
        before += opening * lot
        after += left * lot
        lots = np.rint(closing + left)
        if lots > 0.0:
            commands.value[1, i] = lots * lot
        else:
            commands.integer[2, i] = WITHHELD
    if orders > 0:
        n = log.rows[0]
        log.integer[0, n] = ts
        log.integer[1, n] = local_ts
        log.integer[2, n] = table.number[r]
        log.integer[3, n] = orders
        log.code[0, n] = 0 if scale == 0.0 else 1
        log.value[0, n] = table.distance[r]
        log.value[1, n] = scale
        log.value[2, n] = before
        log.value[3, n] = after
        log.rows[0] = n + 1


@entry_kernel
def apply_once(
    table: RuleTable,
    context: Float64s,
    ts: int,
    local_ts: int,
    position: float,
    lot: float,
    commands: Commands,
    log: Log,
) -> None:
    """`apply_rules`, after a strategy in Python."""
    apply_rules(table, context, ts, local_ts, position, lot, commands, log)


_ruled: dict[Any, Callable[..., None]] = {}


def ruled(decide: Any) -> Callable[..., None]:
    """A compiled strategy's ``decide`` with rules behind it, once a process.

    Its memory is that of the strategy and a `Log`; its parameters are the strategy's, and a `RuleTable`; its columns
    are the strategy's and the context's.
    """
    if decide not in _ruled:

        def both(view: Any, memory: Any, parameters: Any, commands: Any) -> None:
            own, log = memory
            given, table, columns = parameters
            mine = View(
                view.columns[:columns], view.ts, view.local_ts, view.position, view.working, view.orders, view.tick,
                view.lot, view.ordinal, view.resting,
            )  # fmt: skip
            decide(mine, own, given, commands)
            if commands.noted[0] > 0:
                context = view.columns[columns:]
                apply_rules(table, context, view.ts, view.local_ts, view.position, view.lot, commands, log)

        _ruled[decide] = numba.njit(named_after(decide, both), nogil=True, error_model="numpy")
    return _ruled[decide]
