"""The tap as outputs of a Bytewax dataflow."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from operators.row_batch import RowSchema
from sources.placement import plain
from window.tap import FEATURES, Tap

Item = tuple[str, Any]


class TapSink(DynamicSink[Item]):
    """Shows every item to the tap; nothing it does waits for a browser."""

    def __init__(self, take: Callable[[Item], None]) -> None:
        self._take = take

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Partition":
        """The part of one worker."""
        return _Partition(self._take)


class _Partition(StatelessSinkPartition[Item]):
    def __init__(self, take: Callable[[Item], None]) -> None:
        self._take = take

    def write_batch(self, items: list[Item]) -> None:
        """Show them."""
        for item in items:
            self._take(item)


def feature_sink(tap: Tap) -> TapSink:
    """For feature rows."""
    return TapSink(partial(_rows, tap, FEATURES))


def row_sink(tap: Tap, schema: RowSchema) -> TapSink:
    """For the rows of another data set, which is declared."""
    tap.declare(schema)
    return TapSink(partial(_rows, tap, schema.name))


def tape_sink(tap: Tap) -> TapSink:
    """For the tape."""
    return TapSink(lambda item: tap.put_tape(item[1]))


def _rows(tap: Tap, name: str, item: Item) -> None:
    tap.put(name, plain(item[0]), item[1])
