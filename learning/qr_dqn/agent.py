"""The agent: acts in an environment, remembers, and learns the quantiles of its returns (docs/acting.md)."""

import importlib.metadata
import math
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from learning.qr_dqn import curve, folder, training
from learning.qr_dqn.curve import Point
from learning.qr_dqn.hyper import Hyper
from learning.qr_dqn.network import Params, forward, initial
from learning.qr_dqn.popart import Scale
from learning.qr_dqn.replay import Float32s, Replay
from learning.qr_dqn.risk import conditional_value
from operators.arguments import as_array, as_count, as_number
from sources.errors import DamagedError, TickwaxError
from sources.tape.batch import Float64s

_LAST_EPISODES = 20
_POINT_EVERY = 1_000  # steps from one point of the curve to the next, at least


class QRDQN:
    """QR-DQN on any Gymnasium environment with a `Box` to see and `Discrete` actions.

    It is a function of its seed: each episode begins with a seed of its own, and `learn` ends the episode that it is in
    as if a time limit had, so that nothing of the environment has to be kept. One that was saved and taken up goes on
    with the same bits on the same machine.

    It learns the values of acting by the mean; ``cvar`` is how it acts on what it has learned.

        >>> import gymnasium
        >>> agent = QRDQN(gymnasium.make("CartPole-v1"), seed=1, n_quantiles=8)
        >>> agent.learn(100)
        >>> agent.quantiles([0.0, 0.0, 0.0, 0.0]).shape
        (2, 8)

    Attributes:
        hyper: its parameters.
        steps, episodes: that it has learned from.
        curve: its learning curve (`learning.qr_dqn.curve`).
        env: the environment.
        learner: what gradient steps change (`learning.qr_dqn.training`).
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int = 0, **hyper: Any) -> None:
        """Args:
        env: the environment.
        seed: from 0 on, of weights, actions, draws and episodes.
        hyper: `Hyper`'s attributes.

        Raises:
            ValueError: an argument is out of range, or the environment has other spaces.
        """
        space, actions = env.observation_space, env.action_space
        if not isinstance(space, gym.spaces.Box):
            raise ValueError(
                f"env: observations are {type(space).__name__}; Box is what QRDQN sees, wrap the environment"
            )
        if not isinstance(actions, gym.spaces.Discrete):
            raise ValueError(f"env: actions are {type(actions).__name__}; Discrete is what QRDQN takes")
        unknown = set(hyper) - set(Hyper.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{min(unknown)}: is no parameter; there are {', '.join(Hyper.__dataclass_fields__)}")
        self.env = env
        self._first_action = int(actions.start)
        self._actions, self._inputs = int(actions.n), int(np.prod(space.shape))
        self._begin(as_count("seed", seed, 0, (1 << 63) - 1), Hyper(**hyper))

    def _begin(self, seed: int, hyper: Hyper) -> None:
        self.seed, self.hyper = seed, hyper
        self.steps = self.episodes = 0
        self.curve: list[Point] = []
        self._rng = np.random.default_rng(seed)
        self._replay = Replay(self._inputs, hyper)
        params = initial(self._rng, self._inputs, hyper.hidden, self._actions * hyper.n_quantiles)
        self.learner = training.start(params, hyper)
        self._train = _compiled(hyper, self._actions)
        self._returns: list[float] = []  # of the last episodes
        self._losses: list[float] = []  # since the last point of the curve
        self._look()

    def learn(
        self,
        steps: int,
        *,
        path: Path | str | None = None,
        save_every: int = 10_000,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Take steps in the environment and learn from them.

        Args:
            steps: how many.
            path: a folder that the agent is saved to, at the first end of an episode after every ``save_every`` steps,
                and at the end. What was saved, taken up and taught for the steps that were left, is what it would have
                become without a break.
            save_every: steps.
            progress: is given a line about every 1 000 steps.

        Raises:
            ValueError: an argument is out of range, or the environment gave a number that is not finite.
            TickwaxError: learning diverged, or the agent cannot be saved.
        """
        end = self.steps + as_count("steps", steps, 0)
        saved = self.steps
        every = as_count("save_every", save_every, 1)
        while self.steps < end:
            self._episode(end, progress)
            if path is not None and (self.steps >= saved + every or self.steps == end):
                self.save(path)
                saved = self.steps

    def _episode(self, end: int, progress: Callable[[str], None] | None) -> None:
        """One episode, or what of it there is until ``end``."""
        hyper = self.hyper
        seed = np.random.SeedSequence([self.seed, self.episodes]).generate_state(1)[0]
        observation = self._seen(self.env.reset(seed=int(seed))[0])
        total, ended = 0.0, False
        while not ended:
            action = self._explore(observation)
            after, reward, terminated, truncated, _ = self.env.step(self._first_action + action)
            self.steps += 1
            ended = terminated or truncated
            following, paid = self._seen(after), as_number("reward", reward)
            self._replay.add(observation, action, paid, following, bool(terminated), bool(ended or self.steps == end))
            observation, total = following, total + paid
            if self.steps >= hyper.learning_starts and self.steps % hyper.train_every == 0 and len(self._replay):
                self._learn_from_replay()
            if self.steps % _POINT_EVERY == 0:
                self._note(progress)
            if self.steps == end:
                break
        self.episodes += 1
        if ended:
            self._returns = [*self._returns, total][-_LAST_EPISODES:]

    def _explore(self, observation: Float32s) -> int:
        if self._rng.random() < self.hyper.epsilon(self.steps):
            return int(self._rng.integers(self._actions))
        return self._best(observation)

    def _learn_from_replay(self) -> None:
        drawn = self._replay.draw(self._rng, self.hyper.gradient_steps)
        self.learner, losses = self._train(self.learner, drawn.transitions, jnp.asarray(drawn.weight))
        found = np.asarray(losses)
        if not np.isfinite(found).all():
            raise TickwaxError(f"learning_rate: {self.hyper.learning_rate:g} made the loss infinite; set a lower one")
        self._replay.found(drawn.rows, found)
        self._losses.append(float(found.mean()))
        self._look()

    def _look(self) -> None:
        """The mean of an action's quantiles is linear in the last layer: that of its weights is enough to act."""
        layers = [(np.asarray(weights), np.asarray(bias)) for weights, bias in self.learner.params]
        weights, bias = layers[-1]
        shape = (self._actions, self.hyper.n_quantiles)
        self._layers = layers[:-1]
        self._mean_weights = weights.reshape(len(weights), *shape).mean(axis=2, dtype=np.float64)
        self._mean_bias = bias.reshape(shape).mean(axis=1, dtype=np.float64)

    def _best(self, observation: Float32s) -> int:
        """The action with the highest mean, counted from 0."""
        x = observation
        for weights, bias in self._layers:
            x = np.maximum(x @ weights + bias, 0.0)
        return int((x @ self._mean_weights + self._mean_bias).argmax())

    def act(self, observation: npt.ArrayLike, cvar: float = 1.0) -> int:
        """The action with the best mean of its lowest returns.

        Args:
            observation: as the environment gives it.
            cvar: share of returns that count, the lowest; 1: all, the mean.

        Raises:
            ValueError: ``cvar`` is outside 0 (excluded) to 1, or the observation has another shape, or not finite
                numbers.
        """
        share = as_number("cvar", cvar)
        if not 0 < share <= 1:
            raise ValueError(f"cvar: {cvar} is outside 0 (excluded) to 1")
        if share == 1.0:
            return self._first_action + self._best(self._seen(observation))
        return self._first_action + int(conditional_value(self.quantiles(observation), share).argmax())

    def quantiles(self, observation: npt.ArrayLike) -> Float64s:
        """Quantiles of each action's return, rising, the i-th at ``(i + ½)/N``; shape ``(actions, N)``.

        The order is restored by sorting, which never takes them farther from the true ones (Chernozhukov,
        Fernández-Val & Galichon 2010).

        Raises:
            ValueError: the observation has another shape, or not finite numbers.
        """
        learner = self.learner
        said = _said(learner.params, learner.scale, self._seen(observation), self._actions)
        return np.sort(np.asarray(said, np.float64), axis=1)

    def _seen(self, observation: npt.ArrayLike) -> Float32s:
        flat = as_array("observation", np.ravel(observation))
        if len(flat) != self._inputs:
            raise ValueError(f"observation: has {len(flat)} numbers; the environment's have {self._inputs}")
        return flat.astype(np.float32)

    def _note(self, progress: Callable[[str], None] | None) -> None:
        scale = self.learner.scale
        self.curve.append(
            Point(
                self.steps, int(self.learner.steps), self.episodes, _mean(self._returns), _mean(self._losses),
                self.hyper.epsilon(self.steps), float(scale.mean), float(scale.deviation),
            )
        )  # fmt: skip
        self._losses = []
        if progress is not None:
            progress(str(self.curve[-1]))

    def save(self, path: Path | str) -> None:
        """Write the agent, and all that it needs to go on learning; the folder is replaced whole.

        Raises:
            TickwaxError: the folder holds something else, or cannot be written.
        """
        card = {
            "seed": self.seed,
            "hyper": asdict(self.hyper),
            "inputs": self._inputs,
            "actions": self._actions,
            "first_action": self._first_action,
            "steps": self.steps,
            "episodes": self.episodes,
            "returns": self._returns,
            "losses": self._losses,
            "generator": self._rng.bit_generator.state,
            "environment": about() if (about := getattr(self.env.unwrapped, "about", None)) else None,
            "packages": {name: importlib.metadata.version(name) for name in ("jax", "optax", "numpy")},
        }
        learned = {**training.leaves(self.learner), **self._replay.arrays()}
        folder.write(Path(path), card, training.weights(self.learner), learned, curve.written(self.curve))

    def load(self, path: Path | str) -> "QRDQN":
        """Become the agent of a folder, with its seed and parameters; returns itself.

        Raises:
            TickwaxError: the folder holds no agent, or one of another environment.
            DamagedError: a file is not what was written.
        """
        place = Path(path)
        card, _, arrays, points = folder.read(place)
        mine = {"inputs": self._inputs, "actions": self._actions, "first_action": self._first_action}
        for name, value in mine.items():
            if card.get(name) != value:
                raise TickwaxError(f"{place}: {name} of its environment: {card.get(name)}; of this one: {value}")
        try:
            self._begin(card["seed"], Hyper(**{**card["hyper"], "hidden": tuple(card["hyper"]["hidden"])}))
            self.steps, self.episodes = card["steps"], card["episodes"]
            self._returns, self._losses = card["returns"], card["losses"]
            self._rng.bit_generator.state = card["generator"]
            self._replay.take_up(arrays)
            self.learner = training.rebuilt(arrays, self.learner)
        except (KeyError, TypeError, ValueError) as e:
            raise DamagedError(f"{place}: its parts do not fit together: {e}", place) from None
        self.curve = curve.read(points)
        self._look()
        return self


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


@lru_cache(maxsize=32)
def _compiled(hyper: Hyper, actions: int) -> training.Steps:
    return training.gradient_steps(hyper, actions)


@partial(jax.jit, static_argnums=3)
def _said(params: Params, scale: Scale, observation: Float32s, actions: int) -> jax.Array:
    """Quantiles of one observation as values, shape ``(actions, N)``."""
    return scale.mean + scale.deviation * forward(params, jnp.asarray(observation)[None], actions)[0]
