"""What an agent is paid for a step: its profit net of costs, or what that adds to its Sharpe ratio.

Source: Moody & Saffell 2001, "Learning to Trade via Direct Reinforcement", §II.C (the differential Sharpe ratio).
"""

import math

import numpy as np
import numpy.typing as npt

from learning.jit import entry_kernel, kernel
from operators.arguments import as_array, as_number
from sources.tape.batch import Float64s

_LEAST_VARIANCE = 1e-12  # below it a ratio says nothing


def _differential(a: float, b: float, r: float, eta: float) -> tuple[float, float, float]:
    delta_a, delta_b = r - a, r * r - b
    variance = b - a * a
    reward = 0.0
    if variance > _LEAST_VARIANCE:
        reward = (b * delta_a - 0.5 * a * delta_b) / (variance * math.sqrt(variance))
    return reward, a + eta * delta_a, b + eta * delta_b


differential_step = kernel(_differential)
"""One step, for kernels: from A, B, the return and η to the reward, A and B."""


@entry_kernel
def _all_steps(returns: Float64s, eta: float, moments: Float64s, out: Float64s) -> None:
    for t in range(len(returns)):
        out[t], moments[0], moments[1] = differential_step(moments[0], moments[1], returns[t], eta)


class DifferentialSharpe:
    """The first-order change of the Sharpe ratio by one return, with moving means A of returns, B of squares.

    ``ΔA = r − A``, ``ΔB = r² − B``, ``D = (B·ΔA − ½·A·ΔB) / (B − A²)^(3/2)``, 0 while ``B − A² ≤ 1e-12``; then
    ``A += η·ΔA``, ``B += η·ΔB``; both begin at 0. The sum of ``η·D`` is the change of ``A / sqrt(B − A²)`` to first
    order in η.

        >>> reward = DifferentialSharpe(eta=0.5)
        >>> reward.update(2.0), reward.update(-1.0)
        (0.0, -3.5)

    Attributes:
        eta: weight of the newest return.
        a, b: moving means of returns and of their squares.
    """

    def __init__(self, eta: float = 0.01) -> None:
        """Args:
        eta: weight of the newest return, above 0 and at most 1.

        Raises:
            ValueError: it is not.
        """
        self.eta = as_number("eta", eta)
        if not 0 < self.eta <= 1:
            raise ValueError(f"eta: {eta} is outside 0 (excluded) to 1")
        self.a = self.b = 0.0

    @property
    def ratio(self) -> float:
        """``A / sqrt(B − A²)``, the Sharpe ratio of a step; 0 while the variance is at most 1e-12."""
        variance = self.b - self.a * self.a
        return self.a / math.sqrt(variance) if variance > _LEAST_VARIANCE else 0.0

    def update(self, r: float) -> float:
        """Take a step's return, net of costs; returns its reward.

        Raises:
            ValueError: it is not a finite number.
        """
        reward, self.a, self.b = _differential(self.a, self.b, as_number("r", r), self.eta)
        return reward

    def update_all(self, returns: npt.ArrayLike) -> Float64s:
        """Rewards of many returns, with the bits of as many `update`.

        Args:
            returns: net of costs, shape ``(T,)``.

        Returns:
            Shape ``(T,)``.

        Raises:
            ValueError: a return is not a finite number; nothing was taken.
        """
        x = as_array("returns", returns)
        moments, out = np.array([self.a, self.b]), np.empty(len(x))
        _all_steps(x, self.eta, moments, out)
        self.a, self.b = moments.tolist()
        return out


class Pnl:
    """Profit of a step net of costs, as a share of a fixed capital.

        >>> reward = Pnl(capital=1_000.0)
        >>> reward.update(20.0), reward.update(15.0)
        (0.02, -0.005)

    Attributes:
        capital: quote currency that a profit is a share of. Fixed, so that rewards add up to the whole profit.
        equity: quote currency, at the last step.
    """

    def __init__(self, capital: float = 1.0, equity: float = 0.0) -> None:
        """Args:
        capital: above 0; 1: rewards in quote currency.
        equity: at the beginning.

        Raises:
            ValueError: a number is not finite, or the capital not above 0.
        """
        self.capital, self.equity = as_number("capital", capital), as_number("equity", equity)
        if self.capital <= 0:
            raise ValueError(f"capital: {capital} is not above 0")

    def update(self, equity: float) -> float:
        """Take the equity after a step, fees paid and positions at mid; returns the step's profit.

        Raises:
            ValueError: it is not a finite number.
        """
        before, self.equity = self.equity, as_number("equity", equity)
        return (self.equity - before) / self.capital

    def update_all(self, equity: npt.ArrayLike) -> Float64s:
        """Profits of many steps, with the bits of as many `update`.

        Args:
            equity: after each, shape ``(T,)``.

        Returns:
            Shape ``(T,)``.

        Raises:
            ValueError: one is not a finite number; nothing was taken.
        """
        x = as_array("equity", equity)
        out: Float64s = np.diff(x, prepend=self.equity) / self.capital
        if len(x):
            self.equity = float(x[-1])
        return out


def differential_sharpe(returns: npt.ArrayLike, eta: float = 0.01) -> Float64s:
    """Rewards of a whole series of returns: `DifferentialSharpe.update_all` from the beginning."""
    return DifferentialSharpe(eta).update_all(returns)


def pnl(equity: npt.ArrayLike, capital: float = 1.0) -> Float64s:
    """Profits of a whole series of equity that began at 0: `Pnl.update_all` from the beginning."""
    return Pnl(capital).update_all(equity)
