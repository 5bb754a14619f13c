"""``tickwax/Quoting-v0``: one agent whose orders rest (docs/acting.md, 2)."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from typing_extensions import override

from learning.environment.account import OWN, ROW, Float32s
from learning.environment.quotes import ACTIONS, SHOWN
from learning.environment.recording import Recording
from learning.environment.seats import Seats
from learning.environment.trading import Task, drawn_start, starts
from operators.execution.state import CASH, FEES, SEEN_POSITION
from sources.tape.batch import Float64s


class Quoting(gym.Env[Float32s, np.int64]):
    """Quotes one instrument by limit orders in the simulated exchange; decisions are those of a `Recording`.

    Action ``4 · bid + ask`` is where an order rests on each side until the next decision: 0 none, 1 a tick behind the
    best price, 2 at it, 3 a tick better where the spread has room. Action 16 cancels both, and closes the position by a
    market order once nothing rests. The position stays within −1 and +1 times ``size``. An observation is that of
    `learning.environment.trading.Trading`, then of the bid and of the ask: the share of a whole position that is open,
    ticks behind the best, and the share of its level that is before it. Episodes and rewards are those of `Trading`.

        >>> import learning.environment
        >>> gym.spec("tickwax/Quoting-v0").entry_point
        'learning.environment.quoting:Quoting'
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, recording: Recording, task: Task | None = None, **changes: Any) -> None:
        """Args:
        recording: of a tape, in which orders may rest (``record(…, resting=True)``).
        task: None: one made of ``changes``, attributes of `Task`.

        Raises:
            ValueError: as of `Task`; orders may not rest in it; or no segment has two decisions.
        """
        chosen = Task(**changes) if task is None else replace(task, **changes)
        self._seats = Seats(recording, chosen, np.zeros(1, np.int64))
        self._starts = starts(recording)
        self._over = np.ones(1, np.bool_)
        self.recording, self.task = recording, chosen
        self.action_space = gym.spaces.Discrete(ACTIONS)
        width = len(recording.columns) + OWN + SHOWN
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (width,), np.float32)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32s, dict[str, Any]]:
        """Begin an episode at a decision that is drawn, or at ``options["start"]``.

        Raises:
            ValueError: no step leads on from that decision.
        """
        super().reset(seed=seed)
        row = drawn_start(self.recording, self._starts, self.np_random, options)
        out = np.empty(self.observation_space.shape or (), np.float32)
        self._seats.begin(0, row, out)
        self._over[0] = False
        return out, self._told()

    @override
    def step(self, action: np.int64) -> tuple[Float32s, float, bool, bool, dict[str, Any]]:
        """Decide, and go on to the next decision.

        Raises:
            ValueError: the episode is over; or there is no such action.
        """
        if self._over[0]:
            raise ValueError("step: the episode is over; call reset first")
        if not self.action_space.contains(action):
            raise ValueError(f"action: {action} is not a whole number from 0 to {ACTIONS - 1}")
        out, reward = np.empty((1, *(self.observation_space.shape or ())), np.float32), np.empty(1)
        self._seats.step(np.ones(1, np.bool_), np.array([action], np.int64), out, reward, self._over)
        return out[0], float(reward[0]), False, bool(self._over[0]), self._told()

    @property
    def fills(self) -> Float64s:
        """What was filled in the newest step: price, size with its sign, fee, exchange time; shape ``(4, fills)``."""
        return self._seats.fills(0)

    def _told(self) -> dict[str, Any]:
        exchange = self._seats.players[0].value.exchange
        return {
            "decision": int(exchange.clock[ROW]),
            "lots": int(exchange.clock[SEEN_POSITION]),
            "cash": float(exchange.money[CASH]),
            "fees": float(exchange.money[FEES]),
        }
