"""How much of the best of many configurations is luck. `learning` is imported here when it is asked for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dataflows.reports.text_table import TextTable
from sinks.trials import TrialSet

WORDS = (
    "Deflated: probability that the Sharpe ratio of the best is above what the best of as many without skill would "
    "show. PBO: how often the best of one half of the periods is in the lower half of the configurations in the other."
)
_BLOCKS = (16, 14, 12, 10, 8, 6, 4, 2)
_PERIODS_A_BLOCK = 8


class BestOfMany(NamedTuple):
    """Of the configurations on one subject; None where there is too little to tell.

    Attributes:
        best: number of the configuration with the highest Sharpe ratio.
        sharpe: its ratio, a period.
    """

    best: int
    sharpe: float
    deflated: float | None
    pbo: float | None


def best_of(trials: TrialSet) -> BestOfMany:
    """The best, how likely it is more than the best of as many without skill, and the probability of overfitting."""
    from learning.overfitting import deflated_sharpe_ratio, probability_of_backtest_overfitting, track_record

    x = trials.returns
    ratios = [track_record(column).sharpe if len(x) > 1 and np.ptp(column) > 0 else 0.0 for column in x.T]
    best = int(np.argmax(ratios))
    varies = len(x) > 2 and np.ptp(x[:, best]) > 0
    deflated = deflated_sharpe_ratio(x[:, best], ratios) if varies else None
    blocks = next((n for n in _BLOCKS if len(x) >= n * _PERIODS_A_BLOCK), 0)
    enough = blocks > 0 and x.shape[1] > 1
    pbo = probability_of_backtest_overfitting(x, blocks).pbo if enough else None
    return BestOfMany(best, ratios[best], deflated, pbo)


def luck_of(trials: Sequence[TrialSet]) -> TextTable:
    """A line a subject."""
    table = TextTable(("tried on", "configurations", "periods", "best Sharpe ratio a period", "deflated", "PBO"))
    for one in trials:
        found = best_of(one)
        table.add(
            one.subject,
            f"{one.returns.shape[1]:,}",
            f"{one.returns.shape[0]:,}",
            f"{found.sharpe:.4f}",
            *("-" if value is None else f"{value:.3f}" for value in (found.deflated, found.pbo)),
        )
    return table
