"""What is traded goes from one step into the journals of several data sets."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from operators.row_batch import RowBatch
from sinks.parts_sink import PartsSink

_NONE = np.empty((0, 0))


def rows(*ts: int) -> RowBatch:
    return RowBatch(np.array([ts], np.int64), np.empty((0, 0), np.int8), _NONE, _NONE)


class Two(NamedTuple):
    left: RowBatch
    right: RowBatch


class Kept:
    """In place of a `LiveSink`, and of its part of a worker."""

    def __init__(self, error: Exception | None = None) -> None:
        self.written: list[list[tuple[str, list[int]]]] = []
        self.closed = 0
        self._error = error

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Any:
        return self

    def write_batch(self, items: list[tuple[str, RowBatch]]) -> None:
        self.written.append([(key, batch.integer[0].tolist()) for key, batch in items])

    def close(self) -> None:
        self.closed += 1
        if self._error is not None:
            raise self._error


def test_rows_go_where_they_belong_and_nothing_is_asked_to_write_none() -> None:
    left, right, told = Kept(), Kept(), []
    sinks: Any = {"left": left, "right": right}
    part = PartsSink[Two](sinks, lambda key, item: told.append((key, item.left.rows))).build("s", 0, 1)
    part.write_batch([("a", Two(rows(1, 2), rows())), ("b", Two(rows(3), rows()))])
    part.write_batch([("a", Two(rows(), rows())), ("a", Two(rows(4), rows(5)))])
    assert left.written == [[("a", [1, 2]), ("b", [3])], [("a", [4])]]
    assert right.written == [[("a", [5])]]
    assert told == [("a", 2), ("b", 1), ("a", 0), ("a", 1)]


def test_one_that_cannot_be_closed_keeps_no_other_open() -> None:
    left, right = Kept(OSError("full")), Kept()
    sinks: Any = {"left": left, "right": right}
    part = PartsSink[Two](sinks, lambda key, item: None).build("s", 0, 1)
    with pytest.raises(OSError, match="full"):
        part.close()
    assert (left.closed, right.closed) == (1, 1)
