"""Cash, position and fees of one instrument (docs/execution.md, 6)."""

from operators.execution.grid import value
from operators.execution.state import CASH, FEES, MAKER_BPS, POSITION, VOLUME, Exchange, Rules
from operators.jit import kernel


@kernel
def settle(exchange: Exchange, rules: Rules, side: int, price: float, lots: int, liquidity: int) -> float:
    """Take a fill into the account; returns its fee.

    Args:
        side: +1 bought, −1 sold.
        liquidity: `words.MAKER` or `words.TAKER`.
    """
    money = exchange.money
    size = value(lots, rules.lot_numerator, rules.lot_denominator)
    notional = price * size
    fee = notional * rules.number[MAKER_BPS + liquidity] / 10_000.0
    money[CASH] -= side * notional + fee
    money[FEES] += fee
    money[VOLUME] += notional
    exchange.clock[POSITION] += side * lots
    return fee
