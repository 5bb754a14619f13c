"""What environments of many agents share: their spaces, how an episode begins, and a step of all of them."""

from abc import abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from typing_extensions import override

from learning.environment.account import Float32s
from learning.environment.trading import Bools
from sources.tape.batch import Float64s, Int64s


class ManyAgents(VectorEnv[Float32s, Int64s, Any]):
    """Agents that decide together, each in an episode of its own.

    An agent whose episode is over begins another one with the next step, whatever its action then (Gymnasium's
    ``NEXT_STEP``).
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, num_envs: int, width: int, actions: int, idle: int) -> None:
        """Args:
        width: numbers of an observation.
        actions: how many there are.
        idle: the one that does nothing, of the step in which all begin.
        """
        super().__init__()
        self.num_envs, self._width, self._actions, self._idle = num_envs, width, actions, idle
        self.single_action_space = gym.spaces.Discrete(actions)
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (width,), np.float32)
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
        return self._advanced(np.full(self.num_envs, self._idle, np.int64))[0], {}

    @override
    def step(self, actions: Int64s) -> tuple[Float32s, Float64s, Bools, Bools, dict[str, Any]]:
        """Decide for each agent, and go on to its next decision.

        Raises:
            ValueError: another number of actions, or an action that there is not; where agents only take, an order
                needs more levels than were kept.
        """
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or not ((chosen >= 0) & (chosen < self._actions)).all():
            raise ValueError(
                f"actions: shape {chosen.shape}; {self.num_envs} whole numbers from 0 to {self._actions - 1} are needed"
            )
        out, rewards = self._advanced(chosen.astype(np.int64))
        return out, rewards, np.zeros(self.num_envs, np.bool_), self._over.copy(), {}

    @abstractmethod
    def _advanced(self, actions: Int64s) -> tuple[Float32s, Float64s]:
        """Observations and rewards after a step; sets ``_over``, and begins the episodes of those that were."""
