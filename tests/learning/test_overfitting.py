"""Overfitting statistics: the papers' own examples, brute force, and what noise and skill must give."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from learning.overfitting import (
    TrackRecord,
    deflated_sharpe_ratio,
    expected_maximum,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
    track_record,
)


def trials_of(variance: float, count: int) -> np.ndarray:
    """Sharpe ratios of that sample variance."""
    spread = np.linspace(-1.0, 1.0, count)
    return spread * math.sqrt(variance / np.var(spread, ddof=1))


class TestPapers:
    """Numbers that are printed in the papers."""

    def test_probabilistic(self) -> None:
        """Bailey & López de Prado 2012: two years of monthly returns, with and without their skewness and kurtosis."""
        assert probabilistic_sharpe_ratio(TrackRecord(24, 0.458)) == pytest.approx(0.982, abs=5e-4)
        assert probabilistic_sharpe_ratio(TrackRecord(24, 0.458, -2.448, 10.164)) == pytest.approx(0.913, abs=5e-4)

    @pytest.mark.parametrize(("periods", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
    def test_minimum_length(self, periods: int, years: float) -> None:
        """The same: a Sharpe ratio of 2 a year to be above 1 with 95 %, from daily, weekly and monthly returns."""
        record = TrackRecord(1000, 2 / math.sqrt(periods))
        found = minimum_track_record_length(record, 1 / math.sqrt(periods)) / periods
        assert found == pytest.approx(years, abs=5e-3)

    def test_minimum_length_of_skewed_returns(self) -> None:
        """The same, of a hedge fund index: 4.99 years of monthly returns."""
        record = TrackRecord(1000, 2 / math.sqrt(12), -0.72, 5.78)
        assert minimum_track_record_length(record, 1 / math.sqrt(12)) / 12 == pytest.approx(4.99, abs=5e-3)

    @pytest.mark.parametrize(("trials", "deflated"), [(100, 0.9004), (46, 0.9505)])
    def test_deflated(self, trials: int, deflated: float) -> None:
        """Bailey & López de Prado 2014: 2.5 a year over 1250 days; the trials' variance is 1/2 a year."""
        record = TrackRecord(1250, 2.5 / math.sqrt(250), -3.0, 10.0)
        assert deflated_sharpe_ratio(record, trials_of(0.5 / 250, trials)) == pytest.approx(deflated, abs=5e-5)

    def test_deflated_of_normal_returns(self) -> None:
        """The same: had they been normal, 88 trials would have given what 46 do."""
        record = TrackRecord(1250, 2.5 / math.sqrt(250))
        assert deflated_sharpe_ratio(record, trials_of(0.5 / 250, 88)) == pytest.approx(0.9505, abs=5e-5)

    def test_expected_maximum(self) -> None:
        """The same: 0.1132 of 100 trials."""
        assert expected_maximum(0.5 / 250, 100) == pytest.approx(0.1132, abs=5e-5)

    def test_expected_maximum_of_ten(self) -> None:
        """Bailey et al. 2014, "Pseudo-Mathematics and Financial Charlatanism": 1.57 of ten trials."""
        assert expected_maximum(1.0, 10) == pytest.approx(1.57, abs=5e-3)


def test_moments_are_those_of_scipy() -> None:
    x = np.random.default_rng(5).gamma(2.0, 1e-7, 500) - 1.9e-7
    record = track_record(x)
    assert record.observations == 500
    assert record.sharpe == pytest.approx(x.mean() / x.std(ddof=1), rel=1e-12)
    assert record.skewness == pytest.approx(stats.skew(x), rel=1e-10)
    assert record.kurtosis == pytest.approx(stats.kurtosis(x, fisher=False), rel=1e-10)
    assert probabilistic_sharpe_ratio(x) == probabilistic_sharpe_ratio(record)


def test_the_probability_is_one_in_repeated_samples() -> None:
    """Of samples whose true Sharpe ratio is the benchmark, the probability is uniform: skewed ones, too."""
    random = np.random.default_rng(11)
    records = [track_record(x) for x in random.exponential(1.0, (2000, 1000)) - 2.0]  # mean −1, deviation 1
    found = [probabilistic_sharpe_ratio(record, -1.0) for record in records]
    assert stats.kstest(found, "uniform").statistic < 0.04
    normal = [probabilistic_sharpe_ratio(record._replace(skewness=0.0, kurtosis=3.0), -1.0) for record in records]
    assert stats.kstest(normal, "uniform").statistic > 0.1  # without skewness and kurtosis it is not


