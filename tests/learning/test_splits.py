"""The splitters against a walk over every pair of rows, and against two libraries that do the same."""

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import BaseCrossValidator, KFold, cross_val_score

from learning.splits import CombinatorialPurgedCV, PurgedKFold


def blocks_of(start: list[int], n_blocks: int) -> list[list[int]]:
    """Rows sorted by start, equals in their order, cut so that the first blocks have the rows left over."""
    rows = sorted(range(len(start)), key=lambda row: start[row])
    size, more = divmod(len(rows), n_blocks)
    sizes = [size + (b < more) for b in range(n_blocks)]
    return [[rows.pop(0) for _ in range(size)] for size in sizes]


def brute_force(
    start: list[int], end: list[int], n_blocks: int, n_test_blocks: int, embargo: int
) -> list[tuple[list[int], list[int]]]:
    """Every training row compared with every row of every test block."""
    blocks = blocks_of(start, n_blocks)
    splits = []
    for choice in combinations(range(n_blocks), n_test_blocks):
        test = sorted(row for b in choice for row in blocks[b])
        train = []
        for row in range(len(start)):
            leaks = row in test
            for b in choice:
                first, last = min(start[r] for r in blocks[b]), max(end[r] for r in blocks[b])
                meets = start[row] <= last and first <= end[row]
                follows = last <= start[row] <= last + embargo
                leaks = leaks or meets or follows
            if not leaks:
                train.append(row)
        splits.append((train, test))
    return splits


