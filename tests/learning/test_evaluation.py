import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import matthews_corrcoef, mean_pinball_loss, r2_score

from learning.evaluation.drift import error_drift, input_drift
from learning.evaluation.errors import Measured, clustered_error, effective_rows, ratio_of, stretches
from learning.evaluation.evaluate import ALL, evaluate
from learning.evaluation.forecasters import IMBALANCE, NO_CHANGE, forecasters, imbalance_column, last_imbalance
from learning.evaluation.leakage import leakage, sign_correlation
from learning.evaluation.luck import luck, side_returns
from learning.evaluation.metrics import better_by, losses, worth
from learning.evaluation.verdicts import verdict
from learning.rows import TrainingRows
from learning.training import Plan
from operators.models.served import QUANTILES
from sources.errors import TickwaxError
from sources.instrument import Instrument

SECOND = 1_000_000_000
PLAN = Plan(kind="ridge", blocks=5, test_blocks=2, parameters={"penalty": 0.01})


def rows_of(inputs, returns, instruments=1, step=SECOND // 10, horizons=("1s", "5s")):
    """Rows on a grid, the instruments in turn."""
    n = len(inputs)
    ts = np.arange(n) // instruments * step
    return TrainingRows(
        columns=tuple(f"x{c}" for c in range(inputs.shape[1])),
        horizons=horizons,
        latency="0ms",
        features={},
        own={},
        instruments=tuple(Instrument("okx_swap", f"A{i}") for i in range(instruments)),
        instrument=np.arange(n) % instruments,
        ts=ts,
        end=ts + 5 * SECOND,
        ordinal=np.arange(n),
        group=np.zeros(n, np.int64),
        inputs=inputs,
        returns=returns,
        weight=np.ones(n),
    )


def overlapping(moves, lengths):
    """Sums of the next moves, one column a length."""
    total = np.concatenate([[0.0], np.cumsum(moves)])
    n = len(moves) - max(lengths)
    return np.stack([total[length : n + length] - total[:n] for length in lengths], axis=1)


def market(n, edge, seed, memory=0.97):
    """Slow inputs, and returns over 10 and 50 steps of moves that follow the first of them by so much."""
    random = np.random.default_rng(seed)
    x = np.zeros((n + 50, 3))
    for t in range(1, n + 50):
        x[t] = memory * x[t - 1] + math.sqrt(1 - memory**2) * random.normal(size=3)
    moves = 1e-4 * (edge * x[:, 0] + random.normal(size=n + 50))
    return rows_of(x[:n], overlapping(moves, (10, 50)))


def test_drift_is_seen_where_it_is():
    """Errors and one input change after 70 % of the rows; in the market that stays as it is nothing does."""
    rows = market(6000, 0.5, 1)
    late = np.arange(6000) >= 4200
    moved = rows_of(rows.inputs + np.outer(late, [0.0, 2.0, 0.0]), rows.returns)
    first, *others = input_drift(moved, 5)
    assert first.column == "x1"
    assert first.psi > 1 > 0.5 > max(one.psi for one in others)
    returns = rows.returns[:, 0]
    told = np.broadcast_to(np.quantile(returns, QUANTILES), (6000, 5))
    steady = error_drift("1s", SECOND, rows.ts, returns, told)
    assert (steady.stretches, steady.changes, steady.last_ts) == (600, 0, None)
    assert steady.missed == pytest.approx(steady.newest) == pytest.approx(0.1, abs=0.001)
    changed = error_drift("1s", SECOND, rows.ts, returns * np.where(late, 4.0, 1.0), told)
    assert changed.changes >= 1
    assert changed.last_ts > rows.ts[4200]
    assert changed.newest > 0.5 > changed.missed > 0.2


class TestErrors:
    def test_of_independent_rows_it_is_the_usual_one(self):
        x = np.random.default_rng(0).normal(size=20_000)
        assert clustered_error(x, np.arange(20_000)) == pytest.approx(x.std() / math.sqrt(20_000), rel=1e-3)

    def test_of_overlapping_labels_it_is_that_of_a_simulation(self):
        random = np.random.default_rng(1)
        means, errors = [], []
        for _ in range(300):
            y = overlapping(random.normal(size=4020), (20,))[:, 0]
            means.append(y.mean())
            errors.append(clustered_error(y, stretches(np.arange(4000) * SECOND, 20 * SECOND)))
        assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)
        assert np.std(means) > 3 * math.sqrt(20) / math.sqrt(4000)  # what rows counted one by one would say

    def test_ratio(self):
        a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 4.0, 8.0])
        found = ratio_of(a, b, np.arange(4))
        influence = (a - 0.625 * b) / 4.0
        assert found.value == 0.625
        assert found.error == pytest.approx(math.sqrt(4 / 3 * (influence @ influence)) / 4)
        assert math.isnan(ratio_of(a, 0 * b, np.arange(4)).value)

    def test_effective_rows_by_brute_force(self):
        random = np.random.default_rng(2)
        instrument = random.integers(0, 2, 60)
        ts = np.sort(random.integers(0, 400, 60))
        expected = 0.0
        for number in (0, 1):
            t = ts[instrument == number]
            covering = [sum(a <= b <= a + 30 for a in t) for b in t]
            expected += sum(np.mean([1 / c for b, c in zip(t, covering, strict=True) if a <= b <= a + 30]) for a in t)
        assert effective_rows(instrument, ts, 30) == pytest.approx(expected)

    def test_one_stretch_tells_no_error(self):
        assert math.isnan(clustered_error(np.arange(5.0), np.zeros(5, np.int64)))


