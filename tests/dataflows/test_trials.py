import json
import threading

import numpy as np
import pytest

from dataflows.assembly.trials import period_returns
from dataflows.reports.luck import best_of, luck_of
from learning.overfitting import deflated_sharpe_ratio, probability_of_backtest_overfitting, track_record
from sinks.trials import Trial, read_trials, write_trials
from sources.errors import TickwaxError

SECOND = 1_000_000_000
NOW = 1_800_000_000_000_000_001  # no whole number of microseconds


def trial(number, returns, subject="okx_swap:A", last=10 * SECOND):
    return Trial("sweep", subject, {"strategy.n": number}, 0, last, np.asarray(returns, float))


def test_what_was_tried_comes_back_side_by_side(tmp_path):
    write_trials(tmp_path, [trial(1, [1, 2]), trial(2, [3, 4]), trial(1, [5, 6], "okx_swap:B")], NOW)
    write_trials(tmp_path, [trial(3, [7, 8]), trial(4, [9, 9, 9])], NOW)
    first, other, longer = read_trials(tmp_path)
    assert first.subject == "okx_swap:A"
    assert [json.loads(text) for text in first.configurations] == [{"strategy.n": n} for n in (1, 2, 3)]
    assert first.returns.tolist() == [[1, 3, 7], [2, 4, 8]]
    assert (other.subject, other.returns.tolist()) == ("okx_swap:B", [[5], [6]])
    assert longer.returns.shape == (3, 1)


def test_a_repeated_trial_counts_once(tmp_path):
    for now in (NOW, NOW + 1):
        write_trials(tmp_path, [trial(1, [1, 2])], now)
    assert len(list(tmp_path.iterdir())) == 2  # and none is replaced
    (found,) = read_trials(tmp_path)
    assert found.returns.shape == (2, 1)


def test_many_that_write_at_once_lose_nothing(tmp_path):
    threads = [threading.Thread(target=write_trials, args=(tmp_path, [trial(n, [n, 0])], NOW)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = read_trials(tmp_path)
    assert sorted(found.returns[0]) == list(range(16))


def test_what_a_killed_writer_left_is_not_read_and_damage_is_said(tmp_path):
    path = write_trials(tmp_path, [trial(1, [1, 2])], NOW)
    (tmp_path / f".{path.name}.part").write_bytes(b"half")
    assert len(read_trials(tmp_path)) == 1
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TickwaxError, match=path.name):
        read_trials(tmp_path)
    assert read_trials(tmp_path / "none") == []


def test_period_returns_by_hand():
    ts = np.array([1.5, 2.0, 2.5, 4.0]) * SECOND
    found = period_returns(ts.astype(np.int64), np.array([1.0, 2.0, 5.0, -1.0]), SECOND, int(4.7 * SECOND))
    # 1 s, 2 s, 3 s, 4 s: nothing yet, 2, 5, −1
    assert found.returns.tolist() == [2.0, 3.0, -6.0]
    assert (found.first, found.last) == (SECOND, 4 * SECOND)
    long = period_returns(ts.astype(np.int64), np.zeros(4), 0, 5000 * SECOND + 1)
    assert len(long.returns) == 833  # of 6 s


def test_luck_is_that_of_the_statistics(tmp_path):
    x = np.random.default_rng(1).normal(size=(200, 12))
    write_trials(tmp_path, [trial(n, column) for n, column in enumerate(x.T)], NOW)
    (trials,) = read_trials(tmp_path)
    found = best_of(trials)
    ratios = [track_record(column).sharpe for column in trials.returns.T]
    assert found.best == int(np.argmax(ratios))
    assert found.deflated == deflated_sharpe_ratio(trials.returns[:, found.best], ratios)
    assert found.pbo == probability_of_backtest_overfitting(trials.returns, 16).pbo
    assert luck_of([trials]).rows[0][:3] == ("okx_swap:A", "12", "200")


def test_of_too_little_nothing_is_told(tmp_path):
    write_trials(tmp_path, [trial(1, [0, 0]), trial(2, [0, 0])], NOW)
    assert best_of(read_trials(tmp_path)[0])[1:] == (0.0, None, None)
