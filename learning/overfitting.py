"""How much of a backtest's result is luck: many were tried, and returns are not normal (docs/learning.md, 3).

Sharpe ratios here are those of one period, not annualised: mean over sample standard deviation.

Sources: Bailey & López de Prado 2012, "The Sharpe Ratio Efficient Frontier" (probabilistic Sharpe ratio, minimum track
record length); the same 2014, "The Deflated Sharpe Ratio"; Bailey, Borwein, López de Prado & Zhu 2017, "The Probability
of Backtest Overfitting".
"""

import math
from itertools import combinations, islice
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.arguments import as_array, as_count, as_number
from sources.tape.batch import Float64s

_NORMAL = NormalDist()
_EULER_GAMMA = 0.5772156649015329
_AT_ONCE = 512  # combinations, whose ratios of all configurations are in memory together
_NOISE = 1e-14  # of the mean square: a variance below it is rounding


class TrackRecord(NamedTuple):
    """What the Sharpe ratio of a series, and the doubt about it, are made of."""

    observations: int
    sharpe: float
    skewness: float = 0.0
    kurtosis: float = 3.0  # 3: normal


def track_record(returns: npt.ArrayLike) -> TrackRecord:
    """Sharpe ratio, skewness and kurtosis of returns of equal periods.

    Args:
        returns: shape ``(T,)``, two at least.

    Raises:
        ValueError: not finite numbers, too few, or all equal.
    """
    x = as_array("returns", returns)
    if len(x) < 2:
        raise ValueError(f"returns: {len(x)} of them; a Sharpe ratio needs two at least")
    mean = float(x.mean())
    centred = x - mean
    second = float(np.mean(centred**2))
    if second <= _NOISE * float(np.mean(x**2)):
        raise ValueError(f"returns: all are {x[0]:g}; what does not vary has no Sharpe ratio")
    scaled = centred / math.sqrt(second)  # third and fourth powers of small returns would underflow
    sharpe = mean / math.sqrt(second * len(x) / (len(x) - 1))
    return TrackRecord(len(x), sharpe, float(np.mean(scaled**3)), float(np.mean(scaled**4)))


