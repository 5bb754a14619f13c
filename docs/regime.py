"""Calibrates the estimators of fractal dimension and fills `docs/regime.md`: ``python docs/regime.py``, about a minute.

Fractional Brownian motion with Hurst exponent H has dimension D = 2 − H. Its increments are simulated exactly, by the
Cholesky factor of their covariance. `docs/regime.csv` holds the same numbers for the tests.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import antropy
import numpy as np
from fill import fill, table

from operators.fractal import METHODS, fractal_dimension_index

FOLDER = Path(__file__).parent
WINDOWS = (30, 100, 300)
HURST = (0.3, 0.5, 0.7)
PATHS = 10_000
PATHS_OF_OTHERS = 2_000
Estimator = Callable[[np.ndarray], float]


def fractional_noise(n: int, hurst: float, paths: int, random: np.random.Generator) -> np.ndarray:
    """Exact fractional Gaussian noise, shape ``(paths, n)`` (Asmussen & Glynn 2007, chapter XI, section 3a)."""
    k = np.arange(n)
    covariance = (np.abs(k + 1) ** (2 * hurst) - 2 * np.abs(k) ** (2 * hurst) + np.abs(k - 1.0) ** (2 * hurst)) / 2
    factor = np.linalg.cholesky(covariance[np.abs(k[:, None] - k)])
    return random.normal(size=(paths, n)) @ factor.T


def paths_from(noise: np.ndarray) -> np.ndarray:
    """Paths that begin at 0, shape ``(paths, n + 1)``."""
    return np.concatenate([np.zeros((len(noise), 1)), noise.cumsum(axis=1)], axis=1)


def by_variation(power: float, lags: tuple[int, ...]) -> Estimator:
    """``2 − slope/power`` of the log mean ``|x_i − x_{i−l}|^power`` against the log lag, clipped to [1, 2]."""
    log_lags = np.log(lags)
    weights = (log_lags - log_lags.mean()) / ((log_lags - log_lags.mean()) ** 2).sum() / power

    def estimate(x: np.ndarray) -> float:
        variation = [np.mean(np.abs(x[lag:] - x[:-lag]) ** power) for lag in lags]
        if min(variation) == 0.0:
            return 2.0 if variation[0] else 1.5
        return float(np.clip(2.0 - weights @ np.log(variation), 1.0, 2.0))

    return estimate


def ours(method: str) -> Estimator:
    """An estimator of docs/features.md, 4.7, through the class's kernel."""
    return lambda x: float(fractal_dimension_index(x, len(x), method)[-1])


OURS = {method: ours(method) for method in METHODS}
MORE_LAGS = {
    "madogram, lags 1 2 3": by_variation(1.0, (1, 2, 3)),
    "madogram, lags 1 2 4": by_variation(1.0, (1, 2, 4)),
}
OTHERS = {
    "Higuchi (antropy)": lambda x: float(antropy.higuchi_fd(x, kmax=min(10, len(x) // 5))),
    "Katz (antropy)": lambda x: float(antropy.katz_fd(x)),
    "Petrosian (antropy)": lambda x: float(antropy.petrosian_fd(x)),
}


def calibrate() -> list[dict[str, object]]:
    """Bias, standard deviation and the share called trending, per estimator, window and H."""
    random = np.random.default_rng(1)
    rows = []
    for window in WINDOWS:
        for hurst in HURST:
            paths = paths_from(fractional_noise(window - 1, hurst, PATHS, random))
            for name, estimate in {**OURS, **MORE_LAGS, **OTHERS}.items():
                values = np.array([estimate(x) for x in (paths[:PATHS_OF_OTHERS] if name in OTHERS else paths)])
                rows.append(
                    {
                        "estimator": name,
                        "window": window,
                        "hurst": hurst,
                        "bias": values.mean() - (2 - hurst),
                        "deviation": values.std(),
                        "trending": (values < 1.5).mean(),
                        "paths": len(values),
                    }
                )
    return rows


def on_prices() -> str:
    """Random walks that are no Brownian motion: heavy tails, and prices that stand still or move by a tick."""
    random = np.random.default_rng(2)
    rows = []
    for name, steps in (
        ("Gaussian steps", random.normal(size=(4000, 29))),
        ("Student t, 3 degrees of freedom", random.standard_t(3, size=(4000, 29))),
        ("rounded to ticks, σ = 2 ticks a step", None),
        ("rounded to ticks, σ = 0.5 ticks a step", None),
        ("rounded to ticks, σ = 0.1 ticks a step", None),
        ("bid–ask bounce of half a σ", None),
    ):
        if steps is not None:
            paths = paths_from(steps)
        else:
            walk = paths_from(random.normal(size=(4000, 29)))
            if name.startswith("rounded"):
                paths = np.round(walk * float(name.split()[5]))
            else:
                paths = walk + random.choice([-0.5, 0.5], size=walk.shape)
        row = [name]
        for estimate in {**OURS, **MORE_LAGS}.values():
            values = np.array([estimate(x) for x in paths])
            row.append(f"{values.mean():.2f} ± {values.std():.2f}")
        rows.append(row)
    return table(["window of 30", *OURS, *MORE_LAGS], rows)


def cost() -> str:
    """ns a value over a long series, best of five."""
    x = np.random.default_rng(3).normal(size=200_000).cumsum()

    def best(run: Callable[[], object]) -> str:
        run()
        seconds = []
        for _ in range(5):
            before = perf_counter()
            run()
            seconds.append(perf_counter() - before)
        return f"{min(seconds) / len(x) * 1e9:.0f}"

    rows = [
        [method, *(best(lambda n=n, method=method: fractal_dimension_index(x, n, method)) for n in WINDOWS)]
        for method in METHODS
    ]
    return table(["ns a value", *(f"window {n}" for n in WINDOWS)], rows)


def main() -> None:
    """Measure, and write the document's tables and the file for the tests."""
    rows = calibrate()
    with (FOLDER / "regime.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: f"{v:.5f}" if isinstance(v, float) and key != "hurst" else v for key, v in row.items()}
            )
    blocks = {}
    for window in WINDOWS:
        mine = {(row["estimator"], row["hurst"]): row for row in rows if row["window"] == window}
        head = [f"window {window}"]
        for hurst in HURST:
            head += [f"H = {hurst}: bias", "sd", "trending"]
        lines = []
        for name in (*OURS, *MORE_LAGS, *OTHERS):
            line = [name]
            for hurst in HURST:
                row = mine[name, hurst]
                line += [f"{row['bias']:+.3f}", f"{row['deviation']:.3f}", f"{row['trending']:.0%}"]
            lines.append(line)
        blocks[f"window {window}"] = table(head, lines)
    fill(FOLDER / "regime.md", {**blocks, "on prices": on_prices(), "cost": cost()})


if __name__ == "__main__":
    main()
