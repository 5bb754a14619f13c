"""Training: what is learned, from which rows, and how it is judged."""

from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from dataflows.reports.training import lines, table
from learning.foretelling import foretold, predicted
from learning.ridge import fit_ridge, scaled, scaling_of
from learning.rows import TrainingRows
from learning.scores import conformal_scores, measured, misses, pinball
from learning.training import LEAST, Blocks, Plan, _calibrated, _last, _validation, train
from operators.models.conformal import offset
from operators.models.kinds import served
from operators.models.lightgbm_text import separated
from operators.models.predictions import forecast_columns, prediction_schema
from operators.models.served import QUANTILES
from sources.errors import TickwaxError
from sources.model_folder import TREES, WEIGHTS, read_model
from tests.models.training import SECOND, training_rows

PARAMETERS = {
    "ridge": {"penalty": 0.01},
    "gbm": {"rounds": 15, "num_leaves": 7, "learning_rate": 0.2, "min_data_in_leaf": 20},
}


def plan(kind: str = "ridge", **more: object) -> Plan:
    return replace(Plan(kind=kind, parameters=PARAMETERS[kind]), **more)


def test_ridge_is_scikit_learns() -> None:
    rows = training_rows()
    chosen = np.arange(0, 2000, 2)
    found = fit_ridge(rows, chosen, 0.3)
    z, w = scaled(rows.inputs[chosen], scaling_of(rows.inputs[chosen])), rows.weight[chosen]
    other = SklearnRidge(alpha=0.3 * w.sum()).fit(z, rows.returns[chosen], sample_weight=w)
    np.testing.assert_allclose(found.coefficients, other.coef_, rtol=1e-9)
    np.testing.assert_allclose(found.intercept, other.intercept_, rtol=1e-9)
    left = rows.returns[chosen] - other.predict(z)
    np.testing.assert_allclose(found.offsets, np.quantile(left, QUANTILES, axis=0).T, rtol=1e-9)


@pytest.mark.parametrize("kind", ["ridge", "gbm"])
def test_a_model_says_what_was_there_to_learn(tmp_path: Path, kind: str) -> None:
    report = train(training_rows(noise=0.5), plan(kind), tmp_path / "m")
    (fold,) = report["folds"]
    for horizon in ("500ms", "1s"):
        assert fold["horizons"][horizon]["pinball_skill"] > 0.2
        assert fold["horizons"][horizon]["rank_correlation"] > 0.5
        assert 0.85 < fold["horizons"][horizon]["coverage"] < 0.95
    null = train(training_rows(noise=1e3), plan(kind), tmp_path / "null")
    assert null["folds"][0]["horizons"]["1s"]["pinball_skill"] < 0.02


@pytest.mark.parametrize("kind", ["ridge", "gbm"])
def test_what_is_tested_on_has_no_say(tmp_path: Path, kind: str) -> None:
    """Test rows are poisoned, and the model's files are the same to the bit."""
    rows = training_rows()
    test = _last(rows, plan(kind)).test
    assert len(test) > 500
    inputs, returns = rows.inputs.copy(), rows.returns.copy()
    inputs[test] = returns[test] = 1e9
    first = train(rows, plan(kind), tmp_path / "a")["identity"]
    assert train(replace(rows, inputs=inputs, returns=returns), plan(kind), tmp_path / "b")["identity"] == first
    for name in (WEIGHTS, TREES):
        if (tmp_path / "a" / name).exists():
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("validate", ["holdout", "walk-forward", "cpcv"])
def test_no_row_that_is_learned_from_knows_of_the_test(validate: str) -> None:
    rows, how = training_rows(600), plan(validate=validate, embargo="2s")
    folds = list(_validation(rows, how))
    assert len(folds) == {"holdout": 1, "walk-forward": 5, "cpcv": 15}[validate]
    tested = np.concatenate([fold.test for fold in folds])
    assert set(tested) == set(range({"holdout": 480, "walk-forward": 100, "cpcv": 0}[validate], 600))
    for training, calibration, test in folds:
        assert rows.end[training].max() < rows.ts[calibration].min()
        for number in (*training, *calibration):
            meets = (rows.ts[test] <= rows.end[number]) & (rows.end[test] >= rows.ts[number])
            assert not meets.any()


def test_the_calibration_is_the_newest_of_what_trains() -> None:
    rows = training_rows(600)
    training, calibration = _calibrated(rows, np.arange(600), plan(calibration=0.25))
    assert calibration.tolist() == list(range(450, 600))
    assert training.tolist() == list(range(430))  # row 429 is labelled by rows up to 449, and 430 by row 450


