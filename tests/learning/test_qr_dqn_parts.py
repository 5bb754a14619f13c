"""The parts of QR-DQN, each against its definition: loss, PopArt, sum tree, replay, targets."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.qr_dqn import popart
from learning.qr_dqn.hyper import Hyper
from learning.qr_dqn.loss import quantile_huber
from learning.qr_dqn.network import forward, initial
from learning.qr_dqn.replay import Replay, Transitions
from learning.qr_dqn.risk import conditional_value
from learning.qr_dqn.sum_tree import draw, set_priorities, sum_tree
from learning.qr_dqn.training import start, targets
from operators.models.qr_dqn import QuantilePolicy


def huber_by_definition(quantiles: np.ndarray, wanted: np.ndarray, kappa: float) -> float:
    """Equation 10 of the paper, pair by pair."""
    n = len(quantiles)
    total = 0.0
    for i, theta in enumerate(quantiles):
        for target in wanted:
            u = target - theta
            huber = 0.5 * u * u if abs(u) <= kappa else kappa * (abs(u) - 0.5 * kappa)
            total += abs((i + 0.5) / n - (u < 0)) * huber / kappa / len(wanted)
    return total


@pytest.mark.parametrize("kappa", [1.0, 0.1])
def test_the_loss_is_that_of_the_paper(kappa: float) -> None:
    rng = np.random.default_rng(1)
    said, wanted = rng.normal(size=(3, 7)), rng.normal(size=(3, 5))
    loss, slope = quantile_huber(jnp.asarray(said, jnp.float32), jnp.asarray(wanted, jnp.float32), kappa)
    expected = [huber_by_definition(q, t, kappa) for q, t in zip(said, wanted, strict=True)]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    step = 1e-6
    for row in range(3):
        for i in range(7):
            nudge = step * np.eye(7)[i]
            up, down = (huber_by_definition(said[row] + s * nudge, wanted[row], kappa) for s in (1, -1))
            assert slope[row, i] == pytest.approx((up - down) / (2 * step), abs=1e-5)


def test_the_median_of_two_targets_lies_between_them() -> None:
    _, slope = quantile_huber(jnp.array([[0.5]]), jnp.array([[0.0, 1.0]]), 1.0)
    assert slope.tolist() == [[0.0]]


def served(params: Any, scale: popart.Scale, seen: Any) -> Any:
    """Values that the kernel says."""
    arrays: dict[str, Any] = {"scale.mean": scale.mean, "scale.deviation": scale.deviation}
    for number, (weights, bias) in enumerate(params):
        arrays |= {f"layer.{number}.weights": np.asarray(weights), f"layer.{number}.bias": np.asarray(bias)}
    return QuantilePolicy(arrays, 3).quantiles(seen)


@pytest.mark.parametrize("jump", [100.0, 0.01])
def test_statistics_change_and_outputs_do_not(jump: float) -> None:
    params = initial(np.random.default_rng(0), 6, (16, 16), 3 * 10)
    seen = jnp.asarray(np.random.default_rng(1).normal(size=(50, 6)), jnp.float32)
    old = popart.Scale(jnp.float32(3.0), jnp.float32(4.0), jnp.int32(9))
    new = popart.Scale(old.mean * jump, old.variance * jump**2, jnp.int32(10))
    before = old.mean + old.deviation * forward(params, seen, 3)
    after = new.mean + new.deviation * forward(popart.rescaled(params, old, new), seen, 3)
    largest = float(jnp.abs(before).max())
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * largest)
    # As it is served, in float64, what is left is the rounding of the last layer to float32.
    rescaled = popart.rescaled(params, old, new)
    np.testing.assert_allclose(served(rescaled, new, seen), served(params, old, seen), rtol=0, atol=1e-5)
    untouched = new.mean + new.deviation * forward(params, seen, 3)
    assert float(jnp.abs(untouched - before).max()) > 0.5  # without the second half of PopArt they would


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (20.0, 3.0), (2000.0, 1.0)])
def test_statistics_are_moving_moments(mean: float, deviation: float) -> None:
    """Van Hasselt et al., eq. 6–7, in float64 by mean and mean square."""
    rng = np.random.default_rng(2)
    scale, rate = popart.unit(), 0.1
    mu = nu = 0.0
    for batch in range(200):
        x = rng.normal(mean, deviation, (8, 5)).astype(np.float32).astype(np.float64)
        weight = max(rate, 1 / (batch + 1))
        mu += weight * (x.mean() - mu)
        nu += weight * ((x * x).mean() - nu)
        scale = popart.updated(scale, jnp.asarray(x, jnp.float32), rate)
    assert float(scale.mean) == pytest.approx(mu, rel=1e-5, abs=1e-5)
    assert float(scale.deviation) == pytest.approx(np.sqrt(nu - mu * mu), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=1, max_size=20), st.integers(0, 2**32))
def test_leaves_are_drawn_by_their_share(priorities: list[float], seed: int) -> None:
    tree, n = sum_tree(len(priorities)), len(priorities)
    if sum(priorities) == 0.0:
        priorities[seed % n] = 2.0
    set_priorities(tree, np.arange(n), np.full(n, 9.0))
    set_priorities(tree, np.arange(n), np.array(priorities))
    assert tree[1] == sum(priorities)
    places = np.append(np.random.default_rng(seed).random(30), [0.0, 1 - 2**-53])
    leaves, chance = np.empty(32, np.int64), np.empty(32)
    draw(tree, places, leaves, chance)
    edges = np.cumsum(priorities) / sum(priorities)
    for place, leaf, probability in zip(places, leaves, chance, strict=True):
        assert priorities[leaf] > 0.0
        assert probability == priorities[leaf] / sum(priorities)
        assert (edges[leaf - 1] if leaf else 0.0) - 1e-12 <= place <= edges[leaf] + 1e-12


EPISODES = st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(EPISODES, st.integers(1, 4), st.booleans())
def test_transitions_are_those_of_the_definition(
    episodes: list[tuple[int, bool]], n_step: int, prioritised: bool
) -> None:
    """Sums of up to n rewards; what follows the end of an episode is worth nothing if it terminated."""
    hyper = Hyper(n_step=n_step, discount=0.5, buffer=16, batch=64, prioritised=prioritised)
    replay, expected, at = Replay(1, hyper), [], 0
    for length, terminates in episodes:
        rewards = [float(at + k) for k in range(length)]
        for k in range(length):
            last = k == length - 1
            seen, after = np.float32([at + k]), np.float32([at + k + 1])
            replay.add(seen, k % 3, rewards[k], after, last and terminates, last)
            m = min(n_step, length - k)
            ends = k + m == length
            total = sum(0.5**i * rewards[k + i] for i in range(m))
            expected.append((at + k, k % 3, total, 0.0 if ends and terminates else 0.5**m, at + k + m))
        at += length + 1
    expected = expected[-16:]
    assert len(replay) == len(expected)
    drawn = replay.draw(np.random.default_rng(0), 3)
    assert drawn.rows.shape == (3, 64)
    got = drawn.transitions
    for s in range(3):
        for b in range(64):
            row = (got.observation[s, b, 0], got.action[s, b], got.reward[s, b], got.discount[s, b], got.after[s, b, 0])
            assert tuple(map(float, row)) in expected
    assert (drawn.weight == 1.0).all()  # all priorities are still equal


def test_steps_of_an_episode_that_goes_on_wait() -> None:
    replay = Replay(1, Hyper(n_step=3, discount=0.5, buffer=8, batch=4))
    for k in range(2):
        replay.add(np.float32([k]), 0, 1.0, np.float32([k + 1]), False, False)
    assert len(replay) == 0
    replay.add(np.float32([2]), 0, 1.0, np.float32([3]), False, False)
    assert len(replay) == 1
    (transition,) = {tuple(float(x.ravel()[0]) for x in replay.draw(np.random.default_rng(0), 1).transitions)}
    assert transition == (0.0, 0.0, 1.75, 0.125, 3.0)


def test_a_large_loss_is_drawn_again() -> None:
    replay = Replay(1, Hyper(buffer=8, batch=64, prioritised=True, priority_exponent=1.0, importance_exponent=1.0))
    for k in range(8):
        replay.add(np.float32([k]), 0, 0.0, np.float32([k]), True, True)
    replay.found(np.arange(8)[None], np.float32([[1, 1, 1, 1, 1, 1, 1, 9]]))
    drawn = replay.draw(np.random.default_rng(0), 50)
    share = (drawn.rows == 7).mean()
    assert share == pytest.approx(9 / 16, abs=0.02)
    assert drawn.weight[drawn.rows == 7] == pytest.approx(1 / 9, rel=1e-4)  # what is drawn nine times counts a ninth
    assert drawn.weight[drawn.rows != 7] == pytest.approx(1.0)


@pytest.mark.parametrize("double", [False, True])
def test_targets_value_what_follows(double: bool) -> None:
    hyper, actions, n, batch = Hyper(hidden=(8,), n_quantiles=5), 3, 5, 20
    rng = np.random.default_rng(3)
    learner = start(initial(rng, 4, (8,), actions * n), hyper)._replace(
        target=initial(rng, 4, (8,), actions * n),
        scale=popart.Scale(jnp.float32(7.0), jnp.float32(9.0), jnp.int32(1)),
    )
    after = rng.normal(size=(batch, 4)).astype(np.float32)
    reward, discount = rng.normal(size=batch).astype(np.float32), np.float32([0.0, 0.9] * 10)
    drawn = Transitions(after, np.zeros(batch, np.int32), reward, discount, after)
    got = np.asarray(targets(learner, drawn, actions, double))
    valued, chooses = (
        np.asarray(forward(net, jnp.asarray(after), actions)) for net in (learner.target, learner.params)
    )
    best = (chooses if double else valued).mean(axis=2).argmax(axis=1)
    for b in range(batch):
        expected = reward[b] + discount[b] * (7.0 + 3.0 * valued[b, best[b]])
        np.testing.assert_allclose(got[b], expected, rtol=1e-5)
    assert (got[0] == reward[0]).all()  # a terminated one: nothing follows
    other = (valued if double else chooses).mean(axis=2).argmax(axis=1)
    assert (best != other).any()


def test_the_tail_counts_parts_of_quantiles() -> None:
    quantiles = np.array([[-4.0, 0.0, 2.0, 6.0], [-1.0, 0.0, 0.5, 1.0]])
    assert conditional_value(quantiles, 1.0).tolist() == [1.0, 0.125]
    assert conditional_value(quantiles, 0.25).tolist() == [-4.0, -1.0]
    assert conditional_value(quantiles, 0.1).tolist() == [-4.0, -1.0]
    assert conditional_value(quantiles, 0.625)[0] == pytest.approx((-4.0 + 0.0 + 0.5 * 2.0) / 2.5)


def test_the_network_is_in_single_precision() -> None:
    params = initial(np.random.default_rng(0), 4, (8,), 10)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
