"""Market making with bounded inventory, in its stationary form.

Source: Guéant, Lehalle & Fernandez-Tapia 2013, "Dealing with the inventory risk: a solution to the market making
problem", section 4: with order arrivals ``A·exp(−k·δ)`` at the distance δ from the mid, the quotes of a maker with the
inventory q and the risk aversion γ tend to

    δ± = ln(1 + γ/k) / γ + (1 ± 2q)/2 · σ · sqrt(γ / (2kA) · (1 + γ/k)^(1 + k/γ))

with + for the bid.
"""

import math
from dataclasses import dataclass

import numpy as np

from operators.execution.state import Commands
from operators.execution.view import View, order
from operators.execution.words import AMEND, CANCEL, GTX, LIMIT
from operators.jit import kernel
from sources.tape.batch import Float64s


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    bid, ask, volatility = view.columns[0], view.columns[1], view.columns[2]
    size, most, fixed, risk, rows = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    if np.isnan(volatility):
        return
    mid = (bid + ask) / 2.0
    sigma = volatility * mid / view.tick * np.sqrt(rows)  # ticks a square root of a second
    q = view.position / size
    for side in (1, -1):
        distance = fixed + (1.0 + 2.0 * side * q) / 2.0 * risk * sigma
        steps = (mid - side * distance * view.tick) / view.tick
        # Outwards to a whole tick, and never through the best price of the own side.
        ticks = int(np.floor(steps)) if side > 0 else int(np.ceil(steps))
        best = int(np.rint((bid if side > 0 else ask) / view.tick))
        ticks = min(ticks, best) if side > 0 else max(ticks, best)
        wanted = side * view.position + size <= most * (1.0 + 1e-9) and ticks > 0
        there = -1
        for i in range(view.orders):
            if view.working[1, i] == side:
                there = i
        if there < 0:
            if wanted:
                order(commands, 0, side, LIMIT, GTX, ticks * view.tick, size)
        elif view.working[4, there] == 1:
            if not wanted:
                order(commands, view.working[0, there], side, CANCEL, -1, 0.0, 0.0)
            elif view.working[2, there] != ticks:
                price, left = ticks * view.tick, view.working[3, there] * view.lot
                order(commands, view.working[0, there], side, AMEND, GTX, price, left)


@dataclass(frozen=True)
class Glft:
    """Quotes both sides at the distances of the paper.

    Attributes:
        size: base currency, of each quote and unit of the inventory.
        max_position: base currency; no quote that may lead beyond.
        gamma: risk aversion, one over ticks.
        k: decay of arrivals, one over ticks.
        arrivals: A, arrivals a second at the mid.
        rows: feature rows a second, to which the column ``volatility`` refers.

    Raises:
        ValueError: a number is not positive; the text begins with its name.
    """

    size: float = 1.0
    max_position: float = 10.0
    gamma: float = 0.05
    k: float = 0.3
    arrivals: float = 1.0
    rows: float = 10.0

    columns = ("bid_price", "ask_price", "volatility")
    memory = 0
    decide_kernel = staticmethod(_decide)

    def __post_init__(self) -> None:
        for name in ("size", "max_position", "gamma", "k", "arrivals", "rows"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")

    @property
    def parameters(self) -> tuple[float, ...]:
        """For the kernel: the fixed part of the distance and the factor of σ come from the paper's formula."""
        ratio = 1.0 + self.gamma / self.k
        fixed = math.log(ratio) / self.gamma
        risk = math.sqrt(self.gamma / (2.0 * self.k * self.arrivals) * ratio ** (1.0 + self.k / self.gamma))
        return (self.size, self.max_position, fixed, risk, self.rows)
