"""The price and size grid of an instrument (docs/execution.md, 3): ticks and lots as whole numbers.

A step is a fraction of whole numbers: ``ticks · numerator / denominator`` is one rounding, and so the double nearest to
the decimal, as on the tape. ``ticks · 0.1`` is not.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from operators.jit import kernel
from sources.tape.batch import TRADE, Float64s, TapeBatch

_MOST_DECIMALS = 12
TOLERANCE = 1e-6  # of a step
NO_STEP = -(1 << 62)  # what is not on the grid


@dataclass(frozen=True)
class Grid:
    """Tick and lot of an instrument, and its least order size.

    Attributes:
        tick: step of prices, in quote currency.
        lot: step of sizes, in base currency.
        least: least size of an order, in base currency.

    Raises:
        ValueError: a step is not positive, or has more than 12 decimals; the text begins with its name.
    """

    tick: Fraction
    lot: Fraction
    least: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tick", "lot"):
            step: Fraction = getattr(self, name)
            if step <= 0 or (step * 10**_MOST_DECIMALS).denominator != 1 or step > 10**9:
                raise ValueError(f"{name}: {float(step)} is not a positive decimal of at most {_MOST_DECIMALS} places")
        if not 0.0 <= self.least < math.inf:
            raise ValueError(f"least: {self.least} is negative or not finite")

    def __str__(self) -> str:
        return f"tick {as_decimal(self.tick)}, lot {as_decimal(self.lot)}, least {self.least:.12g}"


def as_decimal(step: Fraction) -> str:
    """A step as a plain decimal; it has at most 12 places."""
    return f"{Decimal(step.numerator) / Decimal(step.denominator):f}"


@kernel
def steps(x: float, numerator: int, denominator: int) -> int:
    """How many steps ``x`` is; `NO_STEP` if it is not within 10⁻⁶ of a step of a multiple of it, or not positive."""
    count = x * denominator / numerator
    if not 0.5 < count < 4.5e15:
        return NO_STEP
    whole = np.rint(count)
    return int(whole) if abs(count - whole) <= TOLERANCE else NO_STEP


@kernel
def value(count: int, numerator: int, denominator: int) -> float:
    """The double nearest to ``count`` steps."""
    return count * numerator / denominator


@kernel
def _common_step(x: Float64s, kind: Any, start: int, scale: int, step: int) -> tuple[int, int]:
    """Largest step, in units of ``1 / scale``, of ``step`` and the positive numbers of books and trades from ``start``
    on.

    Returns:
        The first number that has more decimals, else ``len(x)``; and the step of those before it (0: none).
    """
    for i in range(start, len(x)):
        if kind[i] > TRADE or not x[i] > 0.0:
            continue
        whole = np.rint(x[i] * scale)
        if whole / scale != x[i]:
            return i, step
        a, b = int(whole), step
        while b:
            a, b = b, a % b
        step = a
    return len(x), step


class StepSearch:
    """Finds the largest decimal step of which all prices, or all sizes, of a tape are multiples."""

    def __init__(self) -> None:
        self._decimals = 0
        self._step = 0

    def add(self, x: Float64s, kind: Any) -> None:
        """Take numbers of tape rows.

        Raises:
            ValueError: one has more than 12 decimals.
        """
        done = 0
        while True:
            done, self._step = _common_step(x, kind, done, 10**self._decimals, self._step)
            if done == len(x):
                return
            if self._decimals == _MOST_DECIMALS:
                raise ValueError(f"{x[done]!r} has more than {_MOST_DECIMALS} decimals")
            self._decimals += 1
            self._step *= 10

    @property
    def step(self) -> Fraction | None:
        """The step; None before the first number."""
        return Fraction(self._step, 10**self._decimals) if self._step else None


class GridSearch:
    """Finds the grid of an instrument from its tape: the largest one that holds every price and size."""

    def __init__(self) -> None:
        self._tick, self._lot = StepSearch(), StepSearch()

    def add(self, batch: TapeBatch) -> None:
        """Take tape rows.

        Raises:
            ValueError: a number has more than 12 decimals.
        """
        self._tick.add(batch.price, batch.kind)
        self._lot.add(batch.size, batch.kind)

    def grid(self) -> Grid | None:
        """The grid; None if the tape has no price or no size."""
        tick, lot = self._tick.step, self._lot.step
        return None if tick is None or lot is None else Grid(tick, lot)
