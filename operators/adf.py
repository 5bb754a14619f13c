"""The augmented Dickey–Fuller test with the lag chosen by AIC, as statsmodels defines it, in a fraction of the time.

statsmodels fits one regression for every number of lags, each on a matrix of all rows. The regressions are nested and
their columns are one series shifted, so here the sums of products of all of them come from one pass over the series
(`lanes.dots`) and a recursion, and one Cholesky factor holds the residuals of all.

Sources: Said & Dickey 1984; Greene, "Econometric Analysis", for the default number of lags; MacKinnon 1994 and 2010 for
p-values and critical values, which are statsmodels' own.
"""

import math
import threading
import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from operators.ordered_dot import dots
from sources.tape.batch import Float64s

# Below these the moments do not carry enough digits, and statsmodels' own regressions are taken.
_LEAST_PIVOT = 1e-4  # of the Cholesky factor of the correlation matrix
_LEAST_RESIDUAL = 1e-7  # share of the variance that the lags leave
_TIE = 1e-6  # difference of AIC that rounding could turn
_CONFIRM = 20_000_000  # elements of the matrix up to which statsmodels gives the reported statistic itself

_ROUNDING = 16 * np.finfo(np.float64).eps  # of the largest value: differences up to it are rounding
_FOLLOWS = 1e-12  # of the largest value: what a regression with many lags leaves of a series that is not random
_filters = threading.Lock()  # those of warnings are the process's: two threads at once would not restore them
_SAFE = 1e9  # largest values from its inverse to it are taken as they are; others' squares, or beside 1, lose digits


class Adf(NamedTuple):
    """Result of the test: the null hypothesis is a unit root, a low p-value speaks for stationarity."""

    stat: float
    pvalue: float
    lags: int
    rows: int  # of the regression
    critical_values: dict[str, float]  # at "1%", "5%", "10%"


class _Unsafe(ArithmeticError):
    """The moments are too ill-conditioned to be trusted."""


class NothingToTest(ValueError):
    """But for rounding nothing in the series is random: the statistic would be that of the rounding."""


def scaled(x: Float64s) -> Float64s:
    """The series times a power of 2, which changes no digit, if squares of its values would leave what a float64 holds
    or if beside the regression's constant it would be lost; else the series itself.

    >>> bool(scaled(np.array([1e300, 2e300])).max() < 1)
    True
    """
    size = largest(x)
    return x if size == 0 or 1 / _SAFE <= size <= _SAFE else np.ldexp(x, -math.frexp(size)[1])


def largest(x: Float64s) -> float:
    """The largest absolute value."""
    return float(max(abs(x.min()), abs(x.max())))


def is_constant(x: Float64s, size: float) -> bool:
    """Whether the values differ by no more than the rounding of values up to ``size``."""
    return bool(x.max() / 2 - x.min() / 2 <= _ROUNDING * (size / 2))  # halves: the difference itself may overflow


def adf(x: Float64s, *, confirm: bool = False, size: float = 0.0) -> Adf:
    """``adfuller(x, regression="c", autolag="AIC")``: the same lag, the statistic within 1e-8.

    Args:
        x: shape ``(n,)``, finite, n ≥ 10.
        confirm: let statsmodels compute the statistic at that lag, so that it is equal to the bit; where its matrix
            would have more than 20 million elements this is left out.
        size: largest value that the series was computed from, if that is larger than its own: its rounding is that of
            these values.

    Raises:
        NothingToTest: within rounding the series or its differences are constant, or each value follows from those
            before.
    """
    own, x = largest(x), scaled(x)
    size = max(size * (largest(x) / own), largest(x)) if own else size
    if is_constant(x, size):
        raise NothingToTest("series: constant within rounding")
    if is_constant(np.diff(x), size):
        raise NothingToTest("series: its differences are constant within rounding")
    try:
        lags = best_lag(x)
        if confirm and len(x) * (lags + 2) <= _CONFIRM:
            return _by_statsmodels(x, lags)
        stat, rows = statistic(x, lags)
    except _Unsafe:
        if _residual(x) <= _FOLLOWS * size:
            raise NothingToTest("series: within rounding each value follows from those before") from None
        return _by_statsmodels(x, None)
    from statsmodels.tsa.adfvalues import mackinnoncrit, mackinnonp  # takes a second to import

    critical = mackinnoncrit(N=1, regression="c", nobs=rows)
    return Adf(stat, float(mackinnonp(stat, "c", 1)), lags, rows, _named(critical))


