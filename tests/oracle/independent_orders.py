"""Rows of the tape, settings and orders of `independent_exchange`."""

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class TapeRow:
    exchange_ts: int
    receive_ts: int
    kind: int
    side: int
    price: float
    size: float
    last: bool
    sequence: int = 0


@dataclass(frozen=True)
class Rules:
    """What the settings say of one instrument."""

    tick: Fraction
    lot: Fraction
    least: Fraction = Fraction(0)
    maker: float = 2.0
    taker: float = 5.0
    queue: str = "power"
    power: int = 3
    max_position: Fraction | None = None
    max_order: Fraction | None = None
    entry: int = 10_000_000
    response: int = 10_000_000
    one_clock: bool = False

    def price(self, ticks: int) -> float:
        return float(ticks * self.tick)

    def size(self, lots: int) -> float:
        return float(lots * self.lot)


@dataclass(frozen=True)
class Request:
    """A row of a schedule, or what a strategy sent."""

    action: str  # new, cancel, amend
    order_id: int
    side: int = 0
    kind: str = "limit"
    tif: str | None = "gtc"
    price: float = math.nan
    size: float = math.nan


@dataclass
class Order:
    order_id: int
    side: int
    kind: str
    tif: str | None
    price: float
    size: float  # as it arrived
    ticks: int
    leaves: int  # lots
    ahead: float = 0.0
    traded: float = 0.0


@dataclass
class Taken:
    """What own orders took of a level, and the level's size at that time."""

    lots: int
    level: float


@dataclass
class Account:
    position: int = 0  # lots
    cash: float = 0.0
    fees: float = 0.0
    volume: float = 0.0


def on_grid(value: float, step: Fraction) -> int | None:
    """The whole number of steps, None if the value is further than 1e-6 of a step from one, or not positive."""
    if not math.isfinite(value) or value <= 0:
        return None
    steps = Fraction(value) / step
    return None if abs(steps - round(steps)) > Fraction(1, 1_000_000) or round(steps) < 1 else round(steps)
