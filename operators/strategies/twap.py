"""Time-weighted average price: equal market orders at equal intervals.

Source: Almgren & Chriss 2000, "Optimal execution of portfolio transactions", section 2.2: the schedule of a trader who
does not mind risk.
"""

from dataclasses import dataclass

import numpy as np

from operators.execution.state import Commands
from operators.execution.view import View, order
from operators.execution.words import MARKET
from operators.jit import kernel
from sources.tape.batch import Float64s

_BEGUN, _DONE = 0, 1  # of ``memory``: 1 + ns of the first row (0: none yet), and the slices sent


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    size, slices, seconds = parameters[0], parameters[1], parameters[2]
    if memory[_BEGUN] == 0.0:
        memory[_BEGUN] = float(view.ts)
    due = np.floor((float(view.ts) - memory[_BEGUN]) / (seconds * 1e9) * slices) + 1.0
    lots = np.rint(abs(size) / view.lot)
    while memory[_DONE] < min(due, slices):
        before, after = np.floor(lots * memory[_DONE] / slices), np.floor(lots * (memory[_DONE] + 1.0) / slices)
        if after > before:
            order(commands, 0, 1 if size > 0.0 else -1, MARKET, -1, 0.0, (after - before) * view.lot)
        memory[_DONE] += 1.0


@dataclass(frozen=True)
class Twap:
    """Trades a size in equal slices.

    Attributes:
        size: base currency in all; negative sells.
        slices: number of orders.
        seconds: over which they are spread.
    """

    size: float = 1.0
    slices: int = 10
    seconds: float = 60.0

    columns = ()
    memory = 2
    decide_kernel = staticmethod(_decide)

    @property
    def parameters(self) -> tuple[float, ...]:
        """For the kernel."""
        return (self.size, float(self.slices), self.seconds)
