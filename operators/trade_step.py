"""The keyed Bytewax operator that trades: one instrument's tape batches in, what they gave out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic

from operators.execution.schemas import SCHEMAS
from operators.feature_step import StateKeeper
from operators.mark import MARK_BYTES, TradeMark
from operators.placement.log import PLACEMENTS
from operators.row_batch import NO_MORE_ROWS
from operators.rules.schemas import APPLIED
from operators.trade_engine import Traded, TradeEngine
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch

NO_MORE = Traded(NO_MORE_ROWS, NO_MORE_ROWS, NO_MORE_ROWS, NO_MORE_ROWS, NO_MORE_ROWS, NO_MORE_ROWS)
# Data sets of which `TradeMark` counts the rows: in its order, which is that of `Traded` behind the features.
COUNTED = (*SCHEMAS, APPLIED, PLACEMENTS)


OnEnd = Callable[[Instrument, TradeEngine, int, Sequence[int]], None]


class TradeLogic(StatefulBatchLogic[InstrumentBatch, Traded, bytes]):
    """The keyed step."""

    def __init__(
        self,
        make_engine: Callable[[Instrument], TradeEngine],
        first_ordinal: Callable[[Instrument], int],
        on_error: Callable[[Exception], None],
        first_row: Callable[[Instrument, int], None] = lambda instrument, ordinal: None,
        past: Callable[[Instrument], list[Traded]] = lambda instrument: [],
        on_end: OnEnd = lambda instrument, engine, ordinal, rows: None,
        keeper: StateKeeper | None = None,
        resume: bytes | None = None,
    ) -> None:
        self._make_engine = make_engine
        self._first_ordinal = first_ordinal
        self._first_row = first_row
        self._past = past
        self._on_end = on_end
        self._on_error = on_error
        self._keeper = keeper
        self._resume = resume
        self._instrument: Instrument | None = None
        self._engine: TradeEngine | None = None
        self._first = 0
        self._mark = TradeMark()

    def on_batch(self, values: list[InstrumentBatch]) -> tuple[Iterable[Traded], bool]:
        """Process each batch in turn; after the last of a tape, `NO_MORE` and the end of the state, unless it is kept
        for recovery."""
        try:
            traded = self._begun(values[0]) if self._engine is None else []
            assert self._engine is not None
            ordinal = self._mark.next_ordinal
            for value in values:
                batch, lead = value.batch, 0
                if batch.rows:
                    lead = max(0, min(batch.rows, self._first - int(batch.ordinal[0])))
                    ordinal = int(batch.ordinal[-1]) + 1
                if lead:
                    self._engine.lead(batch.slice(0, lead), value.cut_levels)
                    batch = batch.slice(lead, batch.rows)
                traded += self._engine.trade(batch, value.cut_levels)
            counts = list(self._mark[1:])
            for part in traded:
                for i, rows in enumerate(part[1:]):
                    counts[i] += rows.rows
            self._mark = TradeMark(ordinal, *counts)
            if values[-1].ended and self._keeper is None:
                self._engine.end()
                return [*traded, NO_MORE], StatefulBatchLogic.DISCARD
            return traded, StatefulBatchLogic.RETAIN
        except Exception as e:
            self._on_error(e)
            raise

    def _begun(self, value: InstrumentBatch) -> list[Traded]:
        instrument, batch = value.instrument, value.batch
        self._instrument = instrument
        self._engine = self._make_engine(instrument)
        self._first = self._first_ordinal(instrument)
        if self._resume is not None and self._keeper is not None:
            data, self._resume = self._keeper.load(str(instrument), self._resume), None
            self._mark = TradeMark.of(data)
            self._engine.resume(data[MARK_BYTES:])
        if batch.rows:
            self._first_row(instrument, int(batch.ordinal[0]))
        return self._past(instrument)

    def on_eof(self) -> tuple[Iterable[Traded], bool]:
        """Nothing more: a live run has ended in order."""
        if self._engine is not None and self._instrument is not None and self._mark.next_ordinal > 0:
            self._on_end(self._instrument, self._engine, self._mark.next_ordinal - 1, self._mark[1:])
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> Any:
        """State for recovery; Bytewax asks for it at the end of every epoch, whether it is of use or not."""
        if self._keeper is None:
            return b""
        if self._engine is None:
            return self._resume or b""
        try:
            return self._keeper.keep(str(self._instrument), [self._mark.pack(), self._engine.snapshot()])
        except Exception as e:
            self._on_error(e)
            raise


def trade(
    step_id: str,
    up: KeyedStream[InstrumentBatch],
    make_engine: Callable[[Instrument], TradeEngine],
    *,
    first_ordinal: Callable[[Instrument], int] = lambda instrument: 0,
    first_row: Callable[[Instrument, int], None] = lambda instrument, ordinal: None,
    past: Callable[[Instrument], list[Traded]] = lambda instrument: [],
    on_end: OnEnd = lambda instrument, engine, ordinal, rows: None,
    keeper: StateKeeper | None = None,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> KeyedStream[Traded]:
    """Trade on tape batches keyed by instrument.

    Args:
        make_engine: called once for each instrument.
        first_ordinal: rows before it only make the book known.
        first_row: told of the ordinal of each instrument's first row, before anything comes of it.
        past: what comes before all that an instrument's rows give.
        on_end: told of each engine, of the ordinal of its last tape row, and of how many rows it gave of each of
            `COUNTED`, when a live run has ended in order.
        keeper: of the states; None: nothing is resumed.
        on_error: called with the exception that stops the step, before it propagates.
    """
    asked = (make_engine, first_ordinal, on_error, first_row, past, on_end, keeper)
    return op.stateful_batch(step_id, up, lambda resume: TradeLogic(*asked, resume or None))
