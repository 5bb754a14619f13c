"""What the agent has seen: transitions over n steps in flat arrays, drawn uniformly or by priority."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from learning.jit import entry_kernel
from learning.qr_dqn.hyper import Hyper
from learning.qr_dqn.sum_tree import draw, set_priorities, sum_tree
from sources.tape.batch import Float64s, Int64s

Float32s = npt.NDArray[np.float32]
_LEAST_PRIORITY = 1e-6
PUT, KEPT, OPEN = range(3)  # of the counts: where the next goes, how many there are, steps that wait for n rewards


class Transitions(NamedTuple):
    """Where an action led to, ``capacity`` of them."""

    observation: Float32s  # (capacity, inputs)
    action: npt.NDArray[np.int32]  # (capacity,)
    reward: Float32s  # (capacity,): discounted sum of up to n rewards
    discount: Float32s  # (capacity,): of the value of `after`; 0 where the episode terminated
    after: Float32s  # (capacity, inputs)


class Window(NamedTuple):
    """Steps of the episode that have not had n rewards yet."""

    observation: Float32s  # (n, inputs)
    action: npt.NDArray[np.int32]  # (n,)
    reward: Float64s  # (n,)


class Drawn(NamedTuple):
    """Batches of transitions."""

    rows: Int64s  # (steps, batch)
    transitions: Transitions  # each (steps, batch, …)
    weight: Float32s  # (steps, batch): importance, at most 1


@entry_kernel
def _add(
    kept: Transitions, window: Window, counts: Int64s, observation: Float32s, action: int, reward: float,
    after: Float32s, terminated: bool, ended: bool, discount: float,
) -> int:  # fmt: skip
    """Take a step; returns how many transitions it completes: all that wait if the episode ``ended``, else at most one.

    A step after which the episode was cut off (ended, not terminated) is valued by what follows as any other.
    """
    m = counts[OPEN]
    window.observation[m] = observation
    window.action[m] = action
    window.reward[m] = reward
    m += 1
    full = m == len(window.reward)
    completed = m if ended else int(full)
    for k in range(completed):
        total, factor = 0.0, 1.0
        for i in range(k, m):
            total += factor * window.reward[i]
            factor *= discount
        at = counts[PUT]
        kept.observation[at] = window.observation[k]
        kept.action[at] = window.action[k]
        kept.reward[at] = total
        kept.discount[at] = 0.0 if terminated else factor
        kept.after[at] = after
        counts[PUT] = (at + 1) % len(kept.reward)
        counts[KEPT] = min(counts[KEPT] + 1, len(kept.reward))
    for k in range(completed, m):
        window.observation[k - completed] = window.observation[k]
        window.action[k - completed] = window.action[k]
        window.reward[k - completed] = window.reward[k]
    counts[OPEN] = m - completed
    return completed


class Replay:
    """Transitions, and how they are drawn."""

    def __init__(self, inputs: int, hyper: Hyper) -> None:
        """Args:
        inputs: numbers of an observation.
        """
        self._hyper = hyper
        n, rows = hyper.n_step, hyper.buffer
        self._kept = Transitions(
            np.zeros((rows, inputs), np.float32), np.zeros(rows, np.int32), np.zeros(rows, np.float32),
            np.zeros(rows, np.float32), np.zeros((rows, inputs), np.float32),
        )  # fmt: skip
        self._window = Window(np.zeros((n, inputs), np.float32), np.zeros(n, np.int32), np.zeros(n))
        self._counts = np.zeros(3, np.int64)
        self._tree = sum_tree(rows if hyper.prioritised else 1)
        self._highest = np.ones(1)  # priority so far; what is new has it

    def __len__(self) -> int:
        return int(self._counts[KEPT])

    def add(
        self, observation: Float32s, action: int, reward: float, after: Float32s, terminated: bool, ended: bool
    ) -> None:
        """Take a step.

        Args:
            observation, after: shape ``(inputs,)``, before the action and after it.
            terminated: nothing follows, so that what comes after is worth 0.
            ended: the episode is over, terminated or cut off.
        """
        first = int(self._counts[PUT])
        step = (observation, action, float(reward), after, terminated, ended or terminated)
        n = _add(self._kept, self._window, self._counts, *step, self._hyper.discount)
        if self._hyper.prioritised and n:
            rows = (first + np.arange(n)) % self._hyper.buffer
            set_priorities(self._tree, rows, np.full(n, self._highest[0]))

    def draw(self, rng: np.random.Generator, steps: int) -> Drawn:
        """Batches for so many gradient steps; there must be a transition."""
        shape = (steps, self._hyper.batch)
        weight = np.ones(shape, np.float32)
        if self._hyper.prioritised:
            rows, chance = np.empty(shape, np.int64), np.empty(shape)
            places = (np.arange(shape[1]) + rng.random(shape)) / shape[1]  # one of each of equal parts of the whole
            draw(self._tree, np.minimum(places, 1 - 2**-53).ravel(), rows.reshape(-1), chance.reshape(-1))
            importance = (len(self) * chance) ** -self._hyper.importance_exponent
            weight = (importance / importance.max(axis=1, keepdims=True)).astype(np.float32)
        else:
            rows = rng.integers(0, len(self), shape)
        return Drawn(rows, Transitions._make(array[rows] for array in self._kept), weight)

    def found(self, rows: Int64s, losses: Float32s) -> None:
        """Take the losses of transitions that were drawn: their new priorities, where there are any.

        Args:
            rows, losses: shape ``(steps, batch)``.
        """
        if self._hyper.prioritised:
            priorities = (losses.astype(np.float64).ravel() + _LEAST_PRIORITY) ** self._hyper.priority_exponent
            set_priorities(self._tree, rows.ravel(), priorities)
            self._highest[0] = max(self._highest[0], priorities.max())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it by name, no longer than what is in it."""
        n = len(self)
        return {
            **{f"replay.{name}": array[:n] for name, array in self._kept._asdict().items()},
            **{f"window.{name}": array for name, array in self._window._asdict().items()},
            "counts": self._counts,
            "priorities": self._tree[len(self._tree) // 2 :][:n],
            "highest": self._highest,
        }

    def take_up(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """What `arrays` gave.

        Raises:
            KeyError, ValueError: an array is missing, or of another shape.
        """
        self._counts[:] = arrays["counts"]
        n = len(self)
        for name, array in self._kept._asdict().items():
            array[:n] = arrays[f"replay.{name}"]
        for name, array in self._window._asdict().items():
            array[:] = arrays[f"window.{name}"]
        self._highest[:] = arrays["highest"]
        if self._hyper.prioritised:
            set_priorities(self._tree, np.arange(n), np.ascontiguousarray(arrays["priorities"]))
