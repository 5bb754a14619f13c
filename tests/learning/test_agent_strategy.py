"""The strategy ``agent`` in a backtest, against the environment that it was trained in."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from dataflows.assembly.trading import strategy_factory
from dataflows.settings.model import load_settings
from learning.environment.recording import Recording, record
from learning.environment.trading import Trading
from learning.qr_dqn import QRDQN
from operators.config import MS, FeatureConfig
from operators.execution.state import CASH, FEES, ExecutionConfig
from operators.models.qr_dqn import QuantilePolicy
from operators.strategies.agent import Agent
from operators.trade_engine import TradeEngine
from sources.errors import TickwaxError
from sources.tape.batch import TapeBatch
from tests.learning.environments import bandit
from tests.learning.test_environment import COLUMNS, grid_of, sixty_seconds

TINY: dict[str, Any] = {
    "hidden": (16,), "n_quantiles": 10, "learning_starts": 50, "train_every": 50, "gradient_steps": 20, "batch": 32,
    "epsilon_steps": 500,
}  # fmt: skip


@pytest.fixture(scope="module")
def tape() -> list[TapeBatch]:
    return sixty_seconds()


@pytest.fixture(scope="module")
def recording(tape: list[TapeBatch]) -> Recording:
    return record(tape, FeatureConfig(), ExecutionConfig(), grid_of(tape), COLUMNS, step_ns=200 * MS)


@pytest.fixture(scope="module")
def folder(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scales = {"mean": np.nanmean(recording.features, axis=0), "scale": np.nanstd(recording.features, axis=0) + 1e-9}
    path = tmp_path_factory.mktemp("agents") / "agent"
    QRDQN(Trading(recording, size=0.02, **scales), seed=4, **TINY).learn(
        40, path=path
    )  # as it was made: it changes its mind
    return path


@pytest.mark.parametrize("cvar", [1.0, 0.25])
def test_a_backtest_decides_as_the_environment(
    tape: list[TapeBatch],
    recording: Recording,
    folder: Path,
    cvar: float,
) -> None:
    about = json.loads((folder / "agent.json").read_text())["environment"]
    task = {name: about[name] for name in ("size", "mean", "scale")}
    env = Trading(recording, **task, reward="pnl", episode=1_000_000)
    policy = QuantilePolicy(load_file(folder / "weights.safetensors"), 3)
    seen, _ = env.reset(options={"start": 0})
    accounts, over = [], False
    while not over:
        seen, _, _, over, _ = env.step(np.int64(policy.act(seen, cvar)))
        accounts.append((float(env._account.money[CASH]), float(env._account.money[FEES])))
    assert len({fees for _, fees in accounts}) > 5
    strategy = Agent(str(folder), cvar)
    engine = TradeEngine(FeatureConfig(), recording.execution, recording.grid, strategy=strategy)
    equity = np.concatenate([part.equity.value for batch in tape for part in engine.trade(batch)], axis=1)
    np.testing.assert_array_equal(np.array(accounts).T, equity[[1, 4]][:, recording.row[1:]])


def test_it_is_named_in_the_settings(folder: Path) -> None:
    settings = load_settings({"strategy.name": "agent", "strategy.path": str(folder), "strategy.cvar": "0.5"})
    made = strategy_factory(settings)()
    assert isinstance(made, Agent)
    assert made.cvar == 0.5
    assert made.columns == (*COLUMNS, "bid_price", "ask_price")


def test_what_is_no_agent_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^cvar: 0"):
        Agent(str(folder), 0.0)
    with pytest.raises(ValueError, match=r"^path: .*holds no agent"):
        Agent(str(tmp_path))
    other = tmp_path / "other"
    QRDQN(bandit(), **TINY).save(other)
    with pytest.raises(ValueError, match=r"^path: .*is no agent of tickwax/Trading-v0"):
        Agent(str(other))
    broken = shutil.copytree(folder, tmp_path / "broken")
    data = bytearray((broken / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (broken / "weights.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"^path: .*is not what agent.json says"):
        Agent(str(broken))
    with pytest.raises(TickwaxError, match=r"^strategy.path: "):
        strategy_factory(load_settings({"strategy.name": "agent", "strategy.path": str(tmp_path / "none")}))
