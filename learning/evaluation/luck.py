"""How much of the best forecaster's profit is luck."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from learning.overfitting import deflated_sharpe_ratio, probability_of_backtest_overfitting, track_record
from learning.rows import TrainingRows
from sources.tape.batch import Float64s

_BLOCKS = (10, 8, 6, 4, 2)  # of CSCV, the most that the rows allow
_ROWS_A_BLOCK = 10


class Luck(NamedTuple):
    """Of one horizon; NaN where there is too little to tell it by.

    Attributes:
        periods: returns that do not overlap.
        configurations: that were compared.
        sharpe: of the model, a period.
        deflated: probability that it is above what the best of as many without skill would show.
        pbo: probability of backtest overfitting of choosing the best.
        blocks: of CSCV.
    """

    horizon: str
    periods: int
    configurations: int
    sharpe: float
    deflated: float
    pbo: float
    blocks: int


def side_returns(rows: TrainingRows, centres: Mapping[str, Float64s], h: int, horizon_ns: int) -> dict[str, Float64s]:
    """What it would bring to hold one unit on the side of each forecast, before costs, a horizon at a time.

    Of each instrument the first row, and then the first that is a horizon later, so that returns do not overlap.

    Args:
        centres: forecasts of the horizon by forecaster, shape ``(n,)``.
    """
    kept: list[int] = []
    for number in range(len(rows.instruments)):
        mine = np.flatnonzero(rows.instrument == number)
        ts, at = rows.ts[mine], 0
        while at < len(mine):
            kept.append(int(mine[at]))
            at = int(np.searchsorted(ts, ts[at] + horizon_ns))
    chosen = np.sort(np.array(kept, np.intp))
    return {name: np.sign(centre[chosen]) * rows.returns[chosen, h] for name, centre in centres.items()}


def luck(horizon: str, model: str, returns: Mapping[str, Float64s]) -> Luck:
    """Probability of overfitting and deflated Sharpe ratio of what was tried.

    Args:
        model: the name of one of ``returns``, which share their rows.
    """
    names = list(returns)
    x = np.stack([returns[name] for name in names], axis=1)
    periods = len(x)
    ratios = [_sharpe(column) for column in x.T]
    own = x[:, names.index(model)]
    nothing = float("nan")
    deflated = deflated_sharpe_ratio(own, ratios) if periods > 2 and np.ptp(own) > 0 else nothing
    blocks = next((b for b in _BLOCKS if periods >= _ROWS_A_BLOCK * b), 0)
    pbo = probability_of_backtest_overfitting(x, blocks).pbo if blocks and len(names) > 1 else nothing
    return Luck(horizon, periods, len(names), ratios[names.index(model)], deflated, pbo, blocks)


def _sharpe(returns: Float64s) -> float:
    return track_record(returns).sharpe if len(returns) > 1 and np.ptp(returns) > 0 else 0.0