def test_the_card_tells_what_the_model_has_seen(tmp_path: Path) -> None:
    rows = training_rows(2000)
    train(rows, plan(seed=3), tmp_path / "m")
    card = read_model(tmp_path / "m").card
    assert (card.kind, card.columns, card.horizons, card.seed) == ("ridge", rows.columns, rows.horizons, 3)
    assert card.trained_from == 0
    assert card.trained_until == rows.end[1599 - 20] + 1  # 20 rows know of the first test row, 1600
    assert card.instruments == ("okx_swap:A", "okx_swap:B")
    assert not card.planted
    edge = replace(rows, own={"okx_swap:A": {"synthetic.edge": "0.3"}, "okx_swap:B": {"synthetic.edge": "0.0"}})
    train(edge, plan(), tmp_path / "planted")
    assert read_model(tmp_path / "planted").card.planted


def test_served_trees_are_lightgbms(tmp_path: Path) -> None:
    rows = training_rows(2000)
    train(rows, plan("gbm"), tmp_path / "m")
    folder = read_model(tmp_path / "m")
    found = predicted(served(folder), rows, np.arange(0, 2000, 3))
    for number, text in enumerate(separated(folder.trees)):
        other = lightgbm.Booster(model_str=text).predict(rows.inputs[::3])
        assert other.shape == (667,)
        if number == 2:  # the medians, which sorting leaves in their place
            middle = np.median(
                [lightgbm.Booster(model_str=t).predict(rows.inputs[::3]) for t in separated(folder.trees)[:5]], axis=0
            )
            np.testing.assert_array_equal(found[:, 0, 2], middle)


def with_barrier(rows: TrainingRows) -> TrainingRows:
    barrier = np.sign(np.round(rows.returns[:, 0] / 1.5e-4)).astype(np.int64)
    assert set(barrier) == {-1, 0, 1}
    return replace(rows, barrier=barrier, labels={"barrier.width": "2.0"})


def of_classes() -> Plan:
    return replace(plan("gbm"), parameters={**PARAMETERS["gbm"], "classes": True})


def test_chances_of_the_barrier(tmp_path: Path) -> None:
    """Served as LightGBM foretells them; they beat the shares of the classes, and add up to 1."""
    rows = with_barrier(training_rows(2000))
    report = train(rows, of_classes(), tmp_path / "m")
    found = report["folds"][0]["barrier"]
    assert 0.1 < found["skill"] == 1 - found["log_loss"] / found["log_loss_unconditional"] < 0.9
    assert found["right"] > found["right_unconditional"] + 0.05
    folder = read_model(tmp_path / "m")
    assert folder.card.parameters["barrier"] == {"barrier.width": "2.0"}
    model = served(folder)
    some = np.arange(0, 2000, 3)
    said = foretold(model, rows, some)
    other = lightgbm.Booster(model_str=separated(folder.trees)[-1])
    np.testing.assert_allclose(said.classes, other.predict(rows.inputs[some]), rtol=1e-14)
    np.testing.assert_allclose(said.classes.sum(axis=1), 1.0, rtol=1e-14)
    without = train(rows, plan("gbm"), tmp_path / "b")
    assert "barrier" not in without["folds"][0]
    np.testing.assert_array_equal(predicted(served(read_model(tmp_path / "b")), rows, some), said.quantiles)
    columns = [column.name for column in prediction_schema(model.head).columns]
    assert columns[-5:] == ["p_down", "p_flat", "p_up", "in_sample", "model"]
    assert forecast_columns(model.head)[-1] == "forecast_p_up"


def test_one_class_is_said(tmp_path: Path) -> None:
    rows = with_barrier(training_rows(2000))
    with pytest.raises(TickwaxError, match=r"barrier is 0 in all 1,\d+ rows that train, so there are no classes"):
        train(replace(rows, barrier=0 * rows.barrier), of_classes(), tmp_path / "m")
    two = np.minimum(rows.barrier, 0)
    report = train(replace(rows, barrier=two), of_classes(), tmp_path / "m")
    assert report["folds"][0]["barrier"]["skill"] > 0.1


