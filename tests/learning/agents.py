"""Agents that are small, and a recording that they learn from."""

from dataclasses import replace
from typing import Any

import numpy as np

from learning.agents.plan import AgentPlan
from learning.agents.training import Clock
from learning.environment.recording import Recording, record
from operators.config import FeatureConfig
from operators.execution.state import ExecutionConfig
from sources.instrument import Instrument
from synthetic.market import SyntheticMarket, synthetic_tape
from synthetic.parameters import parameters_of
from tests.learning.test_environment import grid_of

SECOND = 1_000_000_000
START = 1_767_571_200 * SECOND
COLUMNS = ("ofi_l5_1s", "ofi_l5_5s", "trade_imbalance_1s", "trade_imbalance_5s")
FEATURES = FeatureConfig(windows=(("1s", SECOND), ("5s", 5 * SECOND)))
A = Instrument("okx_swap", "A-USDT-SWAP")


def planted(edge: float, seed: int, seconds: int, taker: float) -> Recording:
    """Decisions on a synthetic market, a second apart."""
    market = SyntheticMarket(A, seed, START, replace(parameters_of(A), edge=edge))
    tape = list(synthetic_tape(market, START + seconds * SECOND))
    execution = ExecutionConfig(taker=taker)
    return record(tape, FEATURES, execution, grid_of(tape), COLUMNS)


def tiny(**more: Any) -> AgentPlan:
    """Learns nothing, and fast."""
    small = {"members": 2, "steps": 400, "hidden": (8,), "n_quantiles": 5, "batch": 16, "episode": 50}
    return AgentPlan(**{"size": 1.0, **small, **more})


def silent(trainings: int = 1, steps: int = 1) -> Clock:
    """Says nothing."""
    return Clock(trainings, steps, lambda line: None)


def poisoned(recording: Recording, rows: Any) -> Recording:
    """The same with other numbers at some decisions, in the book that their orders meet, too."""
    changed = {}
    for name in ("features", "mid", "quote", "spread", "price", "size"):
        array = getattr(recording, name).copy()
        array[rows] = array[rows] * 3.0 + 1.0
        changed[name] = array
    return replace(recording, **changed)


def walk(env: Any, choose: Any) -> tuple[Any, float]:
    """Rewards of one episode from the first decision on, and the share of steps in position."""
    seen, _ = env.reset(options={"start": 0})
    over, rewards, lots = False, [], []
    while not over:
        seen, reward, _, over, told = env.step(np.int64(choose(seen, lots[-1] if lots else 0)))
        rewards.append(reward)
        lots.append(told["lots"])
    return np.array(rewards), float((np.array(lots) != 0).mean())
