"""Orders of which something is to be learned: always as many on each side, whatever becomes of them."""

from dataclasses import dataclass

from operators.execution.state import Commands
from operators.execution.view import View, order
from operators.execution.words import MARKET
from operators.placement.jit import kernel
from operators.placement.parents import MOST_PARENTS
from sources.tape.batch import Float64s


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    for side in (1, -1):
        there = 0
        for i in range(view.orders):
            if view.working[1, i] == side:
                there += 1
        for _ in range(int(parameters[1]) - there):
            order(commands, 0, side, MARKET, -1, 0.0, parameters[0])


@dataclass(frozen=True)
class Probe:
    """Parents to buy and parents to sell, renewed when they are done; of use with the method ``explore``.

    Attributes:
        size: base currency, of each.
        each: parents of each side.
    """

    size: float
    each: int = MOST_PARENTS // 2

    columns = ()
    memory = 0
    decide_kernel = staticmethod(_decide)

    @property
    def parameters(self) -> tuple[float, ...]:
        """For the kernel."""
        return (self.size, float(self.each))
