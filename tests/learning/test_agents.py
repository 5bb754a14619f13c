"""Agents that are trained on some decisions of a recording: what they may see, the doubt between them, breaks."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning.agents.plan import Blocks, ends, need, restricted, scaling, splitter
from learning.agents.training import TrainedMembers, doubts_of, foretold_doubt, train_members
from learning.environment.recording import Recording
from learning.environment.trading import Trading
from learning.qr_dqn import QRDQN
from learning.work import Work
from operators.models.agent import TARGETS, AgentModel
from operators.models.qr_dqn import QuantilePolicy
from sources.errors import TickwaxError
from tests.learning.agents import planted, poisoned, silent, tiny
from tests.learning.test_qr_dqn_served import arrays

PLAN = tiny()


@pytest.fixture(scope="module")
def recording() -> Recording:
    return planted(0.8, 3, 240, 1.0)


@pytest.fixture(scope="module")
def rows(recording: Recording) -> Any:
    return np.flatnonzero((np.arange(len(recording)) // 40) % 2 == 0)


@pytest.fixture(scope="module")
def found(recording: Recording, rows: Any) -> TrainedMembers:
    return train_members(recording, rows, PLAN, 0, silent())


def bits(found: TrainedMembers) -> list[bytes]:
    return [found.most_doubt.hex().encode(), *(a.tobytes() for one in found.arrays for a in one.values())]


def test_no_step_leaves_the_decisions_that_are_trained_on(recording: Recording, rows: Any) -> None:
    own = restricted(recording, rows)
    inside = np.isin(np.arange(len(recording)), rows)
    for row, last in enumerate(own.last):
        assert inside[row : last + 1].all() or last == row
        assert (recording.segment[row : last + 1] == recording.segment[row]).all()
    assert (own.last > np.arange(len(own))).sum() == sum(inside[1:] & inside[:-1])


def test_what_is_not_trained_on_changes_no_bit(recording: Recording, rows: Any, found: TrainedMembers) -> None:
    """The doubt that is usual is of the training, too. The last decision of a block meets nothing that it pays for."""
    others = np.setdiff1d(np.arange(len(recording)), rows)
    assert bits(train_members(poisoned(recording, others), rows, PLAN, 0, silent())) == bits(found)
    assert bits(train_members(poisoned(recording, rows[5:9]), rows, PLAN, 0, silent())) != bits(found)


def test_blocks_are_purged_of_what_leads_into_a_test(recording: Recording) -> None:
    until = ends(recording)
    for training, test in splitter(recording, 4, 2, "0s").split(recording.ts):
        for row in test[np.append(True, np.diff(test) > 1)]:
            assert not ((recording.ts[training] < recording.ts[row]) & (until[training] >= recording.ts[row])).any()
    with pytest.raises(TickwaxError, match=r"^train\.blocks: "):
        splitter(recording, 1000, 2, "0s")
    with pytest.raises(TickwaxError, match=r"^tape\.path: 3 decisions are left for training, .* at least 100"):
        need(Blocks(np.arange(3), np.arange(50)))


def test_columns_that_tell_nothing_are_left_as_they_are(recording: Recording, rows: Any) -> None:
    mean, scale = scaling(recording, rows)
    np.testing.assert_allclose(mean, np.nanmean(recording.features[rows], axis=0))
    np.testing.assert_allclose(scale, np.nanstd(recording.features[rows], axis=0))
    flat = planted(0.8, 3, 20, 1.0)
    flat.features.flags.writeable = True
    flat.features[:, 0], flat.features[:, 1] = np.nan, 7.0
    mean, scale = scaling(flat, np.arange(20))
    assert (mean[:2].tolist(), scale[:2].tolist()) == ([0.0, 7.0], [1.0, 1.0])


@pytest.mark.parametrize("members", [1, 2, 5])
def test_the_doubt_is_the_deviation_of_advantages(members: int) -> None:
    nets = tuple(QuantilePolicy(arrays(seed), 3) for seed in range(members))
    model = AgentModel(("x", "y"), np.zeros(2), np.ones(2), 1.0, 1, 0.3, math.inf, nets)
    for seen in np.random.default_rng(5).normal(size=(20, 6)):
        said = np.stack([net.quantiles(seen) for net in nets])
        means = said.mean(axis=2)
        choice = model.choose(seen)
        assert choice.doubt == pytest.approx((means - means[:, 1:2]).std(axis=0).max(), abs=1e-12)
        together = said.mean(axis=0)
        n = together.shape[1]
        weights = np.clip(0.3 * n - np.arange(n), 0, 1)
        assert choice.action == int((together * weights).sum(axis=1).argmax())
        assert model.choose(seen, 1.0).action == int(together.mean(axis=1).argmax())


def test_in_doubt_nothing_is_opened(found: TrainedMembers, recording: Recording) -> None:
    free = found._replace(most_doubt=math.inf).model(recording, PLAN)
    held_back = found._replace(most_doubt=-1.0).model(recording, PLAN)
    wanted = set()
    for seen in np.random.default_rng(6).normal(size=(200, 8)):
        target = free.target(seen, 0)
        wanted.add(target)
        assert target == TARGETS[free.choose(seen).action]
        assert held_back.target(seen, 0) == 0
        for held in (-1, 1):
            assert held_back.target(seen, held) == (target if target in (0, held) else 0)
    assert wanted - {0}


def test_a_forecast_can_tell_the_doubt(recording: Recording, rows: Any, found: TrainedMembers) -> None:
    """Its quantile in training is the gate; where it is not known, nothing is opened."""
    told = np.where(np.arange(len(recording)) % 7 == 0, np.nan, np.arange(len(recording), dtype=float))
    plan, with_doubt = replace(PLAN, doubt="forecast_epistemic_1s"), replace(recording, doubt=told)
    most = foretold_doubt(with_doubt, rows, plan)
    assert most == np.nanquantile(told[rows], 0.95)
    own = found._replace(most_doubt=most).model(recording, plan)
    assert own.doubt == plan.doubt
    for seen in np.random.default_rng(6).normal(size=(50, 8)):
        target = TARGETS[own.choose(seen).action]
        assert own.target(seen, 0, foretold=most) == target
        assert own.target(seen, 0, foretold=most * 1.01) == own.target(seen, 0) == 0
        assert own.target(seen, 1, foretold=most * 1.01) == (target if target in (0, 1) else 0)
    with pytest.raises(TickwaxError, match=r"^agent\.doubt: 'forecast_epistemic_1s' is not known at any decision"):
        foretold_doubt(replace(recording, doubt=np.full(len(recording), np.nan)), rows, plan)


def test_the_gate_is_a_quantile_of_the_doubt_in_training(
    recording: Recording, rows: Any, found: TrainedMembers
) -> None:
    own = restricted(recording, rows)
    doubts = doubts_of(own, rows, found.model(recording, PLAN), PLAN)
    assert len(doubts) == (own.last > np.arange(len(own))).sum()
    assert (doubts > found.most_doubt).mean() == pytest.approx(0.05, abs=0.02)
    assert (doubts > 0).all()
    for more in ({"max_epistemic": 1.0}, {"members": 1}):
        assert train_members(recording, rows, tiny(**more), 0, silent()).most_doubt == math.inf


def test_a_kill_changes_no_bit(
    recording: Recording, rows: Any, found: TrainedMembers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learning.agents.training._SAVE_EVERY", 150)
    save, saved = QRDQN.save, []

    def killed(agent: QRDQN, path: Path) -> None:
        save(agent, path)
        saved.append(agent.steps)
        if len(saved) in (1, 4):  # in the middle of the first network, and at the end of it
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(QRDQN, "save", killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                train_members(recording, rows, PLAN, 0, silent(), Work(tmp_path))
    assert 0 < saved[0] < 400
    assert bits(train_members(recording, rows, PLAN, 0, silent(), Work(tmp_path))) == bits(found)
    for file in tmp_path.rglob("learner.safetensors"):
        file.write_bytes(b"damaged")
    assert bits(train_members(recording, rows, PLAN, 0, silent(), Work(tmp_path))) == bits(found)


def test_seed_and_split_decide(recording: Recording, rows: Any, found: TrainedMembers) -> None:
    assert bits(train_members(recording, rows, PLAN, 1, silent())) != bits(found)
    first, second = (found.arrays[member]["layer.0.weights"] for member in (0, 1))
    assert (first != second).any()


def test_time_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from learning.agents.training import Clock

    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    said: list[str] = []
    clock = Clock(3, 1000, said.append)
    clock.begin(0)
    now[0] += 10
    clock.tell(500, "point")
    clock.end()
    clock.begin(200)  # of a run before this one
    now[0] += 10
    clock.tell(700, "more")
    clock.tell(800, "too soon")
    assert said == ["network 1 of 3: point; 50 s left", "network 2 of 3: more; 17 s left"]


def test_an_environment_of_it_is_one_of_gymnasium(recording: Recording, rows: Any) -> None:
    env = Trading(restricted(recording, rows), tiny().task())
    seen, _ = env.reset(seed=1)
    assert env.observation_space.contains(seen)
