"""The served network against the one that learns, and against itself."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from learning.qr_dqn import QRDQN
from learning.qr_dqn.network import forward, initial
from learning.qr_dqn.risk import conditional_value
from operators.models.qr_dqn import QuantilePolicy
from tests.learning.environments import ring

ACTIONS, N = 3, 40


def arrays(seed: int, hidden: tuple[int, ...] = (32, 16), inputs: int = 6) -> dict[str, Any]:
    params = initial(np.random.default_rng(seed), inputs, hidden, ACTIONS * N)
    named: dict[str, Any] = {"scale.mean": np.float32(200.0), "scale.deviation": np.float32(30.0)}
    for number, (weights, bias) in enumerate(params):
        named[f"layer.{number}.weights"] = np.asarray(weights)
        named[f"layer.{number}.bias"] = np.asarray(bias) + np.float32(0.1)
    return named


@pytest.mark.parametrize("hidden", [(), (5,), (32, 16), (16, 8, 24)])
def test_quantiles_are_those_of_the_network_that_learns(hidden: tuple[int, ...]) -> None:
    named = arrays(1, hidden)
    rows = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    params = tuple(
        (jnp.asarray(named[f"layer.{i}.weights"]), jnp.asarray(named[f"layer.{i}.bias"]))
        for i in range(len(hidden) + 1)
    )
    expected = np.sort(np.asarray(200.0 + 30.0 * forward(params, jnp.asarray(rows), ACTIONS)), axis=2)
    got = QuantilePolicy(named, ACTIONS).quantiles(rows)
    assert got.shape == (50, ACTIONS, N)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 20), st.sampled_from([1.0, 0.5, 0.25, 0.03, 0.01]))
def test_a_row_alone_has_the_bits_that_it_has_among_others(seed: int, rows: int, cvar: float) -> None:
    policy = QuantilePolicy(arrays(3), ACTIONS)
    observations = np.random.default_rng(seed).normal(size=(rows, 6))
    together, chosen = policy.quantiles(observations), policy.act(observations, cvar)
    for r in range(rows):
        assert policy.quantiles(observations[r]).tobytes() == together[r].tobytes()
        assert policy.act(observations[r], cvar) == chosen[r]
        assert (np.diff(together[r]) >= 0).all()
        values = conditional_value(together[r], cvar)
        assert values[chosen[r]] == pytest.approx(values.max(), rel=1e-12)


def test_a_saved_agent_is_served(tmp_path: Path) -> None:
    agent = QRDQN(ring(8.3), seed=1, hidden=(16,), n_quantiles=10, learning_starts=50, epsilon_end=1.0)
    agent.learn(200, path=tmp_path / "agent")
    policy = QuantilePolicy(load_file(tmp_path / "agent" / "weights.safetensors"), 2)
    assert (policy.inputs, policy.n_quantiles) == (5, 10)
    for state in np.eye(5):
        expected = agent.quantiles(state)
        np.testing.assert_allclose(policy.quantiles(state), expected, rtol=1e-5, atol=1e-5)
        for cvar in (1.0, 0.25):
            values = conditional_value(expected, cvar)
            if abs(values[0] - values[1]) > 1e-4:
                assert policy.act(state, cvar) == agent.act(state, cvar)


def test_a_network_without_hidden_layers_by_hand() -> None:
    named = {
        "layer.0.weights": np.array([[1.0, 0.0, -2.0, 0.0]]), "layer.0.bias": np.array([0.0, 1.0, 0.0, 0.5]),
        "scale.mean": np.array(10.0), "scale.deviation": np.array(2.0),
    }  # fmt: skip
    policy = QuantilePolicy(named, 2, first_action=4)
    assert policy.quantiles([3.0]).tolist() == [[12.0, 16.0], [-2.0, 11.0]]
    assert policy.act([3.0]) == 4
    assert policy.act([-1.0]) == 5  # 8, 12 against 11, 14
    assert policy.act([[3.0], [-1.0]], cvar=0.5).tolist() == [4, 5]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"layer.0.bias": None}, r"layer.0.bias: missing"),
        ({"layer.0.weights": None}, r"layer.0.weights: missing"),
        ({"scale.mean": None}, r"scale.mean: missing"),
        ({"scale.deviation": np.array(np.nan)}, r"scale.deviation: "),
        ({"layer.1.weights": np.zeros((9, 9))}, r"layer.1.weights: shape \(9, 9\)"),
        ({"layer.2.bias": np.zeros(7)}, r"layer.2.weights: shape"),
    ],
)
def test_what_is_no_network_is_refused(change: dict[str, Any], text: str) -> None:
    named = {name: array for name, array in {**arrays(1), **change}.items() if array is not None}
    with pytest.raises(ValueError, match=f"^{text}"):
        QuantilePolicy(named, ACTIONS)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^actions: 7"):
        QuantilePolicy(arrays(1), 7)
    policy = QuantilePolicy(arrays(1), ACTIONS)
    for call, text in (
        (lambda: policy.act(np.zeros(5)), "observations: have 5"),
        (lambda: policy.act(np.full(6, np.nan)), "observations: nan"),
        (lambda: policy.act(np.zeros(6), cvar=0.0), "cvar: 0"),
    ):
        with pytest.raises(ValueError, match=f"^{text}"):
            call()