@st.composite
def labels(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Starts with ties, holes and in any order; ends at or after them."""
    start = draw(st.lists(st.integers(-20, 60), min_size=3, max_size=40))
    length = draw(st.lists(st.integers(0, 15), min_size=len(start), max_size=len(start)))
    return start, [a + b for a, b in zip(start, length, strict=True)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[int], int, int, int]:
    start, end = draw(labels())
    n_blocks = draw(st.integers(2, min(6, len(start))))
    return start, end, n_blocks, draw(st.integers(1, n_blocks - 1)), draw(st.integers(0, 10))


def as_lists(splits: Any) -> list[tuple[list[int], list[int]]]:
    return [(train.tolist(), test.tolist()) for train, test in splits]


@settings(max_examples=300, deadline=None)
@given(cases())
def test_every_pair_of_rows(case: tuple[list[int], list[int], int, int, int]) -> None:
    start, end, n_blocks, n_test_blocks, embargo = case
    cv = CombinatorialPurgedCV(n_blocks, n_test_blocks, start, end, f"{embargo}ns")
    assert as_lists(cv.split(start)) == brute_force(start, end, n_blocks, n_test_blocks, embargo)
    assert cv.get_n_splits() == comb(n_blocks, n_test_blocks)
    folds = PurgedKFold(n_blocks, start, end, f"{embargo}ns")
    assert as_lists(folds.split(start)) == brute_force(start, end, n_blocks, 1, embargo)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_paths_take_each_blocks_predictions_in_turn(case: tuple[list[int], list[int], int, int, int]) -> None:
    start, end, n_blocks, n_test_blocks, _ = case
    cv = CombinatorialPurgedCV(n_blocks, n_test_blocks, start, end)
    # The prediction tells its split and its row.
    predictions = [1000 * number + test for number, (_, test) in enumerate(cv.split(start))]
    paths = cv.paths(predictions)
    assert paths.shape == (cv.n_paths, len(start))
    assert cv.n_paths * n_blocks == n_test_blocks * cv.get_n_splits()  # k/N·C(N, k)
    assert (paths % 1000 == np.arange(len(start))).all()
    choices = list(combinations(range(n_blocks), n_test_blocks))
    for b, block in enumerate(blocks_of(start, n_blocks)):
        tested = [number for number, choice in enumerate(choices) if b in choice]
        for j, number in enumerate(tested):
            assert set(paths[j, block] // 1000) == {number}
    wide = cv.paths([np.column_stack([p, -p]) for p in predictions])
    assert (wide[..., 0] == paths).all()
    assert (wide[..., 1] == -paths).all()


def test_boundaries_are_inclusive() -> None:
    #        block 0      block 1      block 2
    start = [0, 10, 20, 30, 40, 50]
    end = [19, 20,        25, 39,      41, 51]  # fmt: skip
    cv = PurgedKFold(3, start, end)
    assert as_lists(cv.split(start))[1] == ([0, 4, 5], [2, 3])  # 1 ends as the hull begins, 0 a nanosecond before
    end[3] = 40
    assert as_lists(PurgedKFold(3, start, end).split(start))[1] == ([0, 5], [2, 3])  # 4 starts as the hull ends
    assert as_lists(PurgedKFold(3, start, end, "10ns").split(start))[1] == ([0], [2, 3])  # 5 starts 10 ns later
    assert as_lists(PurgedKFold(3, start, end, "9ns").split(start))[1] == ([0, 5], [2, 3])


def test_rows_between_two_test_blocks_train() -> None:
    start = list(range(0, 60, 10))
    splits = as_lists(CombinatorialPurgedCV(3, 2, start, start).split(start))
    assert splits[1] == ([2, 3], [0, 1, 4, 5])


@settings(max_examples=200, deadline=None)
@given(cases())
def test_without_overlap_and_embargo_it_is_kfold(case: tuple[list[int], list[int], int, int, int]) -> None:
    start = list(range(len(case[0])))
    ours = as_lists(PurgedKFold(case[2], start, start).split(start))
    assert ours == as_lists(KFold(case[2]).split(start))


@settings(max_examples=200, deadline=None)
@given(cases())
def test_purgedcv_agrees(case: tuple[list[int], list[int], int, int, int]) -> None:
    """purgedcv 0.1: labels are half-open, so that our ``[a, b]`` is its ``[a, b + 1)``. Rows must be sorted. An embargo
    counts from a label's end there, which is a nanosecond later; one of 0 is none, so that our 1 ns has no equal."""
    from purgedcv import CombinatorialPurgedCV as Theirs

    start, end, n_blocks, n_test_blocks, embargo = case
    if embargo == 1:
        embargo = 2
    order = sorted(range(len(start)), key=lambda row: start[row])
    start, end = [start[row] for row in order], [end[row] for row in order]
    theirs = Theirs(
        n_blocks,
        n_test_blocks,
        prediction_times=pd.to_datetime(start),
        evaluation_times=pd.to_datetime([t + 1 for t in end]),
        embargo=pd.Timedelta(max(0, embargo - 1), "ns"),
    )
    ours = CombinatorialPurgedCV(n_blocks, n_test_blocks, start, end, f"{embargo}ns")
    X = np.zeros((len(start), 1))
    assert as_lists(ours.split(X)) == as_lists(theirs.split(X))
    predictions = [1000.0 * number + test for number, (_, test) in enumerate(ours.split(X))]
    assert (ours.paths(predictions) == theirs.reconstruct_paths(predictions)).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 6), st.integers(2, 5), st.integers(0, 3), st.integers(0, 3), st.integers(8, 12))
def test_skfolio_agrees(n_blocks: int, n_test_blocks: int, purged: int, embargo: int, size: int) -> None:
    """skfolio 1.12: purging and embargo are numbers of rows, not times, so that labels must be of one length on a grid.
    Rows left over all go to its last block, so blocks must be of one size. It has no single test block, and refuses
    purging that leaves nothing of a block."""
    from skfolio.model_selection import CombinatorialPurgedCV as Theirs

    n_test_blocks = min(n_test_blocks, n_blocks - 1)
    start = np.arange(n_blocks * size)
    theirs = Theirs(n_folds=n_blocks, n_test_folds=n_test_blocks, purged_size=purged, embargo_size=embargo)
    ours = CombinatorialPurgedCV(n_blocks, n_test_blocks, start, start + purged, f"{embargo}ns")
    X = np.zeros((len(start), 1))
    assert as_lists(ours.split(X)) == [
        (train.tolist(), np.concatenate(tests).tolist()) for train, tests in theirs.split(X)
    ]
    assert ours.n_paths == theirs.n_test_paths
    # Its table of paths has the splits of each block, ours has them in the values.
    numbers = [np.full(len(test), number) for number, (_, test) in enumerate(ours.split(X))]
    assert (theirs.recombined_paths == ours.paths(numbers)[:, ::size].T).all()


