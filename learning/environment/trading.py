"""``tickwax/Trading-v0``: one agent that trades one instrument by market orders (docs/acting.md, 2)."""

from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from learning.environment.account import (
    FILLED,
    OWN,
    ROW,
    SHORT,
    Float32s,
    Market,
    Terms,
    make_account,
    make_market,
)
from learning.environment.market import advance_one, begin_one
from learning.environment.recording import Recording
from operators.arguments import as_array, as_count, as_number
from operators.execution.grid import NO_STEP, steps
from operators.execution.state import CASH, FEES, SEEN_POSITION, Rules
from sources.tape.batch import Float64s, Int64s

Bools = npt.NDArray[np.bool_]

REWARDS = ("sharpe", "pnl")
TARGETS = (-1, 0, 1)


@dataclass(frozen=True)
class Task:
    """What an agent is asked to do.

    Attributes:
        size: base currency, of a whole position; on the instrument's lot grid.
        reward: ``sharpe``: differential Sharpe ratio of the step's net returns; ``pnl``: these themselves. A return is
            in basis points of what a position was worth when the episode began, fees paid, the position at mid.
        eta: of the differential Sharpe ratio.
        episode: steps, at most.
        mean, scale: of the features, shape ``(columns,)``, from the rows that are trained on; None: 0 and 1.

    Raises:
        ValueError: one is out of range; the text begins with its name.
    """

    size: float
    reward: str = "sharpe"
    eta: float = 0.01
    episode: int = 1_000
    mean: npt.ArrayLike | None = None
    scale: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        if self.reward not in REWARDS:
            raise ValueError(f"reward: {self.reward!r} is not one of {', '.join(REWARDS)}")
        if not 0 < as_number("eta", self.eta) <= 1:
            raise ValueError(f"eta: {self.eta} is outside 0 (excluded) to 1")
        as_count("episode", self.episode, 1)

    def terms(self, recording: Recording) -> Terms:
        """The same for kernels."""
        lot = recording.grid.lot
        lots = int(steps(as_number("size", self.size), lot.numerator, lot.denominator))
        if lots == NO_STEP:
            raise ValueError(f"size: {self.size} is no multiple of the lot, {float(lot)}, above 0")
        if lots < recording.grid.least / float(lot):
            raise ValueError(f"size: {self.size} is below the least size, {recording.grid.least}")
        return Terms(lots, self.episode, self.eta if self.reward == "sharpe" else 0.0)

    def market(self, recording: Recording) -> tuple[Market, Rules]:
        """The recording as it is seen."""
        columns = len(recording.columns)
        scales = []
        for name, given, default in (("mean", self.mean, 0.0), ("scale", self.scale, 1.0)):
            array = as_array(name, np.full(columns, default) if given is None else given)
            if len(array) != columns or (name == "scale" and not (array > 0).all()):
                raise ValueError(f"{name}: {len(array)} numbers; {columns} are needed, those of scale above 0")
            scales.append(array)
        return make_market(recording, *scales)


def starts(recording: Recording) -> Int64s:
    """Decisions from which a step leads to another.

    Raises:
        ValueError: there are none.
    """
    found: Int64s = np.flatnonzero(recording.last > np.arange(len(recording)))
    if not len(found):
        raise ValueError("recording: no segment has two decisions")
    return found


def drawn_start(recording: Recording, rows: Int64s, draws: np.random.Generator, options: dict[str, Any] | None) -> int:
    """The decision of ``options["start"]``, or one of ``rows`` that is drawn, whatever the options.

    Raises:
        ValueError: no step leads on from the one that is named.
    """
    row = int(rows[draws.integers(len(rows))])
    if options and "start" in options:
        row = as_count("start", options["start"], 0, len(recording) - 1)
        if recording.last[row] == row:
            raise ValueError(f"start: decision {row} is the last of its segment")
    return row


class Trading(gym.Env[Float32s, np.int64]):
    """Trades one instrument; decisions are those of a `Recording`.

    Actions 0, 1, 2 are the target positions −1, 0, +1 times ``size``, reached by a market order. It acts on the book of
    ``latency_entry`` later, and is waited for until its report has come. An observation is the features, then position,
    return since it was first seen (basis points), time since (hundreds of steps) and spread (basis points). An episode
    is *truncated* at the end of its segment, and after ``episode`` steps; it never terminates.

        >>> import learning.environment
        >>> gym.spec("tickwax/Trading-v0").entry_point
        'learning.environment.trading:Trading'
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, recording: Recording, task: Task | None = None, **changes: Any) -> None:
        """Args:
        recording: of a tape.
        task: None: one made of ``changes``, attributes of `Task`.

        Raises:
            ValueError: as of `Task`, or no segment has two decisions.
        """
        chosen = Task(**changes) if task is None else replace(task, **changes)
        self._terms = chosen.terms(recording)
        self._market, self._rules = chosen.market(recording)
        self._account = make_account(recording.price.shape[2])
        self._starts = starts(recording)
        self._over = True
        self.recording, self.task = recording, chosen
        self.action_space = gym.spaces.Discrete(len(TARGETS))
        width = len(recording.columns) + OWN
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
        begin_one(self._market, self._rules, self._terms, self._account, row, out)
        self._over = False
        return out, self._told()

    @override
    def step(self, action: np.int64) -> tuple[Float32s, float, bool, bool, dict[str, Any]]:
        """Decide, and go on to the next decision.

        Raises:
            ValueError: an order needs more levels than were kept; the episode is over; or there is no such action.
        """
        if self._over:
            raise ValueError("step: the episode is over; call reset first")
        if not self.action_space.contains(action):
            raise ValueError(f"action: {action!r} is not 0, 1 or 2")
        out = np.empty(self.observation_space.shape or (), np.float32)
        target = TARGETS[int(action)]
        reward, self._over = advance_one(self._market, self._rules, self._terms, self._account, target, out)
        if self._account.clock[SHORT]:
            raise ValueError(f"depth: an order took all {self.recording.depth} levels that were kept; keep more")
        return out, float(reward), False, bool(self._over), self._told()

    def about(self) -> dict[str, Any]:
        """What a strategy has to know to see as this environment does; `learning.qr_dqn.QRDQN.save` keeps it."""
        task, columns = self.task, self.recording.columns
        return {
            "columns": list(columns),
            "mean": np.zeros(len(columns)).tolist() if task.mean is None else np.asarray(task.mean, float).tolist(),
            "scale": np.ones(len(columns)).tolist() if task.scale is None else np.asarray(task.scale, float).tolist(),
            "size": task.size,
            "step_ns": self.recording.step_ns,
        }

    @property
    def fills(self) -> Float64s:
        """Fills of the newest order: price, lots with their sign, fee, act time; shape ``(4, fills)``."""
        return self._account.fills[: self._account.clock[FILLED]].T.copy()

    def _told(self) -> dict[str, Any]:
        clock, money = self._account.clock, self._account.money
        return {
            "decision": int(clock[ROW]),
            "lots": int(clock[SEEN_POSITION]),
            "cash": float(money[CASH]),
            "fees": float(money[FEES]),
        }
