"""The keyed Bytewax operator that foretells: one instrument's feature rows in, its forecasts out."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic
from typing_extensions import override

from operators.keyed_step import KeyedStep
from operators.row_batch import NO_MORE_ROWS, RowBatch
from sources.instrument import Instrument
from sources.placement import plain


class InstrumentRows(NamedTuple):
    """Feature rows, and of which instrument: Bytewax does not tell a new logic its key."""

    key: str
    rows: RowBatch


class Foretelling(Protocol):
    """What a step has of one instrument: an `operators.models.predictions.Predictor`, or what stands for one."""

    def process(self, rows: RowBatch) -> RowBatch | None:
        """As of `Predictor`."""

    def snapshot(self) -> bytes:
        """As of `Predictor`."""

    def resume(self, data: bytes) -> None:
        """As of `Predictor`."""


class PredictLogic(KeyedStep[InstrumentRows]):
    """The keyed step."""

    def __init__(
        self,
        make_predictor: Callable[[Instrument], Foretelling],
        resume: bytes | None,
        keeps: bool,
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__(on_error)
        self._make_predictor = make_predictor
        self._resume = resume
        self._keeps = keeps
        self._predictor: Foretelling | None = None

    @override
    def take(self, values: list[InstrumentRows]) -> tuple[Iterable[RowBatch], bool]:
        """Foretell each batch in turn; no rows, such as `NO_MORE_ROWS`, are the last, and end the state."""
        if self._predictor is None:
            self._predictor = self._make_predictor(Instrument.parse(values[0].key))
            if self._resume is not None:
                self._predictor.resume(self._resume)
                self._resume = None
        told = [self._predictor.process(value.rows) for value in values if value.rows.rows]
        out = [rows for rows in told if rows is not None]
        if not values[-1].rows.rows:
            return [*out, NO_MORE_ROWS], StatefulBatchLogic.DISCARD
        return out, StatefulBatchLogic.RETAIN

    @override
    def snapshot(self) -> bytes:
        """State for recovery; Bytewax asks for it at the end of every epoch, whether it is of use or not."""
        if not self._keeps:
            return b""
        return self._resume or b"" if self._predictor is None else self._predictor.snapshot()


def predict(
    step_id: str,
    rows: KeyedStream[RowBatch],
    make_predictor: Callable[[Instrument], Foretelling],
    *,
    keeps: bool = False,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> KeyedStream[RowBatch]:
    """Foretell what follows feature rows.

    Args:
        rows: all of them, keyed by the routes of a `sources.placement.Placement`.
        make_predictor: called once for each instrument.
        keeps: a resumption may go on from the states.
        on_error: called with the exception that stops the step, before it propagates.
    """
    named = op.map(f"{step_id}_key", rows, lambda item: (item[0], InstrumentRows(plain(item[0]), item[1])))
    return op.stateful_batch(
        step_id, named, lambda resume: PredictLogic(make_predictor, resume or None, keeps, on_error)
    )