def test_the_best_of_many_without_skill_is_deflated() -> None:
    """The best of 200 strategies of noise looks certain, and is not once it is known to be the best of 200."""
    random = np.random.default_rng(2)
    looks, deflated = [], []
    for _ in range(40):
        returns = random.normal(size=(500, 200))
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = returns[:, sharpes.argmax()]
        looks.append(probabilistic_sharpe_ratio(best))
        deflated.append(deflated_sharpe_ratio(best, sharpes))
    assert min(looks) > 0.95
    assert 0.4 < np.mean(deflated) < 0.6


def test_one_trial_is_not_deflated() -> None:
    record = TrackRecord(100, 0.2)
    assert deflated_sharpe_ratio(record, [0.2]) == probabilistic_sharpe_ratio(record)


def test_the_length_gives_the_confidence() -> None:
    """The probability at the minimum length is the confidence asked for."""
    record = TrackRecord(24, 0.3, -1.0, 6.0)
    length = minimum_track_record_length(record, 0.1, 0.9)
    around = [probabilistic_sharpe_ratio(record._replace(observations=n), 0.1) for n in (int(length), int(length) + 1)]
    assert around[0] <= 0.9 <= around[1]
    assert minimum_track_record_length(record, 0.3) == math.inf


def test_returns_of_two_values() -> None:
    """The kurtosis of two values is as low as one can be: the estimate can be certain."""
    x = np.array([1.0, 3.0] * 50)
    record = track_record(x)
    assert record.kurtosis == pytest.approx(1 + record.skewness**2)
    assert probabilistic_sharpe_ratio(x) > 0.999
    certain = TrackRecord(10, 2.0, 1.0, 2.0)  # 1 − 2 + 1 = 0
    assert [probabilistic_sharpe_ratio(certain, b) for b in (1.0, 2.0, 3.0)] == [1.0, 0.5, 0.0]


@dataclass(frozen=True)
class Split:
    rank: float
    inside: float
    outside: float


def sharpe(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean / math.sqrt(variance) if variance > 1e-14 * math.fsum(v * v for v in values) / len(values) else 0.0


def cscv(returns: np.ndarray, n_blocks: int) -> list[Split]:
    """As it is written: join the blocks of each half, and rank."""
    blocks = np.array_split(np.arange(len(returns)), n_blocks)
    out = []
    for choice in combinations(range(n_blocks), n_blocks // 2):
        halves = [[r for b in range(n_blocks) if (b in choice) == side for r in blocks[b]] for side in (True, False)]
        inside, outside = ([sharpe(returns[half, c].tolist()) for c in range(returns.shape[1])] for half in halves)
        best = inside.index(max(inside))
        rank = sum(v < outside[best] for v in outside) + (sum(v == outside[best] for v in outside) + 1) / 2
        out.append(Split(rank, inside[best], outside[best]))
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5), st.sampled_from((2, 4, 6)), st.integers(0, 9))
def test_cscv_as_it_is_written(seed: int, configurations: int, n_blocks: int, more: int) -> None:
    random = np.random.default_rng(seed)
    returns = random.normal(0.05, 1.0, (2 * n_blocks + more, configurations))
    found, expected = probability_of_backtest_overfitting(returns, n_blocks), cscv(returns, n_blocks)
    omega = np.array([split.rank for split in expected]) / (configurations + 1)
    assert found.logits == pytest.approx(np.log(omega / (1 - omega)), abs=1e-12)
    assert found.pbo == sum(split.rank <= (configurations + 1) / 2 for split in expected) / len(expected)
    assert found.in_sample == pytest.approx([split.inside for split in expected], rel=1e-9, abs=1e-12)
    assert found.out_of_sample == pytest.approx([split.outside for split in expected], rel=1e-9, abs=1e-12)
    assert found.probability_of_loss == np.mean([split.outside < 0 for split in expected])


def test_purgedcv_agrees() -> None:
    """purgedcv 0.1 takes configurations as rows, and does not count a rank at the very median as overfitting: with an
    odd number of configurations its probability is the lower one, the paper's integral up to 0 the higher."""
    import purgedcv

    random = np.random.default_rng(8)
    for configurations in (6, 7):
        returns = random.normal(0.02, 1.0, (123, configurations))
        ours = probability_of_backtest_overfitting(returns, 8)
        theirs = purgedcv.probability_of_backtest_overfitting(returns.T, 8)
        # Its splits are named by their half out of sample, ours by that in sample: the other way round.
        assert ours.logits == pytest.approx(theirs.logits[::-1])
        assert theirs.pbo == np.mean(ours.logits < 0) <= ours.pbo
        assert ours.degradation == pytest.approx(theirs.slope)
        # Its Sharpe ratio has the population's deviation, its moments are those without bias; given them, ours is its.
        x = returns[:, 0]
        skewness, kurtosis = stats.skew(x, bias=False), stats.kurtosis(x, bias=False, fisher=False)
        record = TrackRecord(len(x), x.mean() / x.std(), skewness, kurtosis)
        theirs_of_one = purgedcv.probabilistic_sharpe_ratio(x, 0.05)
        assert probabilistic_sharpe_ratio(record, 0.05) == pytest.approx(theirs_of_one)
        assert probabilistic_sharpe_ratio(x, 0.05) == pytest.approx(theirs_of_one, rel=0.01)
        trials = [track_record(column).sharpe for column in returns.T]
        deflated = purgedcv.deflated_sharpe_ratio(x, configurations, float(np.var(trials, ddof=1)))
        assert deflated_sharpe_ratio(record, trials) == pytest.approx(deflated)


