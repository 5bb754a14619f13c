"""Environments whose answers are known."""

from typing import Any

import gymnasium as gym
import numpy as np


class Table(gym.Env[Any, Any]):
    """States that are seen one-hot; what an action does is written in a table.

    ``moves[state][action]`` is a list of ``(probability, reward, next state)``; a next state of −1 terminates.
    """

    def __init__(self, moves: list[list[list[tuple[float, float, int]]]]) -> None:
        self.moves = moves
        self.observation_space = gym.spaces.Box(0.0, 1.0, (len(moves),), np.float32)
        self.action_space = gym.spaces.Discrete(len(moves[0]))

    def seen(self) -> Any:
        return np.eye(len(self.moves), dtype=np.float32)[max(self.state, 0)]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = int(self.np_random.integers(len(self.moves)))
        return self.seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        branches = self.moves[self.state][action]
        branch = self.np_random.choice(len(branches), p=[p for p, _, _ in branches])
        _, reward, self.state = branches[branch]
        return self.seen(), reward, self.state < 0, False, {}


def bandit() -> Table:
    """Action 0 pays 0.5; action 1 pays 1 on average, and loses 3 once in five times."""
    return Table([[[(1.0, 0.5, -1)], [(0.8, 2.0, -1), (0.2, -3.0, -1)]]])


def chain() -> Table:
    """From state 0: a coin, then state 1; from there 0 or 4, and the end."""
    return Table([[[(0.5, 0.0, 1), (0.5, 1.0, 1)]], [[(0.75, 0.0, -1), (0.25, 4.0, -1)]]])


def ring(reward: float, states: int = 5) -> Table:
    """To go on around pays ``reward`` at one place, to go back pays a little everywhere."""
    forth = [[(1.0, reward if s == states - 1 else 0.0, (s + 1) % states)] for s in range(states)]
    back = [[(1.0, reward / 100, max(s - 1, 0))] for s in range(states)]
    return Table([[forth[s], back[s]] for s in range(states)])


def solved(table: Table, discount: float) -> Any:
    """Values of the best policy, shape ``(states, actions)``, by value iteration."""
    q = np.zeros((len(table.moves), len(table.moves[0])))
    for _ in range(2000):
        v = np.append(q.max(axis=1), 0.0)  # the last: of −1, after the end
        q = np.array([[sum(p * (r + discount * v[s]) for p, r, s in branch) for branch in row] for row in table.moves])
    return q
