"""Everything that the simulated exchange remembers of one instrument, as plain arrays, and the rules it follows."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.execution.grid import TOLERANCE, Grid
from operators.execution.latency import Latency
from operators.execution.words import QUEUES
from sources.tape.batch import Float64s, Int64s

Int8s = npt.NDArray[np.int8]

MOST_OPEN = 256  # resting orders
MOST_WORKING = 1024  # orders that a strategy has sent and does not know to be done
MOST_SENT = 256  # orders and cancels of one decision

# Indices into `Exchange.clock`.
OFFSET = 0  # ns, largest exchange_ts − receive_ts since the reset, at least 0
LOCAL = 1  # ns, local time
NOW = 2  # ns, exchange time of the newest tape row
PENDING_FIRST, PENDING_END = 3, 4  # of the orders on their way
REPORT_FIRST, REPORT_END = 5, 6  # of the reports that the strategy has not seen
SEEN = 7  # ns, latest time from which a report is seen
WORKING = 8  # orders that the strategy takes to be open
NEXT_ID = 9
POSITION = 10  # lots
SEEN_POSITION = 11  # lots, as the strategy knows it
ORDER_ROWS, FILL_ROWS = 12, 13  # written to `Exchange.rows`
ROW = 14  # feature row to be written next
DECISIONS = 15
SENT = 16  # commands of the newest decision
NEXT_FUNDING = 17  # ns, exchange time of the funding to come; 0: none is known
FUNDED = 18  # ns, of the newest one that was settled
FUNDINGS = 19  # how many were
_CLOCK_SIZE = 20

# Indices into `Exchange.money`.
CASH, FEES, VOLUME, MID = range(4)
MARK_PRICE, RATE, FUNDING_PAID = 4, 5, 6  # newest mark price, rate of the funding to come, what was paid in all
_MONEY_SIZE = 7

# Rows of `Resting.integer` and `Resting.value`.
ID, TICKS, LEAVES, SIZE, TIF = range(5)
AHEAD, TRADED, LEVEL = range(3)

# Rows of `Pending.integer` and `Pending.value`.
ACT, DECIDED, ORDER_ID, SIDE, ACTION, IN_FORCE = range(6)
PRICE, AMOUNT = range(2)

# Rows of `Taken.integer`: lots taken; of `Taken.value`: key of the level, and its size when it was last taken from.
LOTS = 0
KEY, THEN = range(2)

# Rows of `Exchange.report`; lots: of a fill, signed.
SEEN_AT, REPORT_ID, STATUS, REPORT_TICKS, REPORT_LEAVES, REPORT_LOTS = range(6)
# Rows of `Exchange.working`.
WORKING_ID, WORKING_SIDE, WORKING_TICKS, WORKING_LEAVES, ACKNOWLEDGED = range(5)


class Resting(NamedTuple):
    """Open orders, bids then asks, best price first, then by arrival."""

    orders: Int64s  # (2,), how many
    integer: Int64s  # (5, 2, MOST_OPEN)
    value: Float64s  # (3, 2, MOST_OPEN): size ahead, traded at the price, size of the level


class Pending(NamedTuple):
    """Orders on their way, by act time, those of one time as they were decided."""

    integer: Int64s  # (6, room)
    value: Float64s  # (2, room)


class Taken(NamedTuple):
    """What own orders took from levels that have not changed since; bids then asks."""

    levels: Int64s  # (2,), how many
    integer: Int64s  # (1, 2, room)
    value: Float64s  # (2, 2, room)


class OutRows(NamedTuple):
    """Room for rows of the data sets (docs/execution.md, 7), one array row a column."""

    order_integer: Int64s  # (3, room): ts, local_ts, order_id
    order_code: Int8s  # (5, room): side, kind, tif, status, reason
    order_value: Float64s  # (3, room): price, size, leaves
    fill_integer: Int64s  # (2, room): ts, order_id
    fill_code: Int8s  # (2, room): side, liquidity
    fill_value: Float64s  # (5, room): price, size, fee, position, mid
    equity_integer: Int64s  # (1, feature rows): ts
    equity_value: Float64s  # (6, feature rows): position, cash, equity, mid, fees, volume


class Commands(NamedTuple):
    """What a strategy decides: filled by `operators.execution.view`, taken by the exchange."""

    noted: Int64s  # (1,), how many
    integer: Int64s  # (4, MOST_SENT): order_id, side, action, tif
    value: Float64s  # (2, MOST_SENT): price, size


class Exchange(NamedTuple):
    """State of one instrument."""

    clock: Int64s
    money: Float64s  # (7,)
    resting: Resting
    pending: Pending
    taken: Taken
    report: Int64s  # (6, room)
    working: Int64s  # (5, MOST_WORKING)
    commands: Commands
    rows: OutRows


class Rules(NamedTuple):
    """`ExecutionConfig` and the instrument's grid for kernels."""

    entry_from: Int64s  # ns, and the other three: `Latency`
    entry: Int64s
    response_from: Int64s
    response: Int64s
    one_clock: bool
    queue: int
    power: int
    tick_numerator: int
    tick_denominator: int
    lot_numerator: int
    lot_denominator: int
    reports: bool  # whether anyone looks at reports
    differences: bool  # whether decisions look at fractional differences; else many rows' are computed together
    number: Float64s  # (5,): maker and taker bps; least size, max_position and max_order in lots