class TestWorth:
    def test_figures_are_those_of_other_libraries(self):
        random = np.random.default_rng(3)
        y = random.normal(size=500)
        q = np.sort(random.normal(size=(500, 5)) * 0.3 + 0.5 * y[:, None] + np.array([-2, -1, 0, 1, 2]), axis=1)
        nothing = np.broadcast_to(np.quantile(y, QUANTILES), q.shape)
        found = worth(y, q, nothing, np.arange(500))
        pinballs = [
            np.mean([mean_pinball_loss(y, each[:, i], alpha=a) for i, a in enumerate(QUANTILES)])
            for each in (q, nothing)
        ]
        assert found.pinball.value == pytest.approx(pinballs[0])
        assert found.skill.value == pytest.approx(1 - pinballs[0] / pinballs[1])
        assert found.rank.value == pytest.approx(spearmanr(q[:, 2], y).statistic)
        against_zero = 1 - (1 - r2_score(y, q[:, 2])) * y.var() / np.mean(y * y)
        assert found.r2.value == pytest.approx(against_zero)
        assert found.hits.value == np.mean((q[:, 2] > 0) == (y > 0))
        assert found.coverage.value == np.mean((q[:, 0] <= y) & (y <= q[:, 4]))
        assert found.below == pytest.approx([(y < q[:, i]).mean() for i in range(5)])
        assert better_by(y, q, nothing, np.arange(500)).value == pytest.approx(found.skill.value)
        assert losses(y, q).mean() == pytest.approx(pinballs[0])

    def test_errors_are_those_of_a_simulation(self):
        random = np.random.default_rng(4)
        found = []
        for _ in range(200):
            y = random.normal(size=800)
            q = (0.5 * y + random.normal(size=800))[:, None] + np.array([-2, -1, 0, 1, 2])
            found.append(worth(y, q, np.zeros_like(q), np.arange(800)))
        for name in ("r2", "rank", "pinball", "hits", "coverage"):
            values = [getattr(one, name) for one in found]
            assert np.mean([v.error for v in values]) == pytest.approx(np.std([v.value for v in values]), rel=0.2)

    def test_what_does_not_vary_has_no_rank_and_no_side(self):
        y, q = np.arange(6.0) - 2, np.zeros((6, 5))
        found = worth(y, q, q, np.arange(6))
        assert found.rank == Measured(0.0)
        assert math.isnan(found.hits.value)
        assert found.r2.value == 0.0


class TestBaselines:
    def test_last_imbalance_is_a_line_through_the_origin_of_the_training_rows(self):
        random = np.random.default_rng(5)
        x = random.normal(size=(200, 1))
        rows = rows_of(x, np.hstack([2 * x, -x]) + 0.01 * random.normal(size=(200, 2)))
        train, test = np.arange(100), np.arange(100, 200)
        found = last_imbalance(rows, train, test, 0)
        slope = np.linalg.lstsq(x[:100], rows.returns[:100], rcond=None)[0][0]
        assert found[:, :, 2] == pytest.approx(x[100:] * slope)
        assert (np.diff(found, axis=2) >= 0).all()

    def test_which_column_is_an_imbalance(self):
        assert imbalance_column(("volatility", "ofi_l5_1s", "imbalance_l5")) == 2
        assert imbalance_column(("volatility", "ofi_l5_1s")) == 1
        assert imbalance_column(("volatility",)) is None

    def test_a_model_is_not_its_own_baseline(self):
        rows = rows_of(np.ones((10, 1)), np.ones((10, 2)))
        assert list(forecasters(rows, PLAN)) == ["ridge", "gbm", NO_CHANGE]
        named = TrainingRows(**{**rows.__dict__, "columns": ("ofi_l1_1s",)})
        assert list(forecasters(named, Plan(kind="gbm", parameters=PLAN.parameters)))[1:] == [
            "ridge",
            IMBALANCE,
            NO_CHANGE,
        ]


