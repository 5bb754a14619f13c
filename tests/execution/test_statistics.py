"""Markouts, drawdown and the Sharpe ratio, by hand."""

import math

import numpy as np
import pytest

from operators.execution.statistics import drawdown, markouts, mean, sharpe_ratio


def test_markouts_look_at_the_last_row_that_is_not_later():
    row_ts, mid = np.array([0, 10, 20, 30]), np.array([100.0, 101.0, 102.0, 103.0])
    ts, side, price = np.array([0, 5, 5, 25]), np.array([1.0, 1.0, -1.0, 1.0]), np.array([100.0, 100.0, 100.0, 100.0])
    found = markouts(ts, side, price, row_ts, mid, 10)
    assert found[:3].tolist() == pytest.approx([100.0, 100.0, -100.0])
    assert math.isnan(found[3])  # the rows end at 30, before 35


def test_markouts_without_rows_are_unknown():
    found = markouts(np.array([1]), np.array([1.0]), np.array([1.0]), np.empty(0, np.int64), np.empty(0), 1)
    assert np.isnan(found).all()


def test_a_mean_leaves_out_what_is_unknown():
    assert mean(np.array([1.0, np.nan, 3.0])) == (2.0, 1.0, 2)
    assert math.isnan(mean(np.array([np.nan])).value)
    assert math.isnan(mean(np.array([4.0])).error)


def test_drawdown_begins_at_nothing():
    assert drawdown(np.array([-1.0, 2.0, 1.0, 3.0, 0.0])).tolist() == [-1.0, 0.0, -1.0, 0.0, -3.0]


def test_the_error_of_a_sharpe_ratio_is_what_many_samples_show():
    rng = np.random.default_rng(1)
    found = [sharpe_ratio(rng.normal(0.3, 1.0, 200)) for _ in range(2000)]
    assert np.mean([s.value for s in found]) == pytest.approx(0.3, abs=0.01)
    assert np.std([s.value for s in found]) == pytest.approx(np.mean([s.error for s in found]), rel=0.05)
    assert math.isnan(sharpe_ratio(np.ones(5)).value)
