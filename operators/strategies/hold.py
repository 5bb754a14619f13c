"""Buy once and hold: what the market itself earned, less one fee."""

from dataclasses import dataclass

from operators.execution.state import Commands
from operators.execution.view import View, order
from operators.execution.words import MARKET
from operators.jit import kernel
from sources.tape.batch import Float64s


@kernel
def _decide(view: View, memory: Float64s, parameters: Float64s, commands: Commands) -> None:
    if memory[0] == 0.0:
        memory[0] = 1.0
        size = parameters[0]
        order(commands, 0, 1 if size > 0.0 else -1, MARKET, -1, 0.0, abs(size))


@dataclass(frozen=True)
class Hold:
    """Takes a position at the first feature row, and keeps it.

    Attributes:
        size: base currency; negative is short.
    """

    size: float = 1.0

    columns = ()
    memory = 1
    decide_kernel = staticmethod(_decide)

    @property
    def parameters(self) -> tuple[float, ...]:
        """For the kernel."""
        return (self.size,)