MAKER_BPS, TAKER_BPS, LEAST, MOST_POSITION, MOST_ORDER = range(5)  # indices into `Rules.number`


@dataclass(frozen=True)
class ExecutionConfig:
    """How the exchange is simulated.

    Attributes:
        queue: how a level's decrease is shared between those before and behind an order, one of `words.QUEUES`.
        queue_power: exponent of the queue model ``power``, a whole number.
        latency_entry_ns, latency_response_ns: ns from decision to exchange, and from there to the report.
        maker, taker: fees in basis points of notional; negative is a rebate.
        one_clock: receive times are not used: local time is exchange time.
        max_position, max_order: in base currency; infinite: no limit.

    Raises:
        ValueError: a value is out of its range; the text begins with its name.
    """

    queue: str = "power"
    queue_power: int = 3
    latency_entry_ns: int = 10_000_000
    latency_response_ns: int = 10_000_000
    maker: float = 2.0
    taker: float = 5.0
    one_clock: bool = False
    max_position: float = float("inf")
    max_order: float = float("inf")

    def __post_init__(self) -> None:
        if self.queue not in QUEUES:
            raise ValueError(f"queue: {self.queue!r} is not one of {', '.join(QUEUES)}")
        if not 1 <= self.queue_power <= 16:
            raise ValueError(f"queue_power: {self.queue_power} is not between 1 and 16")
        for name in ("latency_entry_ns", "latency_response_ns"):
            if not 0 <= getattr(self, name) < 1 << 60:
                raise ValueError(f"{name}: {getattr(self, name)} is negative, or longer than 36 years")
        for name in ("maker", "taker"):
            if not abs(getattr(self, name)) < 10_000:
                raise ValueError(f"{name}: {getattr(self, name)} basis points are not between -10000 and 10000")
        for name in ("max_position", "max_order"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")


def make_rules(
    config: ExecutionConfig, grid: Grid, *, reports: bool, differences: bool = True, latency: Latency | None = None
) -> Rules:
    """Derive what kernels need.

    Args:
        reports: whether a strategy looks at them.
        differences: whether it looks at fractional differences.
        latency: as it was measured; None: the one of ``config``.
    """
    latency = latency or Latency.constant(config.latency_entry_ns, config.latency_response_ns)
    return Rules(
        entry_from=latency.entry_from,
        entry=latency.entry,
        response_from=latency.response_from,
        response=latency.response,
        one_clock=config.one_clock,
        queue=QUEUES.index(config.queue),
        power=config.queue_power,
        tick_numerator=grid.tick.numerator,
        tick_denominator=grid.tick.denominator,
        lot_numerator=grid.lot.numerator,
        lot_denominator=grid.lot.denominator,
        reports=reports,
        differences=differences,
        number=np.array(
            [
                config.maker,
                config.taker,
                math.ceil(grid.least / float(grid.lot) - TOLERANCE),
                _whole_lots(config.max_position, grid),
                _whole_lots(config.max_order, grid),
            ]
        ),
    )


def _whole_lots(size: float, grid: Grid) -> float:
    """How many lots a limit lets pass: sizes are whole lots, so a sum of them may reach it."""
    return size if math.isinf(size) else math.floor(size / float(grid.lot) + TOLERANCE)


def make_exchange(room: int = 1024) -> Exchange:
    """The state before the first row of a tape; ``room``: of what grows."""
    exchange = Exchange(
        clock=np.zeros(_CLOCK_SIZE, np.int64),
        money=np.zeros(_MONEY_SIZE),
        resting=Resting(np.zeros(2, np.int64), np.zeros((5, 2, MOST_OPEN), np.int64), np.zeros((3, 2, MOST_OPEN))),
        pending=Pending(np.zeros((6, room), np.int64), np.zeros((2, room))),
        taken=Taken(np.zeros(2, np.int64), np.zeros((1, 2, room), np.int64), np.zeros((2, 2, room))),
        report=np.zeros((6, room), np.int64),
        working=np.zeros((5, MOST_WORKING), np.int64),
        commands=Commands(np.zeros(1, np.int64), np.zeros((4, MOST_SENT), np.int64), np.zeros((2, MOST_SENT))),
        rows=out_rows(room, 0),
    )
    exchange.clock[LOCAL] = exchange.clock[SEEN] = -(1 << 62)
    exchange.clock[NEXT_ID] = 1
    return exchange


def out_rows(room: int, feature_rows: int) -> OutRows:
    """Empty room for ``room`` rows of orders and of fills, and of equity beside ``feature_rows``."""
    return OutRows(
        np.empty((3, room), np.int64), np.empty((5, room), np.int8), np.empty((3, room)),
        np.empty((2, room), np.int64), np.empty((2, room), np.int8), np.empty((5, room)),
        np.empty((1, feature_rows), np.int64), np.empty((6, feature_rows)),
    )  # fmt: skip


def grown(exchange: Exchange, most: int, feature_rows: int) -> Exchange:
    """The same with room for ``most`` more rows and a decision, and for equity beside ``feature_rows``; what is done
    with is dropped."""
    clock, rows = exchange.clock.copy(), exchange.rows
    waiting = slice(clock[PENDING_FIRST], clock[PENDING_END])
    unseen = slice(clock[REPORT_FIRST], clock[REPORT_END])
    clock[PENDING_FIRST], clock[PENDING_END] = 0, waiting.stop - waiting.start
    clock[REPORT_FIRST], clock[REPORT_END] = 0, unseen.stop - unseen.start
    orders, fills, taken = clock[ORDER_ROWS], clock[FILL_ROWS], max(exchange.taken.levels)
    pending_room = _room(clock[PENDING_END] + MOST_SENT)
    return exchange._replace(
        clock=clock,
        pending=Pending(
            _moved(exchange.pending.integer[:, waiting], pending_room),
            _moved(exchange.pending.value[:, waiting], pending_room),
        ),
        taken=exchange.taken._replace(
            integer=_moved(exchange.taken.integer, _room(taken + most)),
            value=_moved(exchange.taken.value, _room(taken + most)),
        ),
        report=_moved(exchange.report[:, unseen], _room(clock[REPORT_END] + most)),
        rows=OutRows(
            *(_moved(a[:, :orders], _room(orders + most)) for a in rows[:3]),
            *(_moved(a[:, :fills], _room(fills + most)) for a in rows[3:6]),
            *(_moved(a, max(a.shape[-1], feature_rows)) for a in rows[6:]),
        ),
    )


def _room(least: int) -> int:
    return 1 << int(least).bit_length()


def _moved(array: npt.NDArray[Any], room: int) -> npt.NDArray[Any]:
    """A copy with room for ``room`` along the last axis."""
    copy = np.zeros((*array.shape[:-1], max(room, array.shape[-1])), array.dtype)
    copy[..., : array.shape[-1]] = array
    return copy
