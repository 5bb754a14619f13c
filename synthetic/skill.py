"""What a forecast of a planted price can attain at most, from the market's own signal.

Whoever sees the signal itself can do no better than ``edge·E[n]·s·(1 + φ + …)`` (`planted`). Features tell of it only
what the order flow shows, so a model of them attains less.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sources.instrument import Instrument
from sources.tape.batch import Float64s, Int64s
from synthetic.kernel import REFERENCE_STEP
from synthetic.parameters import MarketParameters
from synthetic.planted import DWELL_MS, MEAN_SQUARE, MEAN_TICKS, SIGNAL_VARIANCE, path
from synthetic.randomness import REFERENCE, stream_seed

NS_PER_MS = 1_000_000


class Skill(NamedTuple):
    """Of the best forecast of the return over a horizon.

    Attributes:
        expected_r2: share of the variance of returns that it explains, in the mean of all markets with this edge.
        r2: the same on this tape, 1 − Σ(y − ŷ)²/Σy². NaN if the tape is shorter than two horizons.
        rank: rank correlation of the signal with the return on this tape; NaN likewise. Without an edge it is luck.
        independent: stretches of a horizon that do not overlap: with few of them ``r2`` and ``rank`` are mostly luck.
    """

    expected_r2: float
    r2: float
    rank: float
    independent: int


def step_ms(p: MarketParameters) -> int:
    """Time between two moves of a planted price."""
    return p.diff_interval_ms or REFERENCE_STEP


def stay(p: MarketParameters) -> float:
    """Probability that the signal stays for a step."""
    return max(0.0, 1.0 - step_ms(p) / DWELL_MS)


def latent(instrument: Instrument, seed: int, steps: int, p: MarketParameters) -> tuple[Int64s, Float64s]:
    """Best bid in ticks, and signal, after each step of the market of this seed; shape ``(steps,)`` each.

    Raises:
        ValueError: the parameters have no edge.
    """
    if p.edge is None:
        raise ValueError("edge: None; only a planted price has a signal")
    rng = np.zeros(REFERENCE + 1, np.uint64)
    rng[REFERENCE] = stream_seed(seed, instrument, "reference")
    bids, signals = np.zeros(steps, np.int64), np.zeros(steps)
    path(p.edge, stay(p), p.first_price_ticks, 3 * p.levels, rng, bids, signals)
    return bids, signals


def expected_r2(edge: float, phi: float, steps: int) -> float:
    """R² of the best forecast over ``steps`` moves: the variance of its forecast over that of the returns, in ticks.

    >>> expected_r2(0.0, 0.99, 50)
    0.0
    >>> round(expected_r2(1.0, 0.99, 1), 3)  # E[n]²/3 over E[n²]
    0.09
    """
    planted = SIGNAL_VARIANCE * (edge * MEAN_TICKS) ** 2  # of the mean of one move
    powers = phi ** np.arange(steps)
    together = steps + 2.0 * float((steps - np.arange(1, steps)) @ powers[1:])  # Σ of φ^|i − j|
    variance = steps * (MEAN_SQUARE - planted) + planted * together
    return planted * float(powers.sum()) ** 2 / variance


def attainable(
    instrument: Instrument, seed: int, span_ns: int, horizons: Mapping[str, int], p: MarketParameters
) -> dict[str, Skill]:
    """The skill that a forecast of each horizon can attain at most.

    Args:
        horizons: ns by name. One shorter than a step is left out.

    Raises:
        ValueError: the parameters have no edge.
    """
    step_ns = step_ms(p) * NS_PER_MS
    bids, signals = latent(instrument, seed, span_ns // step_ns, p)
    phi, edge = stay(p), p.edge or 0.0
    log_mid = np.log(bids + 0.5)
    out = {}
    for name, ns in horizons.items():
        steps = ns // step_ns
        if not steps:
            continue
        r2 = rank = float("nan")
        if len(bids) > 2 * steps:
            returns = log_mid[steps:] - log_mid[:-steps]
            now = signals[:-steps]
            forecast = edge * MEAN_TICKS * now * float((phi ** np.arange(steps)).sum()) / (bids[:-steps] + 0.5)
            square = float(returns @ returns)
            r2 = 1.0 - float((returns - forecast) @ (returns - forecast)) / square if square else float("nan")
            rank = float(np.corrcoef(ranks(now), ranks(returns))[0, 1]) if square else float("nan")
        out[name] = Skill(expected_r2(edge, phi, steps), r2, rank, len(bids) // steps)
    return out


def ranks(x: Float64s) -> Float64s:
    """Ranks from 1; equals share their mean rank.

    >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    mean: Float64s = np.cumsum(counts) - (counts - 1) / 2
    return mean[place]