def probabilistic_sharpe_ratio(returns: npt.ArrayLike | TrackRecord, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio lies above ``benchmark``.

    ``Φ((SR − SR*)·sqrt(n − 1)/sqrt(1 − γ3·SR + (γ4 − 1)/4·SR²))``, Bailey & López de Prado 2012.

        >>> round(probabilistic_sharpe_ratio(TrackRecord(24, 0.458, -2.448, 10.164)), 3)  # the paper's example
        0.913

    Args:
        returns: shape ``(T,)``, of equal periods; or what is known of them.
        benchmark: a Sharpe ratio of one period.

    Raises:
        ValueError: as `track_record`, or ``benchmark`` is not a finite number.
    """
    record = _record(returns)
    return _probability(record.sharpe - as_number("benchmark", benchmark), record)


def deflated_sharpe_ratio(returns: npt.ArrayLike | TrackRecord, trials: npt.ArrayLike) -> float:
    """Probability that the true Sharpe ratio of the best of many trials lies above what the best of as many without
    skill would show: Bailey & López de Prado 2014.

    Args:
        returns: of the chosen trial, shape ``(T,)``, of equal periods; or what is known of them.
        trials: Sharpe ratios, of one period, of all that were tried, the chosen one included; shape ``(N,)``. One trial
            alone is compared with 0.

    Raises:
        ValueError: as `track_record`, or ``trials`` are none, or not finite numbers.
    """
    ratios = as_array("trials", trials)
    if not len(ratios):
        raise ValueError("trials: there are none; the chosen one is a trial, too")
    variance = float(np.var(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    return probabilistic_sharpe_ratio(returns, expected_maximum(variance, len(ratios)))


def expected_maximum(variance: float, trials: int) -> float:
    """About the highest Sharpe ratio that trials without skill show.

    ``sqrt(V)·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)))``, γ Euler's constant: Bailey & López de Prado 2014.

    Args:
        variance: of the trials' Sharpe ratios.
        trials: how many are independent.

    Raises:
        ValueError: ``variance`` is negative, or ``trials`` less than 1.
    """
    count = as_count("trials", trials, 1)
    if as_number("variance", variance) < 0:
        raise ValueError(f"variance: {variance} is negative")
    if count == 1:
        return 0.0
    best = (1 - _EULER_GAMMA) * _NORMAL.inv_cdf(1 - 1 / count)
    return math.sqrt(variance) * (best + _EULER_GAMMA * _NORMAL.inv_cdf(1 - 1 / (count * math.e)))


def minimum_track_record_length(
    returns: npt.ArrayLike | TrackRecord, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """How many periods of such returns it takes until the true Sharpe ratio lies above ``benchmark`` with
    ``confidence``; infinite where the observed one does not.

    ``1 + (1 − γ3·SR + (γ4 − 1)/4·SR²)·(Φ⁻¹(confidence)/(SR − SR*))²``, Bailey & López de Prado 2012.

        >>> round(minimum_track_record_length(TrackRecord(24, 2 / 12**0.5), 1 / 12**0.5) / 12, 2)  # years, the paper's
        3.24

    Args:
        returns: shape ``(T,)``, of equal periods; or what is known of them.
        benchmark: a Sharpe ratio of one period.
        confidence: above 0.5, below 1.

    Raises:
        ValueError: as `track_record`, or an argument is out of range.
    """
    record = _record(returns)
    above = record.sharpe - as_number("benchmark", benchmark)
    if not 0.5 < as_number("confidence", confidence) < 1:
        raise ValueError(f"confidence: {confidence} is outside 0.5 to 1 (both excluded)")
    if above <= 0:
        return math.inf
    return 1 + _spread(record) * (_NORMAL.inv_cdf(confidence) / above) ** 2


class Overfitting(NamedTuple):
    """What choosing the best configuration in sample comes to out of sample, over all splits of CSCV.

    Attributes:
        pbo: share of splits in which the chosen one is at or below the median out of sample. 0.5: choosing is worth
            nothing.
        logits: of each split: ``log(ω/(1 − ω))``, ω the chosen one's rank out of sample over the number of
            configurations + 1; shape ``(splits,)``.
        in_sample, out_of_sample: Sharpe ratio of the chosen one, shape ``(splits,)``.
    """

    pbo: float
    logits: Float64s
    in_sample: Float64s
    out_of_sample: Float64s

    @property
    def probability_of_loss(self) -> float:
        """Share of splits in which the chosen one loses out of sample."""
        return float(np.mean(self.out_of_sample < 0))

    @property
    def degradation(self) -> float:
        """Slope of the Sharpe ratio out of sample on that in sample; NaN where that does not vary."""
        centred = self.in_sample - self.in_sample.mean()
        square = float(centred @ centred)
        return float(centred @ self.out_of_sample) / square if square > 0 else math.nan


def probability_of_backtest_overfitting(returns: npt.ArrayLike, n_blocks: int = 16) -> Overfitting:
    """Combinatorially symmetric cross-validation: the rows are cut into blocks, every half of them is in sample once,
    and the configuration that is best there is ranked in the other half.

    Performance is the Sharpe ratio; that of a configuration without variation is 0, so that one that never trades is
    neither good nor bad. Of equals the first is chosen, and equals share their mean rank. Blocks are cut by
    `numpy.array_split`, so the rows need not divide evenly.

    Args:
        returns: shape ``(T, configurations)``, of equal periods, side by side in time.
        n_blocks: an even number from 2 on; ``C(n_blocks, n_blocks/2)`` splits, 12 870 of 16 blocks.

    Raises:
        ValueError: not finite numbers, fewer than two configurations, blocks of fewer than two rows, or an odd number
            of blocks.
    """
    x = as_array("returns", returns, 2)
    blocks = as_count("n_blocks", n_blocks, 2)
    if blocks % 2:
        raise ValueError(f"n_blocks: {n_blocks} is odd; half of the blocks are in sample, half are out of it")
    rows, configurations = x.shape
    if configurations < 2:
        raise ValueError(f"returns: {configurations} configuration; there is no best of fewer than two")
    if rows < 2 * blocks:
        raise ValueError(f"returns: {rows} rows; {blocks} blocks of two need {2 * blocks} at least")
    parts = np.array_split(x, blocks)
    counts = np.array([len(part) for part in parts], np.float64)
    sums = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum(axis=0) for part in parts])
    choices = combinations(range(blocks), blocks // 2)
    found = []
    while some := list(islice(choices, _AT_ONCE)):
        inside = np.zeros((len(some), blocks))
        np.put_along_axis(inside, np.array(some), 1.0, axis=1)
        found.append(_ranked(inside, counts, sums, squares))
    rank, in_sample, out_of_sample = (np.concatenate(each) for each in zip(*found, strict=True))
    omega = rank / (configurations + 1)
    logits = np.log(omega / (1 - omega))
    return Overfitting(float(np.mean(logits <= 0)), logits, in_sample, out_of_sample)


def _ranked(
    chosen: Float64s, counts: Float64s, sums: Float64s, squares: Float64s
) -> tuple[Float64s, Float64s, Float64s]:
    """Of some splits: rank out of sample of the best in sample, from 1, and its ratio in sample and out of it.

    Args:
        chosen: 1 where a block is in sample, else 0, shape ``(splits, blocks)``.
        counts: of rows, shape ``(blocks,)``.
        sums, squares: of returns and their squares, shape ``(blocks, configurations)``.
    """
    inside = _ratios(chosen, counts, sums, squares)
    outside = _ratios(1.0 - chosen, counts, sums, squares)
    split, best = np.arange(len(chosen)), inside.argmax(axis=1)
    its = outside[split, best]
    below, equal = (outside < its[:, None]).sum(axis=1), (outside == its[:, None]).sum(axis=1)
    return below + (equal + 1) / 2, inside[split, best], its


def _ratios(chosen: Float64s, counts: Float64s, sums: Float64s, squares: Float64s) -> Float64s:
    """Sharpe ratios over the chosen blocks, shape ``(splits, configurations)``; 0 where there is no variation."""
    total = np.zeros((len(chosen), sums.shape[1]))
    square = np.zeros_like(total)
    # Block by block, for a product of matrices may round equal columns differently, and equals would not tie.
    for part, total_of, square_of in zip(chosen.T[:, :, None], sums, squares, strict=True):
        total += part * total_of
        square += part * square_of
    n = (chosen @ counts)[:, None]
    mean = total / n
    variance = (square - total * mean) / (n - 1)
    varies = variance > _NOISE * square / n
    out: Float64s = np.where(varies, mean / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    return out


def _record(returns: npt.ArrayLike | TrackRecord) -> TrackRecord:
    if not isinstance(returns, TrackRecord):
        return track_record(returns)
    as_count("observations", returns.observations, 2)
    for name in ("sharpe", "skewness", "kurtosis"):
        as_number(name, getattr(returns, name))
    if returns.kurtosis < (1 + returns.skewness**2) * (1 - 1e-9):
        raise ValueError(f"kurtosis: {returns.kurtosis} is below 1 + skewness², which no distribution's is")
    return returns


def _spread(record: TrackRecord) -> float:
    """Variance of the estimated Sharpe ratio, times ``n − 1``. Not negative: the kurtosis is at least
    ``1 + skewness²``."""
    s = record.sharpe
    return max(0.0, 1 - record.skewness * s + (record.kurtosis - 1) / 4 * s * s)


def _probability(above: float, record: TrackRecord) -> float:
    spread = _spread(record)
    if spread == 0.0:
        return 0.5 if above == 0 else float(above > 0)
    return _NORMAL.cdf(above * math.sqrt((record.observations - 1) / spread))
