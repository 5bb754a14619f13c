"""Fractional differences, the search for their order, and the library classes, beside what else computes the same.

    python benchmarks/bench_lab.py [--statsmodels-rows 100000]

Every figure is the best of several runs in one process; ratios are within this run. The search with statsmodels'
defaults takes minutes (20 s a test at 100 k values), so both search a coarse grid without bisection.
"""

import argparse
import os
import timeit
import warnings
from collections.abc import Callable
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.signal import oaconvolve
from statsmodels.tsa.stattools import adfuller

from operators.adf import adf
from operators.fracdiff import FractionalDifferentiator, find_optimal_d, frac_diff_ffd, get_weights_ffd
from operators.fractal import FractalDimensionIndex
from operators.ofi import OrderFlowImbalance

POINTS = 1_000_000
STEP = 0.25


def best(run: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        before = perf_counter()
        run()
        seconds.append(perf_counter() - before)
    return min(seconds)


def each(call: Callable[[], object], number: int = 100_000) -> float:
    """µs of one call, the loop's own cost left in."""
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def statsmodels_search(x: np.ndarray) -> tuple[float, float]:
    """The same grid with `numpy.convolve` and `adfuller` as they come: smallest order that passes, statistic."""
    passing = []
    for d in np.arange(0.0, 1.0 + STEP / 2, STEP):
        stat, pvalue, *_ = adfuller(np.convolve(x, get_weights_ffd(d), "valid") if d else x)
        if pvalue < 0.05:
            passing.append((float(d), float(stat)))
    return passing[0]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--statsmodels-rows", type=int, default=100_000, help="0 leaves that comparison out")
    rows = arguments.parse_args().statsmodels_rows
    warnings.simplefilter("ignore", FutureWarning)
    random = np.random.default_rng(1)
    table = Table("figure", box=None)
    table.add_column("value", justify="right")
    table.add_column("beside")

    x = random.normal(size=POINTS).cumsum()
    weights = get_weights_ffd(0.4)
    frac_diff_ffd(x[:5000], 0.4, threads=1)
    seconds: dict[str, list[float]] = {}
    for _ in range(5):  # in turn, so that a busy moment of the machine meets all of them
        for name, run in (
            ("one thread", lambda: frac_diff_ffd(x, 0.4, threads=1)),
            ("all cores", lambda: frac_diff_ffd(x, 0.4)),
            ("numpy.convolve", lambda: np.convolve(x, weights, "valid")),
            ("scipy oaconvolve", lambda: oaconvolve(x, weights, "valid")),
        ):
            seconds.setdefault(name, []).append(best(run, 1))
    fastest = {name: min(values) for name, values in seconds.items()}
    convolve = fastest["numpy.convolve"]
    for name, value in fastest.items():
        table.add_row(
            f"FFD of 1 M points, d = 0.4, {name}", f"{value * 1e3:.0f} ms", f"{convolve / value:.2f} × convolve"
        )

    fd, short = FractionalDifferentiator(d=0.4), FractionalDifferentiator(d=1.0)
    for v in x[:3000].tolist():
        fd.update(v)
        short.update(v)
    full, two = each(lambda: fd.update(1.5)), each(lambda: short.update(1.5))
    nothing = each(lambda: abs(1.5))
    table.add_row(
        "FractionalDifferentiator.update, window 1458",
        f"{full:.2f} µs",
        f"window 2 {two:.2f} µs, so the sum is {full - two:.2f}; an empty call {nothing:.2f}",
    )
    fdi = FractalDimensionIndex(window=30)
    table.add_row("FractalDimensionIndex.update, window 30", f"{each(lambda: fdi.update(1.5)):.2f} µs", "")
    ofi, sizes = OrderFlowImbalance(), np.ones(20)
    bids, asks = 100 - np.arange(20) / 2, 101 + np.arange(20) / 2
    update = each(lambda: ofi.update("A", 1, bids, sizes, asks, sizes), 5000)
    table.add_row("OrderFlowImbalance.update, 20 levels a side", f"{update:.0f} µs", "")

    if rows:
        y = 11 + 1e-4 * random.normal(size=rows).cumsum()
        adf(y)
        ours, theirs = best(lambda: adf(y)), best(lambda: adfuller(y), 1)
        table.add_row(f"ADF test of {rows:,} values", f"{ours * 1e3:.1f} ms", f"statsmodels {theirs:.1f} s")
        results = []
        ours = best(lambda: results.append(find_optimal_d(y, step=STEP, tolerance=STEP)), 3)
        theirs = best(lambda: results.append(statsmodels_search(y)), 1)
        mine, (d, stat) = results[0], results[-1]
        same = mine.d == d and abs(mine.adf_stat / stat - 1) < 1e-8
        table.add_row(
            f"find_optimal_d, {rows:,} values, {len(mine.trials)} orders",
            f"{ours:.2f} s",
            f"statsmodels {theirs:.0f} s, {theirs / ours:.0f} ×; {'the same' if same else 'ANOTHER'} d, {mine.d:g}",
        )
        whole = best(lambda: results.append(find_optimal_d(y)), 1)
        tested = len(results[-1].trials)
        table.add_row(f"find_optimal_d as it comes: {tested} orders", f"{whole:.2f} s", "")
    Console(width=150).print(table)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
