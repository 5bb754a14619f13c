"""What happened to orders, as rows of the data sets and as reports to the strategy (docs/execution.md, 7)."""

from operators.execution.account import settle
from operators.execution.grid import steps, value
from operators.execution.latency import latency_at
from operators.execution.state import (
    CASH,
    FEES,
    FILL_ROWS,
    MID,
    ORDER_ROWS,
    POSITION,
    REPORT_END,
    REPORT_ID,
    REPORT_LEAVES,
    REPORT_LOTS,
    REPORT_TICKS,
    SEEN,
    SEEN_AT,
    STATUS,
    VOLUME,
    Exchange,
    Rules,
)
from operators.execution.words import AMENDED, CANCELLED, FILLED, MARKET, PART
from operators.jit import kernel, rare_kernel


@rare_kernel
def record(
    exchange: Exchange, rules: Rules, ts: int, order_id: int, side: int, kind: int, tif: int, price: float,
    size: float, leaves: int, status: int, reason: int, lots: int,
) -> None:  # fmt: skip
    """Write a row of ``orders``, and a report.

    Args:
        ts: ns, exchange time.
        leaves: lots that are still open.
        lots: filled by this, signed by the side; 0 if it is no fill.
    """
    clock, rows = exchange.clock, exchange.rows
    r = clock[ORDER_ROWS]
    seen = max(clock[SEEN], ts + latency_at(rules.response_from, rules.response, ts))
    clock[SEEN] = seen
    rows.order_integer[0, r] = ts
    rows.order_integer[1, r] = seen
    rows.order_integer[2, r] = order_id
    rows.order_code[0, r] = side
    rows.order_code[1, r] = kind
    rows.order_code[2, r] = tif
    rows.order_code[3, r] = status
    rows.order_code[4, r] = reason
    rows.order_value[0, r] = price
    rows.order_value[1, r] = size
    rows.order_value[2, r] = value(leaves, rules.lot_numerator, rules.lot_denominator)
    clock[ORDER_ROWS] = r + 1
    if rules.reports:
        e = clock[REPORT_END]
        exchange.report[SEEN_AT, e] = seen
        exchange.report[REPORT_ID, e] = order_id
        # A rejected cancel leaves its order as it was, and an amended order goes on.
        told = kind <= MARKET and not (status == CANCELLED and reason == AMENDED)
        exchange.report[STATUS, e] = status if told else -1
        exchange.report[REPORT_TICKS, e] = steps(price, rules.tick_numerator, rules.tick_denominator)
        exchange.report[REPORT_LEAVES, e] = leaves
        exchange.report[REPORT_LOTS, e] = lots
        clock[REPORT_END] = e + 1


@kernel
def fill(
    exchange: Exchange, rules: Rules, ts: int, order_id: int, side: int, kind: int, tif: int, price: float,
    order_price: float, size: float, lots: int, leaves: int, liquidity: int,
) -> None:  # fmt: skip
    """An order is filled: account, a row of ``fills`` and one of ``orders``.

    Args:
        ts: ns, exchange time.
        price: of the fill.
        order_price, size: of the order.
        lots: filled.
        leaves: lots that are open afterwards.
    """
    fee = settle(exchange, rules, side, price, lots, liquidity)
    clock, rows = exchange.clock, exchange.rows
    r = clock[FILL_ROWS]
    rows.fill_integer[0, r] = ts
    rows.fill_integer[1, r] = order_id
    rows.fill_code[0, r] = side
    rows.fill_code[1, r] = liquidity
    rows.fill_value[0, r] = price
    rows.fill_value[1, r] = value(lots, rules.lot_numerator, rules.lot_denominator)
    rows.fill_value[2, r] = fee
    rows.fill_value[3, r] = value(clock[POSITION], rules.lot_numerator, rules.lot_denominator)
    rows.fill_value[4, r] = exchange.money[MID]
    clock[FILL_ROWS] = r + 1
    status = PART if leaves > 0 else FILLED
    record(exchange, rules, ts, order_id, side, kind, tif, order_price, size, leaves, status, -1, side * lots)


@kernel
def write_equity(exchange: Exchange, rules: Rules, ts: int, r: int) -> None:
    """Write row ``r`` of ``equity``."""
    money, rows = exchange.money, exchange.rows
    position = value(exchange.clock[POSITION], rules.lot_numerator, rules.lot_denominator)
    rows.equity_integer[0, r] = ts
    rows.equity_value[0, r] = position
    rows.equity_value[1, r] = money[CASH]
    rows.equity_value[2, r] = money[CASH] + position * money[MID]
    rows.equity_value[3, r] = money[MID]
    rows.equity_value[4, r] = money[FEES]
    rows.equity_value[5, r] = money[VOLUME]
