"""Many agents whose orders rest, over instruments and starts, in one compiled loop an instrument."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from learning.environment.account import OWN, Float32s
from learning.environment.many_agents import ManyAgents
from learning.environment.quotes import ACTIONS, SHOWN
from learning.environment.recording import Recording
from learning.environment.seats import Seats
from learning.environment.trading import Task, starts
from learning.environment.vector import shared_columns
from sources.tape.batch import Float64s, Int64s


class QuotingVector(ManyAgents):
    """`Quoting` for many agents, as `learning.environment.vector.TradingVector` is `Trading` for many."""

    def __init__(self, recordings: Sequence[Recording], tasks: Sequence[Task], num_envs: int) -> None:
        """Args:
        recordings: a tape each, with the same columns.
        tasks: of each.
        num_envs: agents; the e-th quotes in recording ``e`` modulo their number.

        Raises:
            ValueError: as of `Quoting`, or the recordings differ in their columns.
        """
        columns = shared_columns(recordings, tasks)
        super().__init__(num_envs, len(columns) + OWN + SHOWN, ACTIONS, 0)
        n = len(recordings)
        self._parts = [
            (Seats(recording, task, np.arange(i, num_envs, n)), starts(recording))
            for i, (recording, task) in enumerate(zip(recordings, tasks, strict=True))
            if i < num_envs
        ]

    @override
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
