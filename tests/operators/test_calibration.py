"""The fractal dimension of fractional Brownian motion is what the table in the docs says."""

import csv

import numpy as np
import pytest

from operators.fractal import DEFAULT_METHOD, METHODS, fractal_dimension_index
from tests.conftest import ROOT

PATHS = 1500


def brownian(n: int, hurst: float, paths: int, random: np.random.Generator) -> np.ndarray:
    """Exact paths of n values, by Davies & Harte 1987: the covariance on a circle is diagonal under Fourier."""
    steps = n - 1
    k = np.arange(steps + 1)
    covariance = (np.abs(k + 1) ** (2 * hurst) - 2 * np.abs(k) ** (2 * hurst) + np.abs(k - 1.0) ** (2 * hurst)) / 2
    spectrum = np.fft.fft(np.concatenate([covariance, covariance[-2:0:-1]])).real
    assert spectrum.min() > 0
    size = len(spectrum)
    white = random.normal(size=(paths, size)) + 1j * random.normal(size=(paths, size))
    noise = np.fft.fft(np.sqrt(spectrum / size) * white).real[:, :steps]
    return np.concatenate([np.zeros((paths, 1)), noise.cumsum(axis=1)], axis=1)


def test_the_simulation_has_the_right_covariance() -> None:
    paths = brownian(20, 0.7, 40_000, np.random.default_rng(5))
    t, s = 19.0, 7.0
    want = (t**1.4 + s**1.4 - (t - s) ** 1.4) / 2
    assert np.mean(paths[:, 19] * paths[:, 7]) == pytest.approx(want, rel=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_the_table_in_the_docs_holds(method: str) -> None:
    with (ROOT / "docs" / "regime.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["estimator"] == method]
    assert len(rows) == 9
    random = np.random.default_rng(11)  # not that of the table
    for row in rows:
        window, hurst, bias, deviation = (float(row[name]) for name in ("window", "hurst", "bias", "deviation"))
        paths = brownian(int(window), hurst, PATHS, random)
        values = np.array([fractal_dimension_index(x, int(window), method)[-1] for x in paths])
        error = deviation * np.sqrt(1 / PATHS + 1 / float(row["paths"]))
        assert values.mean() - (2 - hurst) == pytest.approx(bias, abs=4 * error), row
        assert values.std() == pytest.approx(deviation, rel=0.1), row


def test_the_default_is_right_on_average() -> None:
    """D = 2 − H, for every window and H of the table."""
    with (ROOT / "docs" / "regime.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["estimator"] == DEFAULT_METHOD]
    assert all(abs(float(row["bias"])) < 0.026 for row in rows)
    assert all(0.5 - 0.05 < float(row["trending"]) < 0.5 + 0.05 for row in rows if row["hurst"] == "0.5")
