"""What keyed Bytewax steps have in common, whose state no recovery needs."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

from operators.row_batch import RowBatch

V = TypeVar("V")


class KeyedStep(StatefulBatchLogic[V, RowBatch, bytes], Generic[V]):
    """Values of one key in, rows out; an exception is told before it stops the run."""

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        """``on_error``: called with the exception that stops the step, before it propagates."""
        self._on_error = on_error

    @abstractmethod
    def take(self, values: list[V]) -> tuple[Iterable[RowBatch], bool]:
        """As `on_batch`; may raise."""

    @override
    def on_batch(self, values: list[V]) -> tuple[Iterable[RowBatch], bool]:
        try:
            return self.take(values)
        except Exception as e:
            self._on_error(e)
            raise

    @override
    def on_eof(self) -> tuple[Iterable[RowBatch], bool]:
        return [], StatefulBatchLogic.RETAIN

    @override
    def snapshot(self) -> bytes:
        return b""
