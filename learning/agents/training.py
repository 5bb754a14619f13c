"""Trains the networks of an agent, one after the other, and finds out what doubt is usual among them."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from learning.agents.plan import AgentPlan, Rows, Scaling, restricted, scaling
from learning.environment.recording import Recording
from learning.environment.trading import Trading
from learning.qr_dqn import QRDQN, training
from learning.qr_dqn.curve import Point
from learning.work import QUIET, Work
from operators.models.agent import TARGETS, AgentModel
from operators.models.qr_dqn import QuantilePolicy
from sources.errors import TickwaxError
from sources.tape.batch import Float64s

_SAVE_EVERY = 5_000  # steps
_TELL_EVERY = 5.0  # s


class TrainedMembers(NamedTuple):
    """What was learned from some decisions."""

    arrays: list[dict[str, Any]]  # of each network
    scaling: Scaling
    most_doubt: float  # infinite: no gate
    curves: list[list[Point]]  # of each network

    def model(self, recording: Recording, plan: AgentPlan) -> AgentModel:
        """The same, ready to decide."""
        nets = tuple(QuantilePolicy(arrays, len(TARGETS)) for arrays in self.arrays)
        mean, scale = self.scaling
        columns = recording.columns
        most = self.most_doubt
        return AgentModel(columns, mean, scale, plan.size, recording.step_ns, plan.cvar, most, nets, doubt=plan.doubt)


class Clock:
    """How far many trainings are, and how long the rest may take."""

    def __init__(self, trainings: int, steps: int, say: Callable[[str], None]) -> None:
        self._total, self._steps, self._trainings, self._say = trainings * steps, steps, trainings, say
        self._done, self._began, self._told, self._before = 0, 0.0, 0.0, 0

    def begin(self, done: int) -> None:
        """A training begins, of whose steps so many were done by a run before this."""
        now = time.monotonic()
        if not self._began:
            self._began = self._told = now
        self._before += done

    def tell(self, done: int, point: str) -> None:
        """Of the training that runs so many steps are done; says a line now and then."""
        now = time.monotonic()
        if now - self._told < _TELL_EVERY:
            return
        self._told = now
        whole = self._done + done
        left = (now - self._began) / max(whole - self._before, 1) * (self._total - whole)
        number = self._done // self._steps + 1
        span = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
        self._say(f"network {number} of {self._trainings}: {point}; {span} left")

    def end(self) -> None:
        """A training has ended."""
        self._done += self._steps


def train_members(
    recording: Recording, rows: Rows, plan: AgentPlan, split: int, clock: Clock, work: Work = QUIET
) -> TrainedMembers:
    """Train the networks of an agent on some decisions, and on no others.

    Args:
        split: number of the split; of the seeds.
        work: with a folder, each network goes on from what a killed run left there.

    Raises:
        TickwaxError: learning diverged, a checkpoint cannot be written, or no step leads from a decision to another.
    """
    own, about = restricted(recording, rows), scaling(recording, rows)
    arrays, curves = [], []
    for member in range(plan.members):
        seed = int(np.random.SeedSequence([plan.seed, split, member]).generate_state(1)[0])
        try:
            env = Trading(own, plan.task(about))
        except ValueError as e:
            raise TickwaxError(f"agent.{e}" if str(e).startswith("size") else f"tape.path: {e}") from None
        agent = QRDQN(env, seed, **_fields(plan))
        folder = None
        if work.checkpoints is not None:
            folder = work.checkpoints / _identity(own, about, plan, seed)
            agent = _taken_up(agent, folder, plan.steps)
        clock.begin(agent.steps)
        progress = _Told(agent, clock)
        try:
            agent.learn(plan.steps - agent.steps, path=folder, save_every=_SAVE_EVERY, progress=progress)
        except ValueError as e:
            raise TickwaxError(f"agent.size: {plan.size:g}: {e}") from None
        clock.end()
        arrays.append(training.weights(agent.learner))
        curves.append(agent.curve)
    found = TrainedMembers(arrays, about, np.inf, curves)
    return found._replace(most_doubt=_usual_doubt(own, rows, found.model(recording, plan), plan))


class _Told:
    def __init__(self, agent: QRDQN, clock: Clock) -> None:
        self._agent, self._clock = agent, clock

    def __call__(self, line: str) -> None:
        self._clock.tell(self._agent.steps, line)


def _fields(plan: AgentPlan) -> dict[str, Any]:
    return asdict(plan.hyper())


def _taken_up(agent: QRDQN, folder: Path, steps: int) -> QRDQN:
    """The agent as a run that was killed left it; a folder that is damaged is begun anew."""
    try:
        if folder.exists():
            agent.load(folder)
        if agent.steps <= steps:
            return agent
    except TickwaxError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return QRDQN(agent.env, agent.seed, **asdict(agent.hyper))


def _identity(recording: Recording, about: Scaling, plan: AgentPlan, seed: int) -> str:
    """What decides the weights: decisions, numbers chosen, and the libraries."""
    chosen = [asdict(plan), seed, recording.columns, recording.step_ns, str(recording.grid), str(recording.execution)]
    sums = hashlib.sha256(json.dumps([*chosen, jax.__version__, optax.__version__], default=str).encode())
    doubt = () if recording.doubt is None else (recording.doubt,)
    for array in (
        recording.features,
        recording.segment,
        recording.mid,
        recording.price,
        recording.size,
        *about,
        *doubt,
    ):
        sums.update(np.ascontiguousarray(array).tobytes())
    return sums.hexdigest()[:16]


def _usual_doubt(recording: Recording, rows: Rows, model: AgentModel, plan: AgentPlan) -> float:
    """The quantile of the doubt over the decisions that were trained on, met as the agent itself would go."""
    if plan.max_epistemic >= 1.0 or (plan.members == 1 and not plan.doubt):
        return float(np.inf)
    if plan.doubt:
        return foretold_doubt(recording, rows, plan)
    doubts = doubts_of(recording, rows, model, plan)
    return float(np.quantile(doubts, plan.max_epistemic))


def foretold_doubt(recording: Recording, rows: Rows, plan: AgentPlan) -> float:
    """The quantile of a forecast's doubt over some decisions; where it is not known, it does not count.

    Raises:
        TickwaxError: it is not known at any of them.
    """
    assert recording.doubt is not None
    known = recording.doubt[rows]
    known = known[np.isfinite(known)]
    if not len(known):
        raise TickwaxError(
            f"agent.doubt: {plan.doubt!r} is not known at any decision: the model has no doubt to tell, or the tape is "
            "too short for the features that it looks at"
        )
    return float(np.quantile(known, plan.max_epistemic))


def doubts_of(recording: Recording, rows: Rows, model: AgentModel, plan: AgentPlan) -> Float64s:
    """The doubt at each decision from which a step leads on, the agent going its own way; shape ``(decisions,)``.

    Args:
        recording: `restricted` to ``rows``.
    """
    env = Trading(recording, plan.task(Scaling(model.mean, model.scale)), episode=len(recording))
    found: list[float] = []
    last = recording.last
    for start in _first(recording, rows):
        seen, _ = env.reset(options={"start": int(start)})
        over = last[start] == start
        while not over:
            choice = model.choose(seen)
            found.append(choice.doubt)
            seen, _, _, over, _ = env.step(np.int64(choice.action))
    return np.array(found)


def _first(recording: Recording, rows: Rows) -> Sequence[int]:
    """The first decision of every segment from which a step leads on."""
    begins = np.flatnonzero(np.diff(recording.segment, prepend=recording.segment[0] - 1))
    chosen: list[int] = begins[(recording.last[begins] > begins) & np.isin(begins, rows)].tolist()
    return chosen
