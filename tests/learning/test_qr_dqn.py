"""QR-DQN as a whole: known answers, and a break that changes no bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import jax
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from learning.qr_dqn import QRDQN
from sources.errors import DamagedError, TickwaxError
from tests.learning.environments import bandit, chain, ring, solved

SMALL: dict[str, Any] = {
    "hidden": (32,), "n_quantiles": 25, "learning_starts": 100, "train_every": 50, "gradient_steps": 50,
    "target_every": 25, "learning_rate": 3e-3, "learning_rate_end": 1e-4, "learning_rate_steps": 3000,
    "epsilon_end": 1.0, "buffer": 5000,
}  # fmt: skip


def wasserstein(quantiles: np.ndarray, values: list[float], chances: list[float]) -> float:
    """First Wasserstein distance of equally likely numbers and a distribution: the mean distance of their quantiles."""
    levels = (np.arange(20_000) + 0.5) / 20_000
    true = np.array(values)[np.searchsorted(np.cumsum(chances), levels)]
    return float(np.abs(np.sort(quantiles)[(levels * len(quantiles)).astype(int)] - true).mean())


def test_quantiles_of_a_chain_are_those_of_its_returns() -> None:
    """γ = ½: from state 0 returns of 0, 1, 2, 3; from state 1 of 0 and 4. A κ that is small beside the scale, for a
    Huber loss blurs what lies nearer than κ."""
    agent = QRDQN(chain(), seed=1, **{**SMALL, "discount": 0.5, "kappa": 0.02})
    values, chances = [0.0, 1.0, 2.0, 3.0], [0.375, 0.375, 0.125, 0.125]
    first, second = np.eye(2)

    def distances() -> tuple[float, float]:
        return (
            wasserstein(agent.quantiles(first)[0], values, chances),
            wasserstein(agent.quantiles(second)[0], [0.0, 4.0], [0.75, 0.25]),
        )

    before = distances()
    agent.learn(4000)
    after = distances()
    assert min(before) > 0.5
    assert max(after) < 0.15


def test_the_tail_chooses_the_safe_arm() -> None:
    agent = QRDQN(bandit(), seed=2, **SMALL)
    agent.learn(2500)
    assert agent.act([1.0], cvar=1.0) == 1
    assert agent.act([1.0], cvar=0.25) == 0
    assert agent.quantiles([1.0]).shape == (2, 25)
    assert (np.diff(agent.quantiles([1.0])) >= 0).all()


@pytest.mark.parametrize("reward", [8.3, 830.0])
def test_values_of_20_and_of_2000_are_learned_alike(reward: float) -> None:
    """Same parameters: only PopArt knows the scale."""
    env = TimeLimit(ring(reward), 100)
    agent = QRDQN(env, seed=3, **{**SMALL, "discount": 0.9})
    true = solved(ring(reward), 0.9)
    assert 19 < true.max() / (reward / 8.3) < 21
    agent.learn(3500)
    got = np.array([agent.quantiles(state).mean(axis=1) for state in np.eye(5)])
    np.testing.assert_allclose(got, true, atol=0.05 * true.max())
    assert (got.argmax(axis=1) == true.argmax(axis=1)).all()


class Endless(gym.Env[Any, Any]):
    """Pays 1 forever."""

    observation_space = gym.spaces.Box(0.0, 1.0, (1,))
    action_space = gym.spaces.Discrete(2, start=5)

    def __init__(self, terminates: bool) -> None:
        self.terminates = terminates
        self.t = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return np.ones(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in (5, 6)
        self.t += 1
        over = self.t == 4
        return np.ones(1, np.float32), 1.0, over and self.terminates, over and not self.terminates, {}


@pytest.mark.parametrize(("terminates", "low", "high"), [(False, 9.5, 10.5), (True, 1.5, 4.5)])
def test_what_was_cut_off_would_have_gone_on(terminates: bool, low: float, high: float) -> None:
    """γ = 0.9: worth 10 if the fourth step is the limit of an observer, and less than 4 if it is the end."""
    agent = QRDQN(Endless(terminates), seed=4, **{**SMALL, "discount": 0.9, "n_step": 2})
    agent.learn(2000)
    assert low < agent.quantiles([1.0]).mean() < high
    assert agent.act([1.0]) in (5, 6)


def bits(agent: QRDQN) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(agent.learner)]


@pytest.mark.parametrize("prioritised", [False, True])
def test_a_break_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prioritised: bool) -> None:
    hyper = {**SMALL, "prioritised": prioritised, "epsilon_end": 0.1, "epsilon_steps": 500, "n_step": 3}
    env = gym.make("CartPole-v1")
    whole = QRDQN(env, seed=5, **hyper)
    save, copies = QRDQN.save, []

    def save_and_copy(agent: QRDQN, path: Path) -> None:
        save(agent, path)
        copies.append(tmp_path / f"copy-{agent.steps}")
        shutil.copytree(path, copies[-1])

    with monkeypatch.context() as patched:
        patched.setattr(QRDQN, "save", save_and_copy)
        whole.learn(1500, path=tmp_path / "agent", save_every=600)
    assert len(copies) == 3
    # What stands there after a kill, taken up by an agent that begins otherwise, in an environment that was used.
    resumed = QRDQN(gym.make("CartPole-v1"), seed=77).load(copies[0])
    assert 600 <= resumed.steps < 900
    resumed.learn(1500 - resumed.steps)
    assert bits(resumed) == bits(whole)
    assert repr(resumed.curve) == repr(whole.curve)
    assert resumed.episodes == whole.episodes
    finished = QRDQN(env).load(tmp_path / "agent")
    whole.learn(200)
    finished.learn(200)
    assert bits(finished) == bits(whole) != bits(resumed)


def test_the_seed_decides() -> None:
    agents = [QRDQN(chain(), seed=seed, **SMALL) for seed in (1, 1, 2)]
    for agent in agents:
        agent.learn(300)
    assert bits(agents[0]) == bits(agents[1]) != bits(agents[2])


def mean_return(agent: QRDQN, episodes: int) -> float:
    """Of a pole, in episodes that it has not learned from."""
    env, total = gym.make("CartPole-v1"), 0.0
    for episode in range(episodes):
        observation, over = env.reset(seed=10_000 + episode)[0], False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(agent.act(observation))
            total += float(reward)
            over = terminated or truncated
    return total / episodes


@pytest.mark.slow
def test_a_pole_is_balanced_after_few_steps() -> None:
    """A short form of the next one."""
    hyper = {"hidden": (64, 64), "n_quantiles": 25, "n_step": 3, "target_every": 100, "epsilon_steps": 4000}
    agent = QRDQN(gym.make("CartPole-v1"), seed=1, **hyper, learning_rate_steps=4000)
    assert mean_return(agent, 10) < 100
    agent.learn(8000)
    assert mean_return(agent, 10) > 150


@pytest.mark.soak
def test_a_pole_is_balanced_to_the_end() -> None:
    """With the parameters that rl-baselines3-zoo lists for QR-DQN and CartPole-v1, a rate that falls further."""
    hyper = {
        "hidden": (256, 256), "n_quantiles": 10, "learning_rate": 2.3e-3, "learning_rate_steps": 30_000,
        "train_every": 256, "gradient_steps": 128, "target_every": 128, "epsilon_steps": 9600, "epsilon_end": 0.04,
    }  # fmt: skip
    agent = QRDQN(gym.make("CartPole-v1"), seed=1, **hyper)
    agent.learn(60_000)
    assert mean_return(agent, 20) >= 475


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "agent"
    QRDQN(bandit(), seed=9, **SMALL).learn(1000, path=folder)
    return folder


def test_a_folder_has_arrays_and_text_only(saved: Path) -> None:
    names = sorted(file.name for file in saved.iterdir())
    assert names == ["agent.json", "curve.parquet", "learner.safetensors", "weights.safetensors"]
    assert [file.name for file in saved.parent.iterdir()] == ["agent"]
    assert json.loads((saved / "agent.json").read_text())["hyper"]["n_quantiles"] == 25


def test_a_folder_whose_writer_was_killed_between_two_names_is_found(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / ".agent.old")
    assert QRDQN(bandit()).load(tmp_path / "agent").steps == 1000


@pytest.mark.parametrize("name", ["weights.safetensors", "learner.safetensors", "curve.parquet"])
def test_a_changed_byte_is_noticed(saved: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(saved, tmp_path / "agent")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(DamagedError, match=f"{name}: is not what agent.json says"):
        QRDQN(bandit()).load(folder)


def test_what_is_no_agent_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(TickwaxError, match="inputs of its environment: 1; of this one: 2"):
        QRDQN(chain()).load(saved)
    with pytest.raises(TickwaxError, match="holds no agent"):
        QRDQN(bandit()).load(tmp_path)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(TickwaxError, match="holds something that is no agent"):
        QRDQN(bandit(), **SMALL).save(tmp_path)
    broken = shutil.copytree(saved, tmp_path / "agent")
    (broken / "agent.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"agent.json: is not what was written"):
        QRDQN(bandit()).load(broken)


def test_progress_is_told(saved: Path) -> None:
    agent, lines = QRDQN(bandit(), **SMALL), []
    agent.learn(2000, progress=lines.append)
    assert [line.partition(" steps")[0] for line in lines] == ["1,000", "2,000"]
    assert [point.steps for point in agent.curve] == [1000, 2000]
    assert QRDQN(bandit()).load(saved).curve[0].steps == 1000


@pytest.mark.parametrize(
    ("hyper", "text"),
    [
        ({"n_quantiles": 0}, "n_quantiles: 0"), ({"discount": 1.5}, "discount: 1.5"), ({"kappa": 0}, "kappa: 0"),
        ({"doubel": True}, "doubel: is no parameter"), ({"double": 1}, "double: 1"), ({"hidden": (0,)}, "hidden: 0"),
        ({"seed": -1}, "seed: -1"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(hyper: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        QRDQN(bandit(), **hyper)


def test_bad_arguments_are_refused() -> None:
    agent = QRDQN(bandit(), **SMALL)
    for call in (lambda: agent.act([1.0], cvar=0.0), lambda: agent.act([1.0], cvar=1.1)):
        with pytest.raises(ValueError, match=r"^cvar: "):
            call()
    for observation in ([1.0, 2.0], [np.nan], ["x"]):
        with pytest.raises(ValueError, match=r"^observation: "):
            agent.act(observation)
    for name, space in (("observation_space", gym.spaces.Discrete(3)), ("action_space", gym.spaces.Box(0, 1))):
        env = bandit()
        setattr(env, name, space)
        with pytest.raises(ValueError, match=r"^env: "):
            QRDQN(env)