def test_it_is_a_splitter_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    X = random.normal(size=(60, 2))
    start = np.arange(60) * 10
    cv = CombinatorialPurgedCV(4, 2, start, start + 25, "20ns")
    assert isinstance(cv, BaseCrossValidator)
    assert len(cross_val_score(LinearRegression(), X, X @ [1.0, 2.0], cv=cv)) == 6 == cv.get_n_splits()
    assert repr(cv).startswith("CombinatorialPurgedCV(embargo='20ns'")
    assert repr(PurgedKFold(2, [1, 2], [1, 2])).startswith("PurgedKFold(embargo='0s'")


def test_times_of_pandas() -> None:
    start = pd.date_range("2026-01-05", periods=6, freq="10s")
    cv = PurgedKFold(3, start, start + pd.Timedelta("10s"))
    assert as_lists(cv.split(start)) == as_lists(PurgedKFold(3, range(6), range(1, 7)).split(start))


def test_a_shuffle_shows_skill_where_there_is_none() -> None:
    """What purging is for: on a random walk, whose overlapping labels nothing foretells, a nearest neighbour in time
    has skill under shuffled folds, and none under purged ones."""
    from sklearn.neighbors import KNeighborsRegressor

    random = np.random.default_rng(3)
    walk = random.normal(size=2_050).cumsum()
    start = np.arange(2_000)
    X, y = start[:, None].astype(float), walk[50:2_050] - walk[:2_000]
    shuffled = cross_val_score(KNeighborsRegressor(5), X, y, cv=KFold(5, shuffle=True, random_state=1), scoring="r2")
    purged = cross_val_score(KNeighborsRegressor(5), X, y, cv=PurgedKFold(5, start, start + 50), scoring="r2")
    assert shuffled.min() > 0.9
    assert purged.mean() < 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((1, 1, [1, 2], [1, 2]), "n_blocks: 1 is not a whole number from 2 on"),
        ((2, 2, [1, 2], [1, 2]), "n_test_blocks: 2 of n_blocks, 2, leaves none to train on"),
        ((2, 0, [1, 2], [1, 2]), "n_test_blocks: 0 is not a whole number from 1 on"),
        ((3, 1, [1, 2], [1, 2]), "n_blocks: 3 blocks of 2 rows; every block needs one"),
        ((2, 1, [1, 5], [1, 4]), "end: row 1 ends at 4, before it starts at 5"),
        ((2, 1, [1, 5], [1, 4, 5]), r"end: has shape \(3,\), start \(2,\)"),
        ((2, 1, [1.0, 5.0], [1, 5]), "start: float64; times are whole numbers of nanoseconds"),
        ((2, 1, [[1, 5]], [1, 5]), r"start: shape \(1, 2\); times are"),
        ((2, 1, np.array(["2026-01-01", "NaT"], "M8[ns]"), [1, 5]), "start: no time at row 1"),
        ((2, 1, [1, 5], [1, 5], "soon"), "embargo: 'soon' is not a duration"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}[^\n]*$"):
        CombinatorialPurgedCV(*arguments)


def test_other_rows_and_predictions_are_refused() -> None:
    cv = PurgedKFold(2, [1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match=r"^X: has shape \(2,\); start has 3 rows$"):
        next(cv.split([1, 2]))
    with pytest.raises(ValueError, match=r"^predictions: 1 splits; there are 2$"):
        cv.paths([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"^predictions: split 1 has shape \(2,\); its test has 1 rows$"):
        cv.paths([[1.0, 2.0], [3.0, 4.0]])
