"""One end of the dataflow for data sets whose rows come together, in place of a step and an item for each of them."""

import contextlib
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Generic, TypeVar

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from operators.row_batch import RowBatch
from sinks.live_sink import LiveSink

T = TypeVar("T")


class PartsSink(DynamicSink[tuple[str, T]], Generic[T]):
    """Hands the parts of what flows in, keyed by ``venue:SYMBOL``, to the sinks that they belong to."""

    def __init__(self, sinks: Mapping[str, LiveSink[RowBatch]], on_item: Callable[[str, T], None]) -> None:
        """Args:
        sinks: by the attribute of an item that holds their rows.
        on_item: told of each item, and of its key, before its rows are written.
        """
        self._sinks = dict(sinks)
        self._on_item = on_item

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Parts[T]":
        """The part of one worker."""
        built = [(name, sink.build(step_id, worker_index, worker_count)) for name, sink in self._sinks.items()]
        return _Parts([(attrgetter(name), part) for name, part in built], self._on_item)


class _Parts(StatelessSinkPartition[tuple[str, T]], Generic[T]):
    def __init__(
        self,
        parts: list[tuple[Callable[[T], RowBatch], StatelessSinkPartition[Any]]],
        on_item: Callable[[str, T], None],
    ) -> None:
        self._parts = parts
        self._on_item = on_item

    def write_batch(self, items: list[tuple[str, T]]) -> None:
        """Append rows; a data set that has none is not asked."""
        for key, item in items:
            self._on_item(key, item)
        for rows_of, part in self._parts:
            some = [(key, rows) for key, item in items if (rows := rows_of(item)).rows]
            if some:
                part.write_batch(some)

    def close(self) -> None:
        """Each of them, even if another cannot be closed."""
        with contextlib.ExitStack() as stack:
            for _, part in reversed(self._parts):
                stack.callback(part.close)
