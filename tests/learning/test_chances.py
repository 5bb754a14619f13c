"""Chances of the barrier's classes: their scores, baselines and verdicts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from learning.evaluation.chances import (
    LOGISTIC,
    SHARES,
    class_baselines,
    class_shares,
    judged_chances,
    logistic,
    reliability,
    scores,
)
from learning.evaluation.evaluate import evaluate
from learning.rows import TrainingRows
from learning.training import Plan
from sources.instrument import Instrument

SECOND = 1_000_000_000
PLAN = Plan(
    kind="gbm", blocks=4, test_blocks=1,
    parameters={"rounds": 5, "num_leaves": 7, "learning_rate": 0.2, "min_data_in_leaf": 50, "classes": True},
)  # fmt: skip


def true_chances(x: np.ndarray) -> np.ndarray:
    scale = np.exp(np.stack([-1.5 * x, np.zeros(len(x)), 1.5 * x], axis=1))
    return scale / scale.sum(axis=1, keepdims=True)


def market(n: int, seed: int, instruments: int = 1, edge: float = 1.0) -> TrainingRows:
    """Rows whose classes follow the first of two inputs; labels do not overlap."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n, 2))
    chances = true_chances(edge * inputs[:, 0])
    barrier = (random.random((n, 1)) > np.cumsum(chances, axis=1)[:, :2]).sum(axis=1) - 1
    ts = np.arange(n) * SECOND
    return TrainingRows(
        columns=("ofi_l1_1s", "volatility"),
        horizons=("1s",),
        latency="0ms",
        features={},
        own={},
        instruments=tuple(Instrument("okx_swap", f"A{i}") for i in range(instruments)),
        instrument=np.arange(n) % instruments,
        ts=ts,
        end=ts + SECOND // 2,
        ordinal=np.arange(n),
        group=np.zeros(n, np.int64),
        inputs=inputs,
        returns=random.normal(size=(n, 1)),
        weight=np.ones(n),
        barrier=barrier,
        labels={"barrier.horizon": "500ms"},
    )


def test_scores_are_those_of_another_library():
    rows = market(600, 1)
    said = np.random.default_rng(2).dirichlet([2, 1, 2], 600)
    shares = np.broadcast_to([0.2, 0.3, 0.5], said.shape)
    found = scores(rows.barrier, said, shares, np.arange(600))
    assert found.log_loss.value == pytest.approx(log_loss(rows.barrier, said, labels=[-1, 0, 1]))
    nothing = log_loss(rows.barrier, shares, labels=[-1, 0, 1])
    assert found.log_loss_skill.value == pytest.approx(1 - found.log_loss.value / nothing)
    brier = sum(brier_score_loss(rows.barrier == k, said[:, k + 1]) for k in (-1, 0, 1))
    assert found.brier.value == pytest.approx(brier)
    assert found.accuracy.value == accuracy_score(rows.barrier, said.argmax(axis=1) - 1)
    of_rows = np.log(said[np.arange(600), rows.barrier + 1])
    assert found.log_loss.error == pytest.approx(of_rows.std() / 600**0.5, rel=0.01)


def test_calibration_by_brute_force():
    barrier = np.array([-1, -1, 0, 1, 1, 0])
    said = np.array([[0.55, 0.2, 0.25], [0.5, 0.1, 0.4], [0.05, 0.95, 0], [0, 0, 1.0], [1.0, 0, 0], [0.3, 0.3, 0.4]])
    found = reliability(barrier, said)
    total = 0.0
    for k in range(3):
        for b in range(10):
            inside = [i for i in range(6) if min(int(said[i, k] * 10), 9) == b]
            assert found[k, b, 0] == len(inside)
            if not inside:
                assert np.isnan(found[k, b, 1:]).all()
                continue
            chance = np.mean([said[i, k] for i in inside])
            share = np.mean([barrier[i] == k - 1 for i in inside])
            assert found[k, b, 1:] == pytest.approx([chance, share])
            total += len(inside) * abs(chance - share)
    assert scores(barrier, said, said, np.arange(6)).miscalibration.value == pytest.approx(total / 18)


