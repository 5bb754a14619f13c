"""The environment of market orders as one writes it in plain Python: NumPy arrays, and no compiled step."""

from typing import Any

import gymnasium as gym
import numpy as np
from typing_extensions import override

from learning.environment.recording import Recording


class PlainTrading(gym.Env[Any, Any]):
    """`learning.environment.trading.Trading` without limits and without what own orders leave: that makes it faster."""

    def __init__(self, recording: Recording, size: float, episode: int) -> None:
        """Args:
        recording: of a tape.
        size: base currency, of a whole position.
        episode: steps, at most.
        """
        self.recording, self.size, self.episode = recording, size, episode
        self.last = recording.last
        self.action_space = gym.spaces.Discrete(3)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (len(recording.columns) + 4,), np.float32)

    @override
    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.row = 0 if options is None else options["start"]
        self.steps, self.cash, self.position, self.equity, self.opened = 0, 0.0, 0.0, 0.0, self.row
        self.order: tuple[int, float] | None = None
        self.capital = self.size * self.recording.mid[self.row]
        return self._seen(), {}

    @override
    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        r = self.recording
        if self.order is None:
            wanted = (int(action) - 1) * self.size - self.position
            if wanted:
                self.order = self.row, wanted
        self.row += 1
        self.steps += 1
        if self.order is not None and r.next_decision[self.order[0]] <= self.row:
            sent, wanted = self.order
            self._take(sent, wanted)
            self.order = None
            self.opened = self.row
        equity = self.cash + self.position * r.mid[self.row]
        reward = (equity - self.equity) / self.capital * 1e4
        self.equity = equity
        over = self.row == self.last[self.row] or self.steps >= self.episode
        return self._seen(), float(reward), False, bool(over), {"decision": self.row, "cash": self.cash}

    def _take(self, sent: int, wanted: float) -> None:
        r = self.recording
        side, left = (1, wanted) if wanted > 0 else (-1, -wanted)
        s = 1 if side > 0 else 0
        for price, size in zip(r.price[sent, s], r.size[sent, s], strict=True):
            some = min(left, size)
            self.cash -= side * price * some + price * some * r.execution.taker / 1e4
            self.position += side * some
            left -= some
            if left <= 0:
                break

    def _seen(self) -> Any:
        r, row = self.recording, self.row
        own = [0.0, 0.0, 0.0, r.spread[row] / r.quote[row] * 1e4]
        if self.position:
            own[0] = self.position / self.size
            own[1] = np.sign(self.position) * (r.quote[row] / r.quote[self.opened] - 1) * 1e4
            own[2] = (row - self.opened) / 100
        return np.concatenate([r.features[row], own]).astype(np.float32)
