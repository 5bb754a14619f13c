"""Follow the order flow: take where its z-score is large, give back where it is small again.

Source: the price impact of order flow, Cont, Kukanov & Stoikov 2014, "The price impact of order book events".
"""

from dataclasses import dataclass

import numpy as np

from operators.execution.state import Commands
from operators.execution.view import View, order
from operators.execution.words import MARKET
from operators.jit import kernel
from sources.tape.batch import Float64s


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    z, size, enter, leave = view.columns[0], parameters[0], parameters[1], parameters[2]
    if np.isnan(z) or view.orders > 0:  # not warm, or an order is on its way
        return
    target = view.position
    if z >= enter:
        target = size
    elif z <= -enter:
        target = -size
    elif abs(z) <= leave:
        target = 0.0
    lots = np.rint((target - view.position) / view.lot)
    if lots != 0.0:
        order(commands, 0, 1 if lots > 0.0 else -1, MARKET, -1, 0.0, abs(lots) * view.lot)


@dataclass(frozen=True)
class Momentum:
    """Long while order flow is high, short while it is low, by market orders.

    Attributes:
        size: base currency, of the position.
        enter: standard deviations of order flow at which it takes a position.
        leave: standard deviations below which it is flat again.
        column: the z-score that it follows.
    """

    size: float = 1.0
    enter: float = 3.0
    leave: float = 0.5
    column: str = "ofi_z_l0_1s"

    memory = 0
    decide_kernel = staticmethod(_decide)

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns that it looks at."""
        return (self.column,)

    @property
    def parameters(self) -> tuple[float, ...]:
        """For the kernel."""
        return (self.size, self.enter, self.leave)
