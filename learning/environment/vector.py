"""Many agents at once, over instruments and starts, in one compiled loop."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from learning.environment.account import OWN, SHORT, Account, Float32s, make_account
from learning.environment.many_agents import ManyAgents
from learning.environment.market import advance_many
from learning.environment.recording import Recording
from learning.environment.trading import TARGETS, Task, starts
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


class TradingVector(ManyAgents):
    """`Trading` for many agents: those of one number trade one instrument, one after the other from drawn starts.

    Same steps, rewards and observations as of `Trading`, to the bit.
    """

    def __init__(self, recordings: Sequence[Recording], tasks: Sequence[Task], num_envs: int) -> None:
        """Args:
        recordings: a tape each, with the same columns.
        tasks: of each.
        num_envs: agents; the e-th trades recording ``e`` modulo their number.

        Raises:
            ValueError: as of `Trading`, or the recordings differ in their columns.
        """
        columns = shared_columns(recordings, tasks)
        super().__init__(num_envs, len(columns) + OWN, len(TARGETS), TARGETS.index(0))
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

    @override
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
