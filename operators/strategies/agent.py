"""A trained agent: sees what `tickwax/Trading-v0` shows, and takes the position that QR-DQN chooses (docs/acting.md).

Source: Dabney, Rowland, Bellemare & Munos 2018, "Distributional Reinforcement Learning with Quantile Regression".
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of

from operators.arguments import as_array, as_count, as_number
from operators.execution.strategy import MarketView, OrderSender
from operators.models.qr_dqn import QuantilePolicy

_CARD, _WEIGHTS = "agent.json", "weights.safetensors"
_QUOTES = ("bid_price", "ask_price")
_LIMIT = 10.0  # scaled features beyond it count as no further
_OWN = 4
_BPS = 1e4


@dataclass
class Agent:
    """Holds −1, 0 or +1 times the size that it was trained with, by market orders.

    It decides at the first feature row of each of its steps, and waits until the report of its last order has come: as
    it did in training. The features must have the settings that they had there.

    Attributes:
        path: folder that `learning.qr_dqn.QRDQN.save` wrote, of an agent of ``tickwax/Trading-v0``.
        cvar: share of returns that count, the lowest; 1: all, the mean.
    """

    path: str = ""
    cvar: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < as_number("cvar", self.cvar) <= 1:
            raise ValueError(f"cvar: {self.cvar} is outside 0 (excluded) to 1")
        about, self._policy = _read(Path(self.path))
        self._mean, self._scale = as_array("mean", about["mean"]), as_array("scale", about["scale"])
        self._size, self._step = as_number("size", about["size"]), as_count("step_ns", about["step_ns"], 1)
        self.columns = (*about["columns"], *_QUOTES)
        n = len(about["columns"])
        if not len(self._mean) == len(self._scale) == n or self._policy.inputs != n + _OWN:
            raise ValueError(f"path: {self.path}: its network sees {self._policy.inputs} numbers, of {n} columns")
        self._interval, self._decision, self._held, self._opened, self._opened_at = -1, 0, 0, 0, 0.0

    def decide(self, view: MarketView, orders: OrderSender) -> None:
        """Send a market order to the position that the network chooses, where it is another one."""
        interval = view.ts // self._step
        if interval == self._interval:
            return
        self._interval = interval
        self._decision += 1
        columns = np.array(view.columns)
        bid, ask = columns[-2:]
        quote = (bid + ask) / 2.0
        held, whole = round(view.position / view.lot), round(self._size / view.lot)
        if np.sign(held) != np.sign(self._held):
            self._opened, self._opened_at = self._decision, quote
        self._held = held
        if view.working:
            return
        scaled = np.nan_to_num((columns[:-2] - self._mean) / self._scale, nan=0.0, posinf=_LIMIT, neginf=-_LIMIT)
        own = [held / whole, 0.0, 0.0, (ask - bid) / quote * _BPS]
        if held:
            own[1] = np.sign(held) * (quote / self._opened_at - 1.0) * _BPS
            own[2] = (self._decision - self._opened) / 100.0
        seen = np.append(np.clip(scaled, -_LIMIT, _LIMIT), own).astype(np.float32)
        lots = (self._policy.act(seen, self.cvar) - 1) * whole - held
        if lots:
            orders.market(1 if lots > 0 else -1, abs(lots) * view.lot)


def _read(folder: Path) -> tuple[dict[str, Any], QuantilePolicy]:
    """What an agent's environment was, and its network.

    Raises:
        ValueError: the folder holds no such agent, or is damaged.
    """
    try:
        card = json.loads((folder / _CARD).read_bytes())
        data = (folder / _WEIGHTS).read_bytes()
    except (OSError, ValueError) as e:
        raise ValueError(f"path: {folder}: holds no agent: {e}") from None
    about = card.get("environment") if isinstance(card, dict) else None
    if not isinstance(about, dict) or not {"columns", "mean", "scale", "size", "step_ns"} <= set(about):
        raise ValueError(f"path: {folder}: is no agent of tickwax/Trading-v0")
    if hashlib.sha256(data).hexdigest() != card.get("files", {}).get(_WEIGHTS):
        raise ValueError(f"path: {folder / _WEIGHTS}: is not what {_CARD} says was written")
    try:
        return about, QuantilePolicy(arrays_of(data), card["actions"], card["first_action"])
    except (SafetensorError, KeyError, ValueError) as e:
        raise ValueError(f"path: {folder}: holds no network: {e}") from None
