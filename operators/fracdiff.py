"""Fractional differentiation for notebooks: one value at a time, a whole series at once, and the smallest order that
makes a series stationary. The kernels, and so the bits, are those of the dataflow (`operators.ffd`).

Source: López de Prado 2018, "Advances in Financial Machine Learning", chapter 5, sections 5.4 to 5.6.

    >>> fd = FractionalDifferentiator(d=1.0)
    >>> [fd.update(x) for x in (1.0, 4.0, 9.0)]
    [None, 3.0, 5.0]
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from operators.arguments import as_array, as_count, as_fractional_order, as_number, as_threshold
from operators.ffd import ffd_into, ffd_push, ffd_weights
from operators.optimal_d import OptimalD, Trial, search
from operators.ordered_dot import dots
from sources.tape.batch import Float64s

__all__ = ["FractionalDifferentiator", "OptimalD", "find_optimal_d", "frac_diff_ffd", "get_weights_ffd"]

_CHUNK = 65_536  # values of a long series that one thread takes at a time
MOST_ORDERS = 10_000  # of a grid


def get_weights_ffd(d: float, threshold: float = 1e-5) -> Float64s:
    """Weights ``w_0 = 1, w_k = −w_{k−1}·(d−k+1)/k`` while ``|w_k| ≥ threshold``, at most 10 000; newest value first.

    Raises:
        ValueError: ``d`` is outside [0, 2], or ``threshold`` outside (0, 1].

    >>> len(get_weights_ffd(0.4))
    1458
    """
    return ffd_weights(as_fractional_order(d), as_threshold(threshold))


def frac_diff_ffd(series: Any, d: float, threshold: float = 1e-5, *, threads: int | None = None) -> Float64s:
    """The fractional difference of a whole series, shape ``(n,)``; NaN for the first K − 1 of K weights.

    Order 0 is the series itself. The same bits as `FractionalDifferentiator` gives value by value, whatever the number
    of threads.

    Args:
        series: n numbers, oldest first: list, tuple, NumPy array, pandas or Polars series.
        threads: for long series, 1 or more; None is one a core.

    Raises:
        ValueError: an argument is out of range, or the series has another shape, NaN or infinite values.
    """
    x = as_array("series", series)
    weights = get_weights_ffd(d, threshold)[::-1].copy()
    out = np.empty(len(x))
    before = len(weights) - 1
    starts = range(before, len(x), _CHUNK)

    def part(start: int) -> None:
        dots(x, start - before, weights, out, start, min(_CHUNK, len(x) - start))

    most = (os.cpu_count() or 1) if threads is None else as_count("threads", threads, 1)
    count = min(len(starts), most)
    if count <= 1:
        ffd_into(x, weights, out)
        return out
    out[:before] = np.nan
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(part, starts))
    return out


class FractionalDifferentiator:
    """The fractional difference of a stream of values.

    >>> fd = FractionalDifferentiator(d=0.5, threshold=0.1)
    >>> fd.window_size, [fd.update(x) for x in (1.0, 4.0, 9.0)]
    (3, [None, None, 6.875])

    Attributes:
        d, threshold: as given.
        window_size: number of weights K, and so of values that one result needs.
    """

    def __init__(self, d: float, threshold: float = 1e-5) -> None:
        """Raises:
        ValueError: ``d`` is outside [0, 2], or ``threshold`` outside (0, 1].
        """
        self.d, self.threshold = as_fractional_order(d), as_threshold(threshold)
        self._weights = ffd_weights(self.d, self.threshold)[::-1].copy()
        self.window_size = len(self._weights)
        self._history = np.zeros(2 * self.window_size)
        self._seen = 0

    def update(self, x: float) -> float | None:
        """Add a value; the newest fractional difference, None until the window is full.

        Raises:
            ValueError: ``x`` is no finite number; it is not added.
        """
        if type(x) is not float or not -math.inf < x < math.inf:
            x = as_number("x", x)
        y: float = ffd_push(self._history, self._seen, self._weights, x)
        self._seen += 1
        return y if self._seen >= self.window_size else None

    def reset(self) -> None:
        """Forget every value."""
        self._seen = 0


def find_optimal_d(
    series: Any,
    adf_pvalue_threshold: float = 0.05,
    *,
    max_d: float = 1.0,
    step: float = 0.05,
    tolerance: float = 0.001,
    threshold: float = 1e-5,
    progress: Callable[[Trial], None] = lambda trial: None,
) -> OptimalD:
    """The smallest order d whose fractional difference is stationary: a grid from 0, then bisection.

    Stationary is what the augmented Dickey–Fuller test with a constant and its lags chosen by AIC calls so
    (`operators.adf`). An order is tested if it leaves 100 values or more.

    >>> walk = np.cumsum(np.random.default_rng(1).standard_normal(2000))
    >>> best = find_optimal_d(walk, threshold=1e-3)
    >>> 0 < best.d < 1, best.is_stationary, best.memory_retained > 0.5
    (True, True, True)

    Args:
        series: n numbers, oldest first, such as log prices.
        adf_pvalue_threshold: p-values below are stationary.
        max_d: largest order tested, above 0 and up to 2.
        step: of the grid.
        tolerance: how close the result is to an order that fails.
        threshold: weight cut-off.
        progress: told of each order as it is tested.

    Raises:
        ValueError: an argument is out of range; the series has another shape, NaN or infinite values, is constant or
            shorter than every order needs.
    """
    x = as_array("series", series)
    pvalue = as_number("adf_pvalue_threshold", adf_pvalue_threshold)
    if not 0 < pvalue < 1:
        raise ValueError(f"adf_pvalue_threshold: {adf_pvalue_threshold!r} is outside 0 to 1 (both excluded)")
    most = as_number("max_d", max_d)
    if not 0 < most <= 2:
        raise ValueError(f"max_d: {max_d!r} is outside 0 (excluded) to 2")
    for name, value in (("step", step), ("tolerance", tolerance)):
        if not 0 < as_number(name, value) <= most:
            raise ValueError(f"{name}: {value!r} is outside 0 (excluded) to max_d, {most:g}")
    if most / step > MOST_ORDERS:
        raise ValueError(f"step: {step!r} makes {most / step:.3g} orders up to {most:g}; at most {MOST_ORDERS}")
    orders = [min(round(i * step, 12), most) for i in range(math.ceil(most / step - 1e-9) + 1)]
    return search(x, pvalue, orders, tolerance, as_threshold(threshold), progress)
