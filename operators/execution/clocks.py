"""Exchange time and local time (docs/execution.md, 1)."""

from operators.execution.state import LOCAL, OFFSET, Exchange, Rules
from operators.jit import kernel
from sources.tape.batch import TapeBatch


@kernel
def receive(exchange: Exchange, rules: Rules, exchange_ts: int, receive_ts: int, now: int) -> None:
    """A tape row has been received; the same row may come again.

    Args:
        exchange_ts, receive_ts: ns, its own.
        now: ns, exchange time after it.
    """
    clock = exchange.clock
    if rules.one_clock:
        clock[LOCAL] = max(clock[LOCAL], now)
        return
    clock[OFFSET] = max(clock[OFFSET], exchange_ts - receive_ts)
    clock[LOCAL] = max(clock[LOCAL], receive_ts + clock[OFFSET])


@kernel
def receive_all(exchange: Exchange, rules: Rules, batch: TapeBatch, start: int, end: int, now: int) -> None:
    """The rows ``start … end − 1`` of a message have been received."""
    for i in range(start, end):
        receive(exchange, rules, batch.exchange_ts[i], batch.receive_ts[i], now)


@kernel
def forget_offset(exchange: Exchange, rules: Rules, receive_ts: int) -> None:
    """A ``reset``: the clocks may differ otherwise from now on."""
    clock = exchange.clock
    clock[OFFSET] = 0
    if not rules.one_clock:
        clock[LOCAL] = max(clock[LOCAL], receive_ts)