@pytest.mark.parametrize(("n", "block"), [(50, "training"), (160, "calibration")])
def test_too_few_rows_are_said(tmp_path: Path, n: int, block: str) -> None:
    rows = training_rows(n)
    with pytest.raises(
        TickwaxError, match=rf"dataset\.path: \d+ rows are left for {block}.* {LEAST[block]} are needed"
    ):
        train(replace(rows, end=rows.ts + 1), plan(), tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(("hole", "said"), [(40, True), (20, False)])
def test_a_hole_as_long_as_a_block_is_said(tmp_path: Path, hole: int, said: bool) -> None:
    rows, lines = training_rows(3000), []  # 150 s, so that a block of five is 30 s
    after = np.arange(3000) >= 1000
    moved = {name: getattr(rows, name) + after * hole * SECOND for name in ("ts", "end")}
    train(replace(rows, **moved), plan(), tmp_path / "m", say=lines.append)
    assert [line[:80] for line in lines] == said * [
        "dataset.path: after 1970-01-01T00:00:49Z no row follows for 40 s, as long as one"
    ]


def test_more_test_blocks_than_blocks(tmp_path: Path) -> None:
    with pytest.raises(TickwaxError, match=r"^train\.test_blocks: 3 of blocks, 3"):
        train(training_rows(600), plan(validate="cpcv", blocks=3, test_blocks=3), tmp_path / "m")


def test_scores_and_offset_cover() -> None:
    random = np.random.default_rng(0)
    returns = random.normal(size=(5000, 1))
    quantiles = np.broadcast_to(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), (5000, 1, 5))  # too narrow
    (scores,) = conformal_scores(misses(returns, quantiles))
    assert len(scores) == 2048
    wider = offset(scores, 0.1)
    new = random.normal(size=20_000)
    assert np.mean(np.abs(new) <= 1.0 + wider) == pytest.approx(0.9, abs=0.012)
    few = conformal_scores(misses(returns[:99], quantiles[:99]))[0]
    assert offset(few, 0.1) == np.sort(np.abs(returns[:99, 0]) - 1.0)[89]  # ceil(100 · 0.9) = 90th
    assert offset(few, 0.001) == np.inf


def test_pinball_is_scikit_learns() -> None:
    from sklearn.metrics import mean_pinball_loss

    random = np.random.default_rng(0)
    y, q = random.normal(size=200), np.sort(random.normal(size=(200, 5)))
    expected = [mean_pinball_loss(y, q[:, i], alpha=alpha) for i, alpha in enumerate(QUANTILES)]
    np.testing.assert_allclose(pinball(y, q), expected)


def test_what_foretells_nothing_has_no_skill() -> None:
    rows = training_rows(1000)
    nothing = np.quantile(rows.returns, QUANTILES, axis=0).T
    said = np.broadcast_to(nothing, (1000, 2, 5))
    report = measured(rows.horizons, rows.returns, said, nothing, np.zeros(2), np.zeros((2, 1)), (0, SECOND))
    assert [each["pinball_skill"] for each in report["horizons"].values()] == [0.0, 0.0]


def test_a_drift_alone_is_no_skill() -> None:
    rows = training_rows(1000)
    mean = 1e-4 * np.array([0.3, -3.0])
    drifting = rows.returns + mean
    always = np.broadcast_to(mean[:, None], (1000, 2, 5))
    report = measured(rows.horizons, drifting, always, always[0], mean, np.zeros((2, 1)), (0, SECOND))
    for h, each in enumerate(report["horizons"].values()):
        y = drifting[:, h]
        assert each["r2_mean"] == 0.0
        assert each["r2"] == pytest.approx(1 - np.sum((y - mean[h]) ** 2) / np.sum(y * y))
    assert report["horizons"]["1s"]["r2"] > 0.5


def test_blocks_are_what_they_say() -> None:
    assert Blocks._fields == tuple(LEAST)


def test_a_drift_that_went_on_is_said_to_be_one() -> None:
    fold = dict.fromkeys(("pinball_skill", "r2", "rank_correlation", "hit_rate", "coverage"), 0.1)
    report = {
        "identity": "ab" * 32, "validate": "holdout", "rows": {"training": 9, "calibration": 8},
        "folds": [{"rows": 7, "horizons": {"1s": {**fold, "r2_mean": 0.0}, "5s": {**fold, "r2_mean": 0.02}}}],
    }  # fmt: skip
    assert table(report).rows[0][3:5] == ("0.1000", "0.0000")
    (said,) = (line for line in lines(report, Path("m")) if "went on" in line)
    assert said.startswith("1s: the model beats no change and not the mean of the training returns")