def test_noise_is_a_half() -> None:
    random = np.random.default_rng(4)
    found = [probability_of_backtest_overfitting(random.normal(size=(400, 20)), 10).pbo for _ in range(100)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)  # single ones spread widely: splits share their rows


def test_skill_is_none_and_chance_is_all() -> None:
    random = np.random.default_rng(6)
    returns = random.normal(size=(800, 10))
    returns[:, 3] += 0.3
    skilled = probability_of_backtest_overfitting(returns)
    assert skilled.pbo == 0.0
    assert len(skilled.logits) == 12_870
    assert skilled.probability_of_loss < 0.01
    # Each earns in a block of its own and loses in the others: whatever is best in sample has had its block.
    fitted = random.normal(0, 0.1, (160, 8)) + np.repeat(np.eye(8) * 1.2 - 0.2, 20, axis=0)
    luck = probability_of_backtest_overfitting(fitted, 8)
    assert luck.pbo == 1.0
    assert luck.probability_of_loss == 1.0


def test_configurations_that_never_trade_tie() -> None:
    """An agent that stays flat is neither better nor worse than another that does."""
    found = probability_of_backtest_overfitting(np.zeros((40, 3)), 4)
    assert (found.logits == 0).all()
    assert (found.out_of_sample == 0).all()
    assert math.isnan(found.degradation)
    # One that trades in half of the blocks only, and not a bit more than zero in the others.
    some = np.zeros((40, 2))
    some[:20, 0] = np.random.default_rng(1).normal(0.37, 0.11, 20)
    late = probability_of_backtest_overfitting(some, 2)
    assert late.out_of_sample.tolist() == [0.0, pytest.approx(sharpe(some[:20, 0].tolist()))]
    assert late.logits[0] == 0.0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: probability_of_backtest_overfitting([[1.0, math.nan]] * 40), "returns: nan at [0, 1]; numbers must"),
        (lambda: probability_of_backtest_overfitting(np.eye(31), 16), "returns: 31 rows; 16 blocks of two need 32 at"),
        (lambda: probability_of_backtest_overfitting(np.eye(31), 5), "n_blocks: 5 is odd; half of the blocks are in"),
        (lambda: probability_of_backtest_overfitting(np.ones((40, 1))), "returns: 1 configuration; there is no best"),
        (lambda: probability_of_backtest_overfitting(np.ones(40)), "returns: has shape (40,); 2 dimensions expected"),
        (lambda: probability_of_backtest_overfitting(np.eye(31), 0), "n_blocks: 0 is not a whole number from 2 on"),
        (lambda: probabilistic_sharpe_ratio([1.0, math.nan]), "returns: nan at 1; numbers must be finite"),
        (lambda: probabilistic_sharpe_ratio([1.0]), "returns: 1 of them; a Sharpe ratio needs two at least"),
        (lambda: probabilistic_sharpe_ratio([0.1, 0.1, 0.1]), "returns: all are 0.1; what does not vary has no"),
        (lambda: probabilistic_sharpe_ratio([1.0, 2.0], math.inf), "benchmark: inf is not a finite number"),
        (lambda: probabilistic_sharpe_ratio(TrackRecord(9, 1.0, 2.0, 3.0)), "kurtosis: 3.0 is below 1 + skewness²"),
        (lambda: probabilistic_sharpe_ratio(TrackRecord(1, 1.0)), "observations: 1 is not a whole number from 2 on"),
        (lambda: deflated_sharpe_ratio([1.0, 2.0], []), "trials: there are none"),
        (lambda: deflated_sharpe_ratio([1.0, 2.0], [1.0, math.nan]), "trials: nan at 1; numbers must be finite"),
        (lambda: expected_maximum(-1.0, 5), "variance: -1.0 is negative"),
        (lambda: minimum_track_record_length([1.0, 2.0], 0.0, 0.4), "confidence: 0.4 is outside 0.5 to 1"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_line(call: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as raised:
        call()
    assert str(raised.value).startswith(says)
