"""Pegged order: rest at the best price, and follow it."""

from dataclasses import dataclass

import numpy as np

from operators.execution.state import Commands
from operators.execution.view import View, order
from operators.execution.words import AMEND, GTX, LIMIT
from operators.jit import kernel
from sources.tape.batch import Float64s


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    size = parameters[0]
    side = 1 if size > 0.0 else -1
    price = view.columns[0] if side > 0 else view.columns[1]
    left = np.rint((size - view.position) * side / view.lot)
    if left <= 0.0 or np.isnan(price):
        return
    if view.orders == 0:
        order(commands, 0, side, LIMIT, GTX, price, left * view.lot)
    elif view.working[4, 0] == 1 and view.working[2, 0] != int(np.rint(price / view.tick)):
        order(commands, view.working[0, 0], side, AMEND, GTX, price, view.working[3, 0] * view.lot)


@dataclass(frozen=True)
class Peg:
    """Works a size as one post-only order at the best price of its own side.

    Attributes:
        size: base currency in all; negative sells.
    """

    size: float = 1.0

    columns = ("bid_price", "ask_price")
    memory = 0
    decide_kernel = staticmethod(_decide)

    @property
    def parameters(self) -> tuple[float, ...]:
        """For the kernel."""
        return (self.size,)
