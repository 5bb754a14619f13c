"""The difference of two runs, by hand and against what many samples show."""

import math

import numpy as np
import pytest

from operators.execution.paired import equity_difference, profit_difference


def test_each_holds_until_its_next_and_begins_with_nothing():
    ts, difference = equity_difference(
        np.array([10, 20, 20, 40]), np.array([1.0, 2.0, 3.0, 5.0]), np.array([15, 40]), np.array([10.0, 20.0])
    )
    assert ts.tolist() == [10, 15, 20, 40]
    assert difference.tolist() == [1.0, 1.0 - 10.0, 3.0 - 10.0, 5.0 - 20.0]


def test_a_run_less_itself_is_nothing():
    ts, equity = np.array([1, 2, 3]), np.array([1.0, -2.0, 4.0])
    found = profit_difference(equity_difference(ts, equity, ts, equity)[1])
    assert found == (0.0, 0.0, 3)


def test_without_rows_nothing_is_known():
    none = np.empty(0, np.int64), np.empty(0)
    assert math.isnan(profit_difference(equity_difference(*none, *none)[1]).value)
    ts, difference = equity_difference(np.array([1]), np.array([2.0]), *none)
    assert (ts.tolist(), difference.tolist()) == ([1], [2.0])
    assert math.isnan(profit_difference(difference).error)  # one change


def test_the_error_is_what_many_samples_show():
    rng = np.random.default_rng(2)
    found = [profit_difference(rng.normal(0.1, 2.0, 400).cumsum()) for _ in range(1000)]
    assert np.std([f.value for f in found]) == pytest.approx(np.mean([f.error for f in found]), rel=0.06)
    assert np.mean([f.value for f in found]) == pytest.approx(40.0, abs=5.0)
