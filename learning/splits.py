"""Splits of labelled rows into training and test, without labels that know of both (docs/learning.md, 2).

A label looks ahead: of two rows that follow each other, both may be about the same move. A training row is therefore
*purged* where its label's time meets that of a test block, and *embargoed* where it follows one too closely.

Source: López de Prado 2018, "Advances in Financial Machine Learning", §7.4 (purging, embargo) and §12.3–12.4 (the
combinatorial form and its paths).
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import BaseCrossValidator
from typing_extensions import override

from operators.arguments import as_count
from sources.durations import Duration
from sources.tape.batch import Int64s

Rows = npt.NDArray[np.intp]


class CombinatorialPurgedCV(BaseCrossValidator):
    """Every choice of test blocks, training rows purged and embargoed; a splitter of scikit-learn.

    Rows are sorted by ``start`` (stable) and cut into blocks by `numpy.array_split`. Each choice of ``n_test_blocks``
    of them is one split, in lexicographic order. Of the rows outside, a split leaves out what meets a test block's
    *hull*, from the first ``start`` of its rows to the last ``end``, both included: rows with ``[start, end]`` in
    touch with it, and rows that start up to ``embargo`` after it. Each block has a hull of its own, so rows between
    two test blocks may train.

        >>> start = [0, 10, 20, 30, 40, 50]
        >>> cv = CombinatorialPurgedCV(3, 1, start, [t + 10 for t in start], "5ns")
        >>> for train, test in cv.split(start):
        ...     print(train.tolist(), test.tolist())
        [3, 4, 5] [0, 1]
        [0, 5] [2, 3]
        [0, 1, 2] [4, 5]

    Attributes:
        n_paths: whole paths that the test predictions make, ``C(n_blocks − 1, n_test_blocks − 1)``.
    """

    def __init__(
        self, n_blocks: int, n_test_blocks: int, start: npt.ArrayLike, end: npt.ArrayLike, embargo: str = "0s"
    ) -> None:
        """Args:
        n_blocks: into how many blocks the rows are cut, from 2 on.
        n_test_blocks: how many of them a split tests on, from 1 on, fewer than ``n_blocks``.
        start, end: of each row's label, shape ``(n,)``: ns since 1970, or datetimes without a time zone; rows in any
            order.
        embargo: a duration, such as ``30s``; ``0s``: none.

        Raises:
            ValueError: an argument is out of range, or a row ends before it starts.
        """
        self.n_blocks = as_count("n_blocks", n_blocks, 2)
        self.n_test_blocks = as_count("n_test_blocks", n_test_blocks, 1)
        if self.n_test_blocks >= self.n_blocks:
            raise ValueError(f"n_test_blocks: {n_test_blocks} of n_blocks, {n_blocks}, leaves none to train on")
        self.start, self.end = _times("start", start), _times("end", end)
        if self.start.shape != self.end.shape:
            raise ValueError(f"end: has shape {self.end.shape}, start {self.start.shape}")
        if (backwards := self.end < self.start).any():
            row = int(backwards.argmax())
            raise ValueError(f"end: row {row} ends at {self.end[row]}, before it starts at {self.start[row]}")
        if len(self.start) < self.n_blocks:
            raise ValueError(f"n_blocks: {n_blocks} blocks of {len(self.start)} rows; every block needs one")
        try:
            self._embargo_ns = Duration.parse_or_zero(embargo).ns
        except ValueError as e:
            raise ValueError(f"embargo: {e}") from None
        self.embargo = embargo

    @property
    def n_paths(self) -> int:
        """Whole paths that the test predictions make."""
        return comb(self.n_blocks - 1, self.n_test_blocks - 1)

    @override
    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits, ``C(n_blocks, n_test_blocks)``."""
        return comb(self.n_blocks, self.n_test_blocks)

    @override
    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Training and test rows of each split, each as sorted row numbers.

        Args:
            X: the rows, of which only the number is read.
            y, groups: not read.

        Raises:
            ValueError: ``X`` has another number of rows than ``start``.
        """
        if np.shape(X)[:1] != self.start.shape:
            raise ValueError(f"X: has shape {np.shape(X)}; start has {len(self.start)} rows")
        blocks = self._blocks()
        left_out = [self._left_out(block) for block in blocks]
        for choice in self._choices():
            train = ~np.logical_or.reduce([left_out[b] for b in choice])
            yield np.flatnonzero(train), np.sort(np.concatenate([blocks[b] for b in choice]))

    def paths(self, predictions: Sequence[npt.ArrayLike]) -> npt.NDArray[Any]:
        """Whole paths from the test predictions of all splits: path j takes each block's j-th prediction, the splits
        in their order.

        Args:
            predictions: of each split, shape ``(rows of test, …)``, in the order of ``test``.

        Returns:
            Shape ``(n_paths, n, …)``.

        Raises:
            ValueError: a split is missing or one too many, or its predictions have another shape.
        """
        given = [np.asarray(each) for each in predictions]
        if len(given) != self.get_n_splits():
            raise ValueError(f"predictions: {len(given)} splits; there are {self.get_n_splits()}")
        blocks = self._blocks()
        more = given[0].shape[1:]
        out = np.empty((self.n_paths, len(self.start), *more), np.result_type(*given))
        taken = [0] * self.n_blocks
        for number, (choice, values) in enumerate(zip(self._choices(), given, strict=True)):
            test = np.sort(np.concatenate([blocks[b] for b in choice]))
            if values.shape != (len(test), *more):
                raise ValueError(f"predictions: split {number} has shape {values.shape}; its test has {len(test)} rows")
            for b in choice:
                out[taken[b], blocks[b]] = values[np.searchsorted(test, blocks[b])]
                taken[b] += 1
        return out

    def _choices(self) -> Iterator[tuple[int, ...]]:
        return combinations(range(self.n_blocks), self.n_test_blocks)

    def _blocks(self) -> list[Rows]:
        """Row numbers of each block, in the order of time."""
        return np.array_split(np.argsort(self.start, kind="stable"), self.n_blocks)

    def _left_out(self, block: Rows) -> npt.NDArray[np.bool_]:
        """Which rows do not train where a block is tested on, shape ``(n,)``: its own, what meets its hull, and what
        starts up to the embargo after it."""
        first, last = int(self.start[block[0]]), int(self.end[block].max())
        # A row that starts after the hull ends after its beginning, too, so that one comparison serves for both.
        out: npt.NDArray[np.bool_] = (self.end >= first) & (self.start <= last + self._embargo_ns)
        return out


class PurgedKFold(CombinatorialPurgedCV):
    """K contiguous folds by time, each the test block of one split: `CombinatorialPurgedCV` of one test block.

    Source: López de Prado 2018, §7.4; boundaries are inclusive, and the embargo is a time instead of a share of rows.
    """

    def __init__(self, n_blocks: int, start: npt.ArrayLike, end: npt.ArrayLike, embargo: str = "0s") -> None:
        """Args, and raises: as of `CombinatorialPurgedCV`."""
        super().__init__(n_blocks, 1, start, end, embargo)


def _times(name: str, values: npt.ArrayLike) -> Int64s:
    """Times in ns as int64, shape ``(n,)``."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise ValueError(f"{name}: no time at row {int(np.isnat(array).argmax())}")
        array = array.astype("datetime64[ns]").astype(np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        kind = array.dtype if array.ndim == 1 else f"shape {array.shape}"
        raise ValueError(f"{name}: {kind}; times are whole numbers of nanoseconds, one a row")
    return array.astype(np.int64)
