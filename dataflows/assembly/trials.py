"""What a backtest brought, period by period, as a trial among others."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sinks.trials import Trial
from sources.instrument import Instrument
from sources.tape.batch import Float64s, Int64s

_SECOND = 1_000_000_000
_MOST = 1000  # periods of a trial


class PeriodReturns(NamedTuple):
    """Changes of equity over equal periods, from the begin of the first to the end of the last, ns."""

    first: int
    last: int
    returns: Float64s


def period_returns(ts: Int64s, equity: Float64s, first: int, last: int) -> PeriodReturns:
    """Changes of equity over equal periods of a range.

    A period is a whole number of seconds, one at least, and no more than 1,000 of them fill the range; what is left
    over at the end is left out. Periods depend on the range alone: configurations stand side by side in time. Before
    its first row an account is worth 0.

    Args:
        ts: ns, shape ``(rows,)``, rising.
        equity: of the same shape.
        first, last: ns.
    """
    period = max(1, -(-(last - first) // (_MOST * _SECOND))) * _SECOND
    edges = first + period * np.arange((last - first) // period + 1)
    at = np.searchsorted(ts, edges, side="right") - 1
    worth = np.where(at >= 0, equity[np.maximum(at, 0)], 0.0)
    return PeriodReturns(first, int(edges[-1]), np.diff(worth))


def tried(source: str, instrument: Instrument, configuration: Mapping[str, Any], found: PeriodReturns) -> Trial:
    """A backtest of an instrument as a trial."""
    return Trial(source, str(instrument), configuration, *found)
