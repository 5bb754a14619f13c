"""Many agents whose orders rest, over instruments and starts, in one compiled loop an instrument."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from typing_extensions import override

from learning.environment.account import OWN, Float32s
from learning.environment.quotes import ACTIONS, SHOWN
from learning.environment.recording import Recording
from learning.environment.seats import Seats
from learning.environment.trading import Bools, Task, starts
from learning.environment.vector import shared_columns
from sources.tape.batch import Float64s, Int64s


class QuotingVector(VectorEnv[Float32s, Int64s, Any]):
    """`Quoting` for many agents, as `learning.environment.vector.TradingVector` is `Trading` for many."""

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, recordings: Sequence[Recording], tasks: Sequence[Task], num_envs: int) -> None:
        """Args:
        recordings: a tape each, with the same columns.
        tasks: of each.
        num_envs: agents; the e-th quotes in recording ``e`` modulo their number.

        Raises:
            ValueError: as of `Quoting`, or the recordings differ in their columns.
        """
        super().__init__()
        columns = shared_columns(recordings, tasks)
        self.num_envs = num_envs
        n = len(recordings)
        self._parts = [
            (Seats(recording, task, np.arange(i, num_envs, n)), starts(recording))
            for i, (recording, task) in enumerate(zip(recordings, tasks, strict=True))
            if i < num_envs
        ]
        self._width = len(columns) + OWN + SHOWN
        self.single_action_space = gym.spaces.Discrete(ACTIONS)
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (self._width,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._over = np.ones(num_envs, np.bool_)

    @override
    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32s, dict[str, Any]]:
        """Begin an episode of each agent, from decisions drawn from ``seed``.

        Raises:
            ValueError: ``seed`` is a list: all starts are drawn from one.
        """
        if isinstance(seed, list):
            raise ValueError("seed: a list; all starts are drawn from one seed")
        super().reset(seed=seed)
        self._over[:] = True
        return self._advanced(np.zeros(self.num_envs, np.int64))[0], {}

    @override
    def step(self, actions: Int64s) -> tuple[Float32s, Float64s, Bools, Bools, dict[str, Any]]:
        """Decide for each agent, and go on to its next decision.

        Raises:
            ValueError: another number of actions, or an action that there is not.
        """
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or not ((chosen >= 0) & (chosen < ACTIONS)).all():
            raise ValueError(
                f"actions: shape {chosen.shape}; {self.num_envs} whole numbers from 0 to {ACTIONS - 1} are needed"
            )
        out, rewards = self._advanced(chosen.astype(np.int64))
        return out, rewards, np.zeros(self.num_envs, np.bool_), self._over.copy(), {}

    def _advanced(self, actions: Int64s) -> tuple[Float32s, Float64s]:
        out, rewards = np.empty((self.num_envs, self._width), np.float32), np.zeros(self.num_envs)
        for seats, rows in self._parts:
            fresh = self._over[seats.agents].copy()
            drawn = rows[self.np_random.integers(len(rows), size=int(fresh.sum()))]
            for j, row in zip(np.flatnonzero(fresh), drawn, strict=True):
                seats.begin(int(j), int(row), out[seats.agents[j]])
                self._over[seats.agents[j]] = False
            seats.step(~fresh, actions, out, rewards, self._over)
        return out, rewards
