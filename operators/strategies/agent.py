"""A trained agent: sees what `tickwax/Trading-v0` shows, and takes the position that QR-DQN chooses (docs/acting.md).

Source: Dabney, Rowland, Bellemare & Munos 2018, "Distributional Reinforcement Learning with Quantile Regression".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.arguments import as_number
from operators.execution.strategy import MarketView, OrderSender
from operators.models.agent import AgentModel, read_agent

QUOTES = ("bid_price", "ask_price")
_LIMIT = 10.0  # scaled features beyond it count as no further
_BPS = 1e4


def asked_of(model: AgentModel) -> tuple[str, ...]:
    """The columns that `Acting` looks at: those of the model, `QUOTES`, and a forecast's doubt, if that is the gate."""
    return (*model.columns, *QUOTES, *((model.doubt,) if model.doubt else ()))


class Acting:
    """When an agent decides, what it sees of itself, and how it gets the position that it wants, whoever chooses it."""

    def __init__(self, size: float, step_ns: int) -> None:
        """Args:
        size: base currency, of a whole position.
        step_ns: from one decision to the next.
        """
        self._size, self._step = size, step_ns
        self._interval, self._decision, self._held, self._opened, self._opened_at = -1, 0, 0, 0, 0.0

    def decide(self, view: MarketView, orders: OrderSender, model: AgentModel, cvar: float | None = None) -> None:
        """Send a market order to the position that the model chooses, where it is another one.

        Args:
            view: its columns are `asked_of` the model.
            cvar: share of returns that count, the lowest; None: the model's own.
        """
        interval = view.ts // self._step
        if interval == self._interval:
            return
        self._interval = interval
        self._decision += 1
        columns, n = np.array(view.columns), len(model.columns)
        bid, ask = columns[n : n + 2]
        quote = (bid + ask) / 2.0
        held, whole = round(view.position / view.lot), round(self._size / view.lot)
        if np.sign(held) != np.sign(self._held):
            self._opened, self._opened_at = self._decision, quote
        self._held = held
        if view.working:
            return
        scaled = np.nan_to_num((columns[:n] - model.mean) / model.scale, nan=0.0, posinf=_LIMIT, neginf=-_LIMIT)
        own = [held / whole, 0.0, 0.0, (ask - bid) / quote * _BPS]
        if held:
            own[1] = np.sign(held) * (quote / self._opened_at - 1.0) * _BPS
            own[2] = (self._decision - self._opened) / 100.0
        seen = np.append(np.clip(scaled, -_LIMIT, _LIMIT), own).astype(np.float32)
        foretold = float(columns[n + 2]) if model.doubt else np.nan
        lots = model.target(seen, int(np.sign(held)), cvar, foretold) * whole - held
        if lots:
            orders.market(1 if lots > 0 else -1, abs(lots) * view.lot)


@dataclass
class Agent:
    """Holds −1, 0 or +1 times the size that it was trained with, by market orders.

    It decides at the first feature row of each of its steps, and waits until the report of its last order has come: as
    it did in training. The features must have the settings that they had there. In doubt it opens nothing.

    Attributes:
        path: folder that `tickwax train qrdqn` wrote, or `learning.qr_dqn.QRDQN.save` of an agent of
            ``tickwax/Trading-v0``.
        cvar: share of returns that count, the lowest; 1: all, the mean. None: what it was trained to act by.
        in_sample: not 0: a backtest may show what it remembers of the time that it was trained on.
    """

    path: str = ""
    cvar: float | None = None
    in_sample: float = 0.0

    def __post_init__(self) -> None:
        if self.cvar is not None and not 0 < as_number("cvar", self.cvar) <= 1:
            raise ValueError(f"cvar: {self.cvar} is outside 0 (excluded) to 1")
        self.model = read_agent(Path(self.path), "strategy.path")
        self.columns = asked_of(self.model)
        self._acting = Acting(self.model.size, self.model.step_ns)

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        """Send a market order to the position that the networks choose, where it is another one."""
        self._acting.decide(view, orders, self.model, self.cvar)
