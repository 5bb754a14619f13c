"""Rows of a data set to one Arrow table in memory, of which the instrument is a part."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from operators.row_batch import RowBatch, RowSchema, concat_rows
from sinks.error_reporting import watched
from sinks.replay_sink import Item
from sinks.row_format import arrow_schema, rows_to_arrow
from sources.instrument import Instrument
from sources.tape.arrow import arrow_words, to_arrow_array

_ROWS_AT_ONCE = 1 << 15  # of a batch of the table
_WORDS = pa.dictionary(pa.int32(), pa.string())


def with_instruments(parts: Sequence[tuple[Instrument, Sequence[pa.RecordBatch]]], schema: pa.Schema) -> pa.Table:
    """One table of the rows of several instruments, with the columns ``exchange`` and ``symbol`` before theirs.

    Args:
        parts: rows of each instrument, in order.
        schema: of each batch.
    """
    venues, symbols = (sorted({instrument[n] for instrument, _ in parts}) for n in range(2))
    words = arrow_words(venues), arrow_words(symbols)
    names = [pa.field("exchange", _WORDS, nullable=False), pa.field("symbol", _WORDS, nullable=False)]
    whole = pa.schema([*names, *schema], schema.metadata)
    batches = []
    for instrument, own in parts:
        codes = venues.index(instrument.venue), symbols.index(instrument.symbol)
        for batch in own:
            keys = [
                pa.DictionaryArray.from_arrays(to_arrow_array(np.full(len(batch), c, np.int32), pa.int32()), each)
                for c, each in zip(codes, words, strict=True)
            ]
            batches.append(pa.RecordBatch.from_arrays([*keys, *batch.columns], schema=whole))
    return pa.Table.from_batches(batches, whole)


class FrameSink(DynamicSink[Item]):
    """Keeps what flows in, keyed by ``venue:SYMBOL``, for `table`."""

    def __init__(
        self,
        schema: RowSchema,
        instruments: Sequence[Instrument],
        on_error: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Args:
        instruments: those of the table, in its order.
        on_error: called with the exception that stops the sink, before it propagates.
        """
        self._on_error = on_error
        self._schema = schema
        self._arrow = arrow_schema(schema)
        self._instruments = instruments
        self._lock = threading.Lock()  # workers may be threads
        self._waiting: dict[str, list[RowBatch]] = {}
        self._batches: dict[str, list[pa.RecordBatch]] = {}
        self.rows_pending = 0  # number of rows

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[Item]:
        """The part of one worker."""
        return _FramePartition(self)

    def add(self, key: str, rows: RowBatch) -> None:
        """Append rows of an instrument; none: no more will come."""
        with watched(self._on_error), self._lock:
            waiting = self._waiting.setdefault(key, [])
            if rows.rows:
                waiting.append(rows)
                self.rows_pending += rows.rows
            if waiting and (not rows.rows or sum(part.rows for part in waiting) >= _ROWS_AT_ONCE):
                self._pack(key)

    def table(self) -> pa.Table:
        """All rows: instrument by instrument, each in the order of its tape."""
        with self._lock:
            for key in self._waiting:
                self._pack(key)
            return with_instruments([(i, self._batches.get(str(i), [])) for i in self._instruments], self._arrow)

    def _pack(self, key: str) -> None:
        rows = concat_rows(self._waiting[key])
        if rows is not None:
            self._batches.setdefault(key, []).append(rows_to_arrow(rows, self._schema, self._arrow))
        self._waiting[key] = []


class _FramePartition(StatelessSinkPartition[Item]):
    def __init__(self, sink: FrameSink) -> None:
        self._sink = sink

    def write_batch(self, items: list[Item]) -> None:
        """Append them."""
        for key, rows in items:
            self._sink.add(key, rows)