class TestLuck:
    def test_returns_of_sides_do_not_overlap(self):
        rows = rows_of(np.ones((400, 1)), np.arange(800.0).reshape(400, 2), instruments=2)
        found = side_returns(rows, {"a": np.where(np.arange(400) % 4 < 2, 1.0, -1.0)}, 0, SECOND)["a"]
        assert len(found) == 2 * 20
        assert set(np.abs(found)) == {rows.returns[i, 0] for i in range(400) if i // 2 % 10 == 0}

    def test_too_little_is_said_to_be_nothing(self):
        found = luck("1s", "a", {"a": np.ones(3), "b": np.ones(3)})
        assert math.isnan(found.deflated)
        assert math.isnan(found.pbo)
        assert found.sharpe == 0.0


def test_signs_are_correlated_as_matthews_has_it():
    random = np.random.default_rng(6)
    x, y = random.normal(size=(2, 300))
    y += x
    assert sign_correlation(x, y) == pytest.approx(matthews_corrcoef(y > 0, x > 0))
    assert sign_correlation(x, np.ones(300)) == 0.0


@pytest.mark.slow
def test_a_planted_model_beats_the_baselines_and_nothing_does_not():
    plan = Plan(kind="ridge", blocks=4, test_blocks=1, parameters={"penalty": 0.01})
    planted, nothing = (evaluate(market(3000, edge, 7), plan) for edge in (0.4, 0.0))
    for found, beats in ((planted, True), (nothing, False)):
        own = {one.horizon: one for one in found.judged if one.name == "ridge"}
        assert {one.instrument for one in found.judged} == {"okx_swap:A0"}
        r2 = own["1s"].figures["r2"]
        assert (r2.value > 4 * r2.error) == beats
        assert own["1s"].verdict.startswith("beats ") == beats
        assert own["1s"].effective == pytest.approx(3000 / 11, rel=0.02)  # both ends belong to a label
    assert {one.name for one in planted.judged} == {"ridge", "gbm", NO_CHANGE}
    assert planted.luck[0].deflated > 0.99
    coverage = next(one for one in planted.judged if one.name == "ridge").figures["coverage"]
    assert coverage.value == pytest.approx(0.9, abs=0.07)


def test_shuffled_folds_leak_and_purged_ones_do_not():
    leaks = leakage(market(5000, 0.0, 8, memory=0.999), (SECOND, 5 * SECOND))
    assert leaks[1].shuffled.value > 0.4
    assert leaks[1].shuffled_sign > 0.25
    assert abs(leaks[1].purged.value) < 3 * leaks[1].purged.error
    assert leaks[0].shuffled.value < leaks[1].shuffled.value


def test_all_instruments_and_each_are_judged():
    random = np.random.default_rng(9)
    rows = rows_of(random.normal(size=(1200, 2)), random.normal(size=(1200, 2)), instruments=2)
    seen = []
    found = evaluate(rows, Plan(kind="ridge", blocks=3, test_blocks=1, parameters={"penalty": 1.0}),
                     lambda done, of: seen.append((done, of)))  # fmt: skip
    assert {one.instrument for one in found.judged} == {ALL, "okx_swap:A0", "okx_swap:A1"}
    assert seen[-1] == (9, 9)
    assert all(one.verdict for one in found.judged if one.name == "ridge")


def test_too_few_rows_are_refused():
    with pytest.raises(TickwaxError, match=r"^dataset.path: "):
        evaluate(rows_of(np.ones((4, 1)), np.ones((4, 2))), PLAN)


def test_words():
    assert verdict(Measured(0.0, 0.1), "gbm", 100.0) == "does not beat gbm"
    assert verdict(Measured(0.1, math.nan), "gbm", 100.0) == "is judged by 100 horizons, which tell nothing"
