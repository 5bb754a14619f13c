"""Drift: ADWIN against river and by brute force, the population stability index against its definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN

from operators.models.drift import (
    BINS,
    CHANGES,
    DELTA,
    TOTAL,
    VARIANCE,
    WIDTH,
    adwin,
    count_bins,
    population_stability,
    reference,
    take_all,
)


def changes(values: np.ndarray) -> tuple[list[int], object]:
    state, room = adwin(), np.zeros(len(values), np.int64)
    n = take_all(state, values, room)
    assert state.counts[CHANGES] == n
    return room[:n].tolist(), state


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 3000), st.sampled_from([0.0, 0.2, 0.5, 3.0]))
def test_it_sees_the_first_change_when_river_does(seed: int, at: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    values = random.random(4000) + shift * (np.arange(4000) >= at)
    theirs = ADWIN(delta=DELTA)
    seen, state = changes(values)
    for i, x in enumerate(values):
        theirs.update(x)
        if theirs.drift_detected:
            assert seen[0] == i
            break
    else:
        assert seen == []
        assert state.counts[WIDTH] == theirs.width == 4000
        assert state.sums[TOTAL] == pytest.approx(theirs.total, rel=1e-12)
        assert state.sums[VARIANCE] == pytest.approx(theirs.variance, rel=1e-9)  # of the squares, no mean


def test_a_window_is_what_is_left_of_the_numbers() -> None:
    """After changes the sums are still those of the newest numbers."""
    random = np.random.default_rng(1)
    values = np.concatenate([random.random(777) + level for level in (0, 2, 1, 5, 5.5)])
    seen, state = changes(values)
    assert len(seen) >= 4
    window = values[-int(state.counts[WIDTH]) :]
    assert state.sums[TOTAL] == pytest.approx(window.sum(), rel=1e-12)
    assert state.sums[VARIANCE] == pytest.approx(((window - window.mean()) ** 2).sum(), rel=1e-9)
    assert len(window) < 1000


def test_what_does_not_change_is_left_alone() -> None:
    false = sum(len(changes(np.random.default_rng(seed).random(20_000) < 0.1)[0]) for seed in range(20))
    assert false <= 2


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 300))
def test_bins_by_brute_force(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 2)).round(1)
    x[random.random((n, 2)) < 0.1] = np.nan
    x[random.random((n, 2)) < 0.02] = np.inf
    kept = reference(x)
    edges, shares = kept[:, : BINS - 1], kept[:, BINS - 1 :]
    for c in range(2):
        expected = [0] * (BINS + 1)
        for value in x[:, c]:
            expected[BINS if math.isnan(value) else sum(value > edge for edge in edges[c])] += 1
        np.testing.assert_allclose(shares[c], np.array(expected) / n)
    again = np.zeros((2, BINS + 1), np.int64)
    count_bins(x, edges, again)
    np.testing.assert_array_equal(population_stability(shares, again), 0.0)


def test_population_stability_by_hand() -> None:
    shares, counts = np.array([[0.5, 0.5, 0.0]]), np.array([[30, 60, 10]])
    expected = -0.2 * math.log(0.6) + 0.1 * math.log(1.2) + (0.1 - 1e-4) * math.log(0.1 / 1e-4)
    assert population_stability(shares, counts)[0] == pytest.approx(expected)
    assert np.isnan(population_stability(shares, 0 * counts)[0])
    random = np.random.default_rng(0)
    kept = reference(random.normal(size=(5000, 3)))
    moved = np.zeros((3, BINS + 1), np.int64)
    count_bins(random.normal([0.0, 0.3, 1.0], size=(5000, 3)), kept[:, : BINS - 1], moved)
    same, some, much = population_stability(kept[:, BINS - 1 :], moved)
    assert same < 0.02 < 0.05 < some < 0.25 < much