def test_the_true_chances_are_calibrated_and_have_the_best_scores():
    rows = market(20_000, 3)
    true = true_chances(rows.inputs[:, 0])
    sure = np.eye(3)[true.argmax(axis=1)] * 0.9 + 1 / 30
    mine, other = (scores(rows.barrier, each, true, np.arange(20_000)) for each in (true, sure))
    assert mine.miscalibration.value < 0.02 < 0.1 < other.miscalibration.value
    assert mine.log_loss.value < other.log_loss.value
    assert mine.brier.value < other.brier.value
    assert mine.accuracy == other.accuracy


class TestBaselines:
    def test_logistic_finds_the_true_chances(self):
        rows = market(8000, 4)
        train, test = np.arange(6000), np.arange(6000, 8000)
        found = logistic(rows, train, test)
        assert np.abs(found - true_chances(rows.inputs[test, 0])).mean() < 0.03
        assert found.sum(axis=1) == pytest.approx(1.0)

    def test_the_test_rows_teach_nothing(self):
        rows = market(400, 5)
        train, test = np.arange(300), np.arange(300, 400)
        poisoned = replace(rows, barrier=np.where(np.arange(400) < 300, rows.barrier, -1))
        for one in class_baselines(rows.columns).values():
            np.testing.assert_array_equal(one(rows, train, test).chances, one(poisoned, train, test).chances)

    def test_shares(self):
        rows = market(40, 6)
        found = class_shares(rows, np.arange(30), np.arange(30, 40))
        assert found.shape == (10, 3)
        assert (found == [np.mean(rows.barrier[:30] == k) for k in (-1, 0, 1)]).all()

    @pytest.mark.parametrize("there", [[1], [-1, 1]])
    def test_a_class_that_training_has_not_seen_has_no_chance(self, there: list[int]):
        rows = market(200, 7)
        rows = replace(rows, barrier=np.resize(there, 200))
        found = logistic(rows, np.arange(100), np.arange(100, 200))
        assert (found[:, 1] == 0).all()
        assert found.sum(axis=1) == pytest.approx(1.0)

    def test_which(self):
        assert list(class_baselines(("ofi_l1_1s",))) == [LOGISTIC, "logistic, last imbalance", SHARES]
        assert list(class_baselines(("volatility",))) == [LOGISTIC, SHARES]


def test_a_path_is_compared_with_the_same_rows_of_the_best_baseline():
    rows = market(300, 8)
    true, nothing = true_chances(rows.inputs[:, 0]), np.full((300, 3), 1 / 3)
    worse = np.roll(true, 1, axis=0)
    found = {"gbm": np.stack([true, true]), SHARES: np.stack([nothing] * 2), LOGISTIC: np.stack([worse] * 2)}
    own, shares, other = judged_chances(rows, "gbm", found, "all", np.arange(300))
    assert (own.baseline, other.better, shares.verdict) == (SHARES, None, "")
    saved = 1 - log_loss(rows.barrier, true, labels=[-1, 0, 1]) / math.log(3)
    assert own.better is not None
    assert own.better.value == pytest.approx(saved)
    assert own.figures["log_loss_skill"].value == pytest.approx(saved)
    assert own.verdict == "beats class shares"
    assert own.effective == 300
    assert own.reliability[:, :, 0].sum() == 900  # three classes, means over the paths


@pytest.mark.slow
def test_a_planted_model_of_classes_beats_the_shares_and_nothing_does_not():
    planted, nothing = (evaluate(market(2400, 9, instruments=2, edge=edge), PLAN) for edge in (1.0, 0.0))
    for found, beats in ((planted, True), (nothing, False)):
        assert {one.instrument for one in found.chances} == {"all", "okx_swap:A0", "okx_swap:A1"}
        skill = next(one for one in found.chances if (one.name, one.instrument) == ("gbm", "all")).figures[
            "log_loss_skill"
        ]
        assert (skill.value > 4 * skill.error) == beats
        assert SHARES not in {one.name for one in found.judged}
    own = next(one for one in planted.chances if one.name == "gbm")
    assert own.baseline.startswith(LOGISTIC), "the classes are linear in the input, so trees have nothing to add"
    assert own.verdict == f"does not beat {own.baseline}"
