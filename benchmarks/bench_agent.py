"""An agent's speed on one core: ``taskset -c 0 python benchmarks/bench_agent.py``.

Gradient rows a second at a batch of 256 and 200 quantiles; steps a second of learning CartPole-v1, the environment
included; a served decision; steps a second of the trading environments, one agent and many, and of one in plain Python.
Each is the fastest of some rounds, by processor time and by the clock on the wall.
"""

from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.plain_trading import PlainTrading
from learning.environment.quoting import Quoting
from learning.environment.quoting_vector import QuotingVector
from learning.environment.recording import record
from learning.environment.trading import Task, Trading
from learning.environment.vector import TradingVector
from learning.qr_dqn import QRDQN, training
from learning.qr_dqn.hyper import Hyper
from learning.qr_dqn.network import initial
from learning.qr_dqn.replay import Transitions
from operators.config import FeatureConfig
from operators.execution.grid import GridSearch
from operators.execution.state import ExecutionConfig
from operators.models.agent import AgentModel
from operators.models.qr_dqn import QuantilePolicy
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from synthetic.market import SyntheticMarket, synthetic_tape

_START = 1_767_571_200 * 10**9
_SECONDS = 600


def fastest(run: Callable[[], Any], rounds: int = 5) -> tuple[float, float]:
    """Seconds of processor time and of wall clock."""
    run()
    taken = []
    for _ in range(rounds):
        wall, cpu = perf_counter(), process_time()
        run()
        taken.append((process_time() - cpu, perf_counter() - wall))
    return min(t[0] for t in taken), min(t[1] for t in taken)


def show(what: str, count: int, unit: str, seconds: tuple[float, float]) -> None:
    cpu, wall = seconds
    print(f"{what:<58}{count / cpu:>14,.0f} {unit}/s of processor time{count / wall:>14,.0f} by the clock", flush=True)


def gradient_rows() -> None:
    inputs, actions, steps = 20, 3, 20
    for hidden in ((64, 64), (128, 128)):
        hyper = Hyper(batch=256, hidden=hidden)
        rng = np.random.default_rng(0)
        learner = training.start(initial(rng, inputs, hidden, actions * hyper.n_quantiles), hyper)
        seen = rng.normal(size=(steps, 256, inputs)).astype(np.float32)
        drawn = Transitions(
            seen, rng.integers(0, actions, (steps, 256)).astype(np.int32), seen[..., 0].copy(),
            np.full((steps, 256), 0.99, np.float32), seen + 1,
        )  # fmt: skip
        weight = jnp.ones((steps, 256))
        run = training.gradient_steps(hyper, actions)
        taken = fastest(lambda: jax.block_until_ready(run(learner, drawn, weight)))  # noqa: B023  # called at once
        show(f"gradient, batch 256, N = 200, hidden {hidden}", steps * 256, "rows", taken)


def learning() -> None:
    """As stable-baselines3's defaults have it: a gradient step of 32 rows every 4 steps, two layers of 64."""
    hyper = {"hidden": (64, 64), "batch": 32, "train_every": 64, "gradient_steps": 16, "learning_starts": 100}
    agent = QRDQN(gym.make("CartPole-v1"), seed=0, **hyper)
    show("learning CartPole-v1, N = 200", 3000, "steps", fastest(lambda: agent.learn(3000), 3))


def deciding() -> None:
    for hidden in ((64, 64), (128, 128), (256, 256)):
        params = initial(np.random.default_rng(0), 20, hidden, 3 * 200)
        arrays = {"scale.mean": np.float32(0), "scale.deviation": np.float32(1)}
        for i, (weights, bias) in enumerate(params):
            arrays |= {f"layer.{i}.weights": np.asarray(weights), f"layer.{i}.bias": np.asarray(bias)}
        policy, rows = QuantilePolicy(arrays, 3), np.random.default_rng(1).normal(size=(1000, 20))
        cpu, wall = fastest(lambda: policy.act(rows, 0.25))  # noqa: B023  # called at once
        print(
            f"a decision, 3 × 200 quantiles, hidden {hidden!s:<18}{cpu * 1e3:>14.1f} µs of processor time"
            f"{wall * 1e3:>14.1f} µs by the clock"
        )


