"""The smallest fractional order that makes a series stationary: a grid, then bisection (docs/features.md, 4.9)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from operators.adf import Adf, NothingToTest, adf, is_constant, largest, scaled
from operators.ffd import ffd_into, ffd_weights
from sources.tape.batch import Float64s

LEAST_ROWS = 100  # of a differentiated series that is tested


class Trial(NamedTuple):
    """One order and what it does to the series."""

    d: float
    adf_stat: float
    adf_pvalue: float
    memory_retained: float


@dataclass(frozen=True)
class OptimalD:
    """The order found and its series.

    Attributes:
        d: the smallest order whose series is stationary; if there is none, the one with the lowest p-value.
        series: the fractional difference of order d, as long as the original; NaN while its window is not full.
        adf_stat, adf_pvalue, adf_critical_values: augmented Dickey–Fuller test of ``series`` (constant, lags by AIC).
        memory_retained: Pearson correlation of ``series`` with the original over the span they share.
        is_stationary: whether the p-value is below the threshold asked for.
        trials: every order tested, rising.
        note: what a reader must know of the result, empty if nothing.
    """

    d: float
    series: Float64s
    adf_stat: float
    adf_pvalue: float
    adf_critical_values: dict[str, float]
    memory_retained: float
    is_stationary: bool
    trials: tuple[Trial, ...]
    note: str


class _Search:
    """Tests orders of one series and remembers them."""

    def __init__(self, x: Float64s, weight_threshold: float, told: Callable[[Trial], None]) -> None:
        self.x = scaled(x)  # no test depends on the unit
        self.size = largest(self.x)
        self.trials: dict[float, Trial] = {}
        self.untestable: dict[float, str] = {}  # orders that leave nothing random, and what they leave
        self._weight_threshold = weight_threshold
        self._told = told

    def difference(self, d: float) -> Float64s:
        """The whole series, NaN first."""
        return difference(self.x, d, self._weight_threshold)

    def test(self, d: float) -> Trial | None:
        """Test one order; None if it leaves too few rows, or nothing but rounding that could be random."""
        series = self.difference(d)
        first = len(ffd_weights(d, self._weight_threshold)) - 1
        rest = series[first:]
        if len(rest) < LEAST_ROWS:
            return None
        try:
            result = adf(rest, size=self.size)
        except NothingToTest as e:
            self.untestable[d] = str(e).removeprefix("series: ")
            return None
        original = self.x[first:]
        memory = np.nan if is_constant(original, self.size) else _correlation(rest, original)
        self.trials[d] = Trial(d, result.stat, result.pvalue, memory)
        self._told(self.trials[d])
        return self.trials[d]

    def confirmed(self, d: float) -> Adf:
        """The test of the order chosen."""
        series = self.difference(d)
        return adf(series[~np.isnan(series)], confirm=True, size=self.size)

    def untested(self) -> str:
        """Which orders were not tested because they leave nothing random, in words; empty if none."""
        left: dict[str, list[float]] = {}
        for d, what in sorted(self.untestable.items()):
            left.setdefault(what, []).append(d)
        return "; ".join(f"not tested at d = {_few(orders)}: {what}" for what, orders in left.items())


def search(
    x: Float64s,
    pvalue: float,
    orders: Sequence[float],
    tolerance: float,
    weight_threshold: float,
    told: Callable[[Trial], None] = lambda trial: None,
) -> OptimalD:
    """Test every order of a grid, then bisect between the smallest that passes and the one before.

    Args:
        x: shape ``(n,)``, finite.
        pvalue: stationary means a p-value below.
        orders: rising, from 0 on; the series itself is order 0.
        tolerance: width of the interval that bisection ends with; its upper end, which passes, is the result.
        told: of each test as it is done.

    Raises:
        ValueError: the series is too short for any order; it is constant, or every order leaves a series that is not
            random, within rounding.
    """
    if len(x) < LEAST_ROWS:
        raise ValueError(f"series: {len(x)} values; a test needs {LEAST_ROWS}")
    if is_constant(x, largest(x)):
        within = "" if x.min() == x.max() else " within rounding"
        raise ValueError(f"series: constant{within}, {x[0]} throughout")
    run = _Search(x, weight_threshold, told)
    grid = [d for d in orders if run.test(d) is not None]
    if not grid and run.untestable:
        raise ValueError(f"series: {run.untested()}")
    if not grid:
        raise ValueError(f"series: {len(x)} values leave fewer than {LEAST_ROWS} of every order up to {orders[-1]:g}")
    passing = next((d for d in grid if run.trials[d].adf_pvalue < pvalue), None)
    notes = []
    if passing is None:
        best = min(grid, key=lambda d: run.trials[d].adf_pvalue)
        notes.append(f"no order up to {orders[-1]:g} is stationary")
    else:
        best = passing
        at = orders.index(best)
        below = orders[at - 1] if at > 0 else None
        if below is not None and below in run.untestable:
            pass  # said below, of all such orders
        elif below is not None and below not in run.trials:
            notes.append(f"orders below {best:g} leave fewer than {LEAST_ROWS} values and were not tested")
        elif below is not None:
            best = _bisect(run, below, best, pvalue, tolerance)
    if run.untestable:
        notes.append(run.untested())
    result = run.confirmed(best)
    return OptimalD(
        d=best,
        series=difference(x, best, weight_threshold),
        adf_stat=result.stat,
        adf_pvalue=result.pvalue,
        adf_critical_values=result.critical_values,
        memory_retained=run.trials[best].memory_retained,
        is_stationary=result.pvalue < pvalue,
        trials=tuple(run.trials[d] for d in sorted(run.trials)),
        note="; ".join(notes),
    )


def _bisect(run: _Search, failing: float, passing: float, pvalue: float, tolerance: float) -> float:
    while passing - failing > tolerance:
        middle = (failing + passing) / 2
        if middle in (failing, passing):  # neighbours: a smaller tolerance than their distance cannot be kept
            break
        trial = run.test(middle)
        if trial is not None and trial.adf_pvalue < pvalue:
            passing = middle
        else:
            failing = middle
    return passing


def difference(x: Float64s, d: float, weight_threshold: float) -> Float64s:
    """The fractional difference of a whole series, NaN first."""
    out = np.empty(len(x))
    ffd_into(x, ffd_weights(d, weight_threshold)[::-1].copy(), out)
    return out


def _few(orders: Sequence[float]) -> str:
    names = [f"{d:.4g}" for d in orders]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"


def _correlation(a: Float64s, b: Float64s) -> float:
    """Pearson's; NaN if one is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else np.nan
