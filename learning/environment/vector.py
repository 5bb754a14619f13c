"""Many agents at once, over instruments and starts, in one compiled loop."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from typing_extensions import override

from learning.environment.account import OWN, SHORT, Account, Float32s, make_account
from learning.environment.market import advance_many
from learning.environment.recording import Recording
from learning.environment.trading import TARGETS, Bools, Task, starts
from sources.tape.batch import Float64s, Int64s


def shared_columns(recordings: Sequence[Recording], tasks: Sequence[Task]) -> tuple[str, ...]:
    """The columns of recordings that are traded together, a task each.

    Raises:
        ValueError: there is none, another number of tasks, or they differ in their columns.
    """
    if not recordings or len(tasks) != len(recordings):
        raise ValueError(f"tasks: {len(tasks)} for {len(recordings)} recordings; one each is needed")
    if len({recording.columns for recording in recordings}) > 1:
        raise ValueError("recordings: they differ in their columns")
    return recordings[0].columns


class TradingVector(VectorEnv[Float32s, Int64s, Any]):
    """`Trading` for many agents: those of one number trade one instrument, one after the other from drawn starts.

    An agent whose episode is over begins another one with the next step, whatever its action then (Gymnasium's
    ``NEXT_STEP``). Same steps, rewards and observations as of `Trading`, to the bit.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, recordings: Sequence[Recording], tasks: Sequence[Task], num_envs: int) -> None:
        """Args:
        recordings: a tape each, with the same columns.
        tasks: of each.
        num_envs: agents; the e-th trades recording ``e`` modulo their number.

        Raises:
            ValueError: as of `Trading`, or the recordings differ in their columns.
        """
        super().__init__()
        columns = shared_columns(recordings, tasks)
        self.num_envs = num_envs
        n = len(recordings)
        agents = [np.arange(i, num_envs, n) for i in range(n)]
        self._parts = [
            (*task.market(recording), task.terms(recording), which, starts(recording))
            for recording, task, which in zip(recordings, tasks, agents, strict=True)
        ]
        one = make_account(max(recording.depth for recording in recordings))
        self._accounts = Account._make(
            (np.zeros((num_envs, *array.shape), array.dtype) if field != "resting" else array
              for field, array in one._asdict().items())
        )  # fmt: skip
        width = len(columns) + OWN
        self.single_action_space = gym.spaces.Discrete(len(TARGETS))
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._over = np.ones(num_envs, np.bool_)
        self._width = width

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
        return self._advanced(np.ones(self.num_envs, np.int64))[0], {}

    @override
    def step(self, actions: Int64s) -> tuple[Float32s, Float64s, Bools, Bools, dict[str, Any]]:
        """Decide for each agent, and go on to its next decision.

        Raises:
            ValueError: another number of actions, or another action than 0, 1 and 2; an order needs more levels than
                were kept.
        """
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or not ((chosen >= 0) & (chosen < len(TARGETS))).all():
            raise ValueError(f"actions: shape {chosen.shape}; {self.num_envs} of 0, 1 and 2 are needed")
        out, rewards = self._advanced(chosen.astype(np.int64))
        return out, rewards, np.zeros(self.num_envs, np.bool_), self._over.copy(), {}

    def _advanced(self, actions: Int64s) -> tuple[Float32s, Float64s]:
        out, rewards = np.empty((self.num_envs, self._width), np.float32), np.empty(self.num_envs)
        begins = np.full(self.num_envs, -1, np.int64)
        for market, rules, terms, which, rows in self._parts:
            fresh = which[self._over[which]]
            begins[fresh] = rows[self.np_random.integers(len(rows), size=len(fresh))]
            advance_many(market, rules, terms, self._accounts, which, actions - 1, begins, out, rewards, self._over)
        if self._accounts.clock[:, SHORT].any():
            raise ValueError("depth: an order took all levels that were kept of a book; keep more")
        return out, rewards