def together() -> None:
    """As `tickwax train qrdqn` makes them: three networks, asked from Python one decision at a time."""
    nets = []
    for seed in range(3):
        params = initial(np.random.default_rng(seed), 20, (64, 64), 3 * 32)
        arrays: dict[str, Any] = {"scale.mean": np.float32(0), "scale.deviation": np.float32(1)}
        for i, (weights, bias) in enumerate(params):
            arrays |= {f"layer.{i}.weights": np.asarray(weights), f"layer.{i}.bias": np.asarray(bias)}
        nets.append(QuantilePolicy(arrays, 3))
    columns = tuple(map(str, range(16)))
    model = AgentModel(columns, np.zeros(16), np.ones(16), 1.0, 1, 0.25, 1.0, tuple(nets))
    rows = np.random.default_rng(1).normal(size=(1000, 20))
    cpu, wall = fastest(lambda: [model.target(row, 0) for row in rows])
    print(f"a decision of 3 networks together, from Python{cpu * 1e3:>26.1f} µs of processor time"
          f"{wall * 1e3:>14.1f} µs by the clock")  # fmt: skip


def _tape() -> tuple[list[TapeBatch], Any]:
    market = SyntheticMarket(Instrument("binance_futures", "BTCUSDT"), 7, _START)
    tape = list(synthetic_tape(market, _START + _SECONDS * 10**9))
    search = GridSearch()
    for batch in tape:
        search.add(batch)
    return tape, search.grid()


def trading() -> None:
    tape, grid = _tape()
    columns = ("ofi_z_l0_1s", "ofi_l0_1s", "bid_price", "ask_price")
    record(tape, FeatureConfig(), ExecutionConfig(), grid, columns)  # compiles, where that has to be
    wall = perf_counter()
    recording = record(tape, FeatureConfig(), ExecutionConfig(), grid, columns)
    rows = sum(batch.rows for batch in tape)
    print(f"recording: {rows:,} tape rows, {len(recording)} decisions, {rows / (perf_counter() - wall):,.0f} rows/s")
    task = Task(size=0.01, episode=500, mean=np.zeros(4), scale=np.ones(4))
    for agents in (64, 1024):
        many = TradingVector([recording], [task], agents)
        many.reset(seed=0)
        actions = np.random.default_rng(0).integers(0, 3, (200, agents))
        taken = fastest(lambda: [many.step(a) for a in actions])  # noqa: B023  # called at once
        show(f"trading, {agents} agents, random targets", 200 * agents, "steps", taken)
    one, plain = Trading(recording, task), PlainTrading(recording, 0.01, 500)
    random = np.random.default_rng(0).integers(0, 3, 400)

    def episode(env: Any) -> None:
        env.reset(options={"start": 0})
        for action in random:
            env.step(action)

    for _ in range(2):  # in turns: the machine is not the same from one minute to the next
        show("trading, one agent, stepped from Python", 400, "steps", fastest(lambda: episode(one)))
        show("the same in plain Python (peers/plain_trading.py)", 400, "steps", fastest(lambda: episode(plain)))


def quoting() -> None:
    tape, grid = _tape()
    columns = ("ofi_z_l0_1s", "ofi_l0_1s")
    recording = record(tape, FeatureConfig(), ExecutionConfig(), grid, columns, resting=True)
    assert recording.calls is not None
    rows, task = len(recording.calls.log.side), Task(size=0.01, episode=500, mean=np.zeros(2), scale=np.ones(2))
    steps = len(recording) - 1
    one, random = Quoting(recording, task, episode=steps), np.random.default_rng(0).integers(0, 17, steps)

    def episode() -> None:
        one.reset(options={"start": 0})
        for action in random:
            one.step(action)

    show(f"quoting, one agent, {rows // steps} tape rows a step", rows, "tape rows", fastest(episode))
    show("the same", steps, "steps", fastest(episode))
    for agents in (16, 64):
        many = QuotingVector([recording], [task], agents)
        many.reset(seed=0)
        actions = np.random.default_rng(0).integers(0, 17, (50, agents))
        taken = fastest(lambda: [many.step(a) for a in actions])  # noqa: B023  # called at once
        show(f"quoting, {agents} agents", 50 * agents, "steps", taken)


if __name__ == "__main__":
    gradient_rows()
    learning()
    deciding()
    together()
    trading()
    quoting()