def most_lags(n: int) -> int:
    """The largest number of lags tried on ``n`` values: ``⌈12·(n/100)^¼⌉``, and enough rows for them."""
    return min(n // 2 - 2, math.ceil(12.0 * (n / 100.0) ** 0.25))


def best_lag(x: Float64s) -> int:
    """The number of lags with the lowest AIC, all fitted to the same rows.

    Args:
        x: shape ``(n,)``.

    Raises:
        _Unsafe: the regression is too close to singular, or two AIC are too close, to be sure of the digits.
    """
    most = most_lags(len(x))
    y_y, factor, rows = _factor(x, most, level_last=False)
    residual = y_y - np.cumsum(factor**2)
    if not residual[-1] > _LEAST_RESIDUAL * y_y:
        raise _Unsafe
    aic = rows * np.log(residual) + 2.0 * np.arange(most + 1)
    order = np.argsort(aic, kind="stable")
    if most > 0 and aic[order[1]] - aic[order[0]] < _TIE:
        raise _Unsafe
    return int(order[0])


def statistic(x: Float64s, lags: int) -> tuple[float, int]:
    """t-statistic of the level at a number of lags, and the rows of the regression.

    Args:
        x: shape ``(n,)``.

    Raises:
        _Unsafe: as `best_lag`.
    """
    y_y, factor, rows = _factor(x, lags, level_last=True)
    residual = y_y - np.sum(factor**2)
    if not residual > _LEAST_RESIDUAL * y_y:
        raise _Unsafe
    return float(factor[-1] / np.sqrt(residual / (rows - lags - 2))), rows


def _factor(x: Float64s, lags: int, *, level_last: bool) -> tuple[float, Float64s, int]:
    """Regression of Δx_t on 1, x_{t−1} and Δx_{t−1} … Δx_{t−lags}, by moments about the mean.

    Returns:
        ``y'y``; the coordinates of y along the orthonormal regressors (lags in order, the level first or last), whose
        squares are what each explains; the number of rows.
    """
    dx = np.diff(x)
    rows = len(dx) - lags
    level = x[lags:-1] - x[lags:-1].mean()
    moments = np.empty((lags + 2, lags + 2))  # Δx_t, Δx_{t−1}, …, Δx_{t−lags}, x_{t−1}
    first = np.empty(lags + 1)
    dots(dx, 0, dx[lags:], first, 0, lags + 1)
    moments[0, :-1] = first[::-1]
    start, end = dx[:lags][::-1], dx[len(dx) - lags :][::-1]
    for i in range(lags):  # one row later: a product enters at the start and one leaves at the end
        moments[i + 1, 1:-1] = moments[i, :-2] + start[i] * start - end[i] * end
        moments[i + 1, 0] = moments[0, i + 1]
    dots(dx, 0, level, first, 0, lags + 1)
    moments[-1, :-1] = moments[:-1, -1] = first[::-1]
    dots(level, 0, level, first, 0, 1)
    moments[-1, -1] = first[0]
    sums = np.append(x[len(dx) - lags :][::-1] - x[: lags + 1][::-1], level.sum())  # Σ Δx_{t−j} telescopes
    moments -= np.outer(sums, sums) / rows

    order = [*range(1, lags + 1), lags + 1] if level_last else [lags + 1, *range(1, lags + 1)]
    gram, cross = moments[np.ix_(order, order)], moments[0, order]
    scale = np.sqrt(np.maximum(np.diag(gram), 0.0))
    if not scale.min() > 0:
        raise _Unsafe
    try:
        lower = np.linalg.cholesky(gram / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise _Unsafe from None
    if not np.diag(lower).min() > _LEAST_PIVOT:
        raise _Unsafe
    along = np.linalg.solve(lower, cross / scale).astype(np.float64, copy=False)
    return float(moments[0, 0]), along, rows


def _residual(x: Float64s) -> float:
    """Root mean square of what the regression with the most lags leaves, each column in its own scale."""
    lags = most_lags(len(x))
    dx = np.diff(x)
    y = dx[lags:]
    columns = np.column_stack([x[lags:-1], *(dx[lags - j : len(dx) - j] for j in range(1, lags + 1))])
    columns -= columns.mean(axis=0)
    scale = np.abs(columns).max(axis=0)
    columns = columns[:, scale > 0] / scale[scale > 0]
    y = y - y.mean()
    return float(np.sqrt(np.mean((y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]) ** 2)))


def _by_statsmodels(x: Float64s, lags: int | None) -> Adf:
    from statsmodels.tsa.stattools import adfuller

    with _filters, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", module="statsmodels")
        r = adfuller(x, maxlag=lags, regression="c", autolag="AIC" if lags is None else None, result_object=True)
    return Adf(float(r.statistic), float(r.pvalue), int(r.lags), int(r.nobs), _named(r.critical_values.values()))


def _named(critical: Iterable[float]) -> dict[str, float]:
    return dict(zip(("1%", "5%", "10%"), map(float, critical), strict=True))
