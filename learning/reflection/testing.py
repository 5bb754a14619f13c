"""Whether a rule would have helped: a test on episodes that its proposer has not seen (docs/reflecting.md, 5)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control
from scipy.stats import t as student

from sources.tape.batch import Float64s, Int64s

BLOCK_NS = 60_000_000_000  # episodes that open in one minute, of whatever instrument, are one observation


class Evidence(NamedTuple):
    """What a test found.

    Attributes:
        episodes: in which the rule holds.
        blocks: of time, that they lie in.
        mean: of their outcome after fees, basis points; ``error``: its standard error.
        others: mean of the other episodes.
        p: probability of so bad a mean if the rule's episodes lost nothing, or were no worse than the others.
    """

    episodes: int
    blocks: int
    mean: float
    error: float
    others: float
    p: float


def examine(net: Float64s, opened: Int64s, held: npt.NDArray[np.bool_], block_ns: int = BLOCK_NS) -> Evidence:
    """Test that episodes in which a rule holds lose money **and** are worse than the others: a strategy that loses
    always would otherwise be improved by any rule at all.

    Both are one-sided t-tests with standard errors that are robust to dependence within blocks of time (Cameron &
    Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", II.A); the larger p-value counts, which holds the
    level of both together (Berger 1982, "Multiparameter Hypothesis Testing and Acceptance Sampling").

    Args:
        net: outcome after fees, shape ``(episodes,)``; opened: ns.
        held: where the rule holds.
    """
    n, rest = int(held.sum()), int((~held).sum())
    mean = float(net[held].mean()) if n else math.nan
    others = float(net[~held].mean()) if rest else math.nan
    _, block = np.unique(opened // block_ns, return_inverse=True)
    mine, theirs = len(np.unique(block[held])), len(np.unique(block[~held]))
    if mine < 2 or theirs < 2:
        return Evidence(n, mine, mean, math.nan, others, 1.0)
    inside = np.bincount(block, np.where(held, net - mean, 0.0)) / n
    outside = np.bincount(block, np.where(held, 0.0, net - others)) / rest
    error = _error(inside, mine)
    worse = _error(inside - outside, len(np.unique(block)))
    p = max(_below(mean, error, mine - 1), _below(mean - others, worse, min(mine, theirs) - 1))
    return Evidence(n, mine, mean, error, others, p)


def _error(sums: Float64s, blocks: int) -> float:
    return math.sqrt(blocks / (blocks - 1) * float((sums * sums).sum()))


def _below(value: float, error: float, freedom: int) -> float:
    """Probability of a mean so low, were the true one 0."""
    if error == 0.0:
        return 0.0 if value < 0.0 else 1.0
    return float(student.cdf(value / error, freedom))


def adjusted(tests: Sequence[float]) -> list[float]:
    """p-values adjusted so that, of those at most α, a share of α is expected to be false, however they depend on each
    other: Benjamini & Yekutieli 2001.

    Args:
        tests: p-values of everything that was ever tested.
    """
    return [float(p) for p in false_discovery_control(list(tests), method="by")] if tests else []
