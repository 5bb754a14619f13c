"""Funding of perpetuals, where the tape has it (docs/execution.md, 6)."""

from operators.execution.grid import value
from operators.execution.state import (
    CASH,
    FUNDED,
    FUNDING_PAID,
    FUNDINGS,
    MARK_PRICE,
    MID,
    NEXT_FUNDING,
    POSITION,
    RATE,
    Exchange,
    Rules,
)
from operators.jit import kernel
from sources.tape.batch import FUNDING, MARK

_NS_PER_MS = 1_000_000
_MOST_MS = 9_000_000_000_000  # in ns still an int64


@kernel
def take_derivative(exchange: Exchange, kind: int, sequence: int, price: float, now: int) -> None:
    """A row beside the book: the newest mark price, or the rate of the funding to come.

    Args:
        sequence: of a funding row the time of the next funding, ms.
        now: ns, exchange time; a funding that is not after it is none to come.
    """
    clock, money = exchange.clock, exchange.money
    if kind == MARK:
        money[MARK_PRICE] = price
    elif kind == FUNDING and 0 < sequence < _MOST_MS:
        due = sequence * _NS_PER_MS
        if due > now and due > clock[FUNDED]:  # one that has been settled may be told of for a while
            clock[NEXT_FUNDING] = due
            money[RATE] = price


@kernel
def fund(exchange: Exchange, rules: Rules, now: int) -> None:
    """Settle the funding that is due: ``cash −= position · mark price · rate``; at the mid where no mark price came."""
    clock, money = exchange.clock, exchange.money
    due = clock[NEXT_FUNDING]
    if due == 0 or now < due:
        return
    clock[NEXT_FUNDING] = 0
    clock[FUNDED] = due
    price = money[MARK_PRICE] if money[MARK_PRICE] > 0.0 else money[MID]
    paid = value(clock[POSITION], rules.lot_numerator, rules.lot_denominator) * price * money[RATE]
    money[CASH] -= paid
    money[FUNDING_PAID] += paid
    clock[FUNDINGS] += 1
