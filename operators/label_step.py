"""The keyed Bytewax operator that labels: one instrument's feature rows in, those that have labels out."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic
from typing_extensions import override

from operators.keyed_step import KeyedStep
from operators.labels.rows import RowLabeller
from operators.row_batch import NO_MORE_ROWS, RowBatch
from sources.instrument import Instrument
from sources.tape.batch import Int64s


class FeatureRows(NamedTuple):
    """Feature rows in the order of the tape, and where on it the features restart."""

    instrument: Instrument
    rows: RowBatch
    restarts: Int64s  # ordinals, as of `RowLabeller.process`
    ended: bool = False  # no more rows of the instrument will come


class LabelLogic(KeyedStep[FeatureRows]):
    """The keyed step."""

    def __init__(
        self, make_labeller: Callable[[Instrument], RowLabeller], on_error: Callable[[Exception], None]
    ) -> None:
        super().__init__(on_error)
        self._make_labeller = make_labeller
        self._labeller: RowLabeller | None = None

    @override
    def take(self, values: list[FeatureRows]) -> tuple[Iterable[RowBatch], bool]:
        """Label each batch in turn; after the last of an instrument, `NO_MORE_ROWS` and the end of the state."""
        if self._labeller is None:
            self._labeller = self._make_labeller(values[0].instrument)
        out = [part for value in values for part in self._labeller.process(value.rows, value.restarts)]
        if values[-1].ended:
            return [*out, *self._labeller.end(), NO_MORE_ROWS], StatefulBatchLogic.DISCARD
        return out, StatefulBatchLogic.RETAIN


def label(
    step_id: str,
    up: KeyedStream[FeatureRows],
    make_labeller: Callable[[Instrument], RowLabeller],
    *,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> KeyedStream[RowBatch]:
    """Label feature rows keyed by instrument.

    Args:
        make_labeller: called once for each instrument.
        on_error: called with the exception that stops the step, before it propagates.
    """
    return op.stateful_batch(step_id, up, lambda resume: LabelLogic(make_labeller, on_error))
