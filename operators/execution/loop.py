"""The loop over tape rows with a simulated exchange in it, and with a strategy (docs/execution.md)."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from operators.execution.grid import Grid, value
from operators.execution.hooks import HOOKS
from operators.execution.state import (
    LOCAL,
    ROW,
    SEEN_POSITION,
    WORKING,
    ExecutionConfig,
    make_exchange,
    make_rules,
)
from operators.execution.view import TAKEN, View, take_commands
from operators.features.feature import Rows
from operators.jit import entry_kernel, pasted
from operators.packed_arguments import unpacker
from operators.row_batch import TS
from operators.schema import ROW_ORDINAL
from operators.tape_loop import DECIDE, process, unpack_params, unpack_state
from sources.tape.batch import Float64s, Int64s, TapeBatch

REFUSED = 16  # added to why the commands of a strategy were not taken (`operators.execution.view`)

unpack_exchange = unpacker(make_exchange())
unpack_rules = unpacker(make_rules(ExecutionConfig(), Grid(Fraction(1), Fraction(1)), reports=False))


@entry_kernel
def trade_packed(
    batch: TapeBatch, start: int, state: Any, p: Any, out: Rows, exchange: Any, rules: Any
) -> tuple[int, int, int]:
    """`operators.tape_loop.process` with an exchange, all of it `Packed`. First the commands noted since are sent."""
    ours, their = unpack_exchange(exchange), unpack_rules(rules)
    if ours.commands.noted[0] > 0:
        told = take_commands(ours, their)
        if told != TAKEN:
            return start, ours.clock[ROW], REFUSED + told
    return process(batch, start, unpack_state(state), unpack_params(p), out, ours, their, HOOKS)


@pasted
def drive(
    decide: Callable[..., None], batch: TapeBatch, start: int, state: Any, p: Any, out: Rows, exchange: Any, rules: Any,
    rows: Int64s, columns: Float64s, memory: Float64s, parameters: Float64s,
) -> tuple[int, int, int]:  # fmt: skip
    """`trade_packed` with the decisions of a compiled strategy in between.

    Args:
        decide: takes a `View`, ``memory``, ``parameters`` and the exchange's `Commands`.
        rows: of ``out.value``, of the columns that the strategy asked for; ``columns``: room for them.
        memory: of the strategy, kept between its decisions.
    """
    ours, their = unpack_exchange(exchange), unpack_rules(rules)
    tick = value(1, their.tick_numerator, their.tick_denominator)
    lot = value(1, their.lot_numerator, their.lot_denominator)
    while True:
        start, n, why = trade_packed(batch, start, state, p, out, exchange, rules)
        if why != DECIDE:
            return start, n, why
        for k in range(len(rows)):
            columns[k] = out.value[rows[k], n - 1]
        clock = ours.clock
        position = value(clock[SEEN_POSITION], their.lot_numerator, their.lot_denominator)
        ts, local = out.integer[TS, n - 1], clock[LOCAL]
        ordinal = out.integer[ROW_ORDINAL, n - 1]
        view = View(columns, ts, local, position, ours.working, clock[WORKING], tick, lot, ordinal, ours.resting)
        decide(view, memory, parameters, ours.commands)
