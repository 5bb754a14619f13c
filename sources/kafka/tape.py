"""The tape in a topic: what a message says, and what is taken of it."""

from typing import Any

import numpy as np
import pyarrow as pa

from sources.errors import BadName, TickwaxError
from sources.events import RESET, SNAPSHOT, InstrumentBatch, TapeBatch
from sources.instrument import Instrument
from sources.tape.check import GOOD, BookWatch, describe, first_fault
from sources.tape.files import columns_of
from sources.tape.schema import TAPE_SCHEMA

SCHEMA = b"tickwax.tape/1"  # header ``schema``; rises when a column changes its meaning


def decode(record: Any, place: str) -> InstrumentBatch:
    """The tape rows of a message.

    Args:
        record: of kafka-python's consumer.
        place: names the message in errors.

    Raises:
        TickwaxError: it is no message of a tape.
    """
    schema = dict(record.headers).get("schema")
    if schema != SCHEMA or record.key is None or record.value is None:
        raise TickwaxError(f"{place}: no message of a tape: header schema is {schema!r}, not {SCHEMA!r}")
    try:
        instrument = Instrument.parse(record.key.decode())
    except (UnicodeDecodeError, BadName) as e:
        raise TickwaxError(f"{place}: its key: {e}") from None
    try:
        with pa.ipc.open_stream(record.value) as stream:
            found, table = stream.schema, stream.read_all().combine_chunks()
    except (pa.ArrowInvalid, OSError) as e:
        raise TickwaxError(f"{place}: cannot be read: {str(e).splitlines()[0]}") from None
    if found != TAPE_SCHEMA or table.num_rows == 0:
        raise TickwaxError(f"{place}: its {table.num_rows} rows are not of the tape's columns")
    return InstrumentBatch(instrument, columns_of(place, table.to_batches()[0], 0))


class Continuity:
    """Takes each row of an instrument's tape once, in order, and no row that does not follow the one before.

    A message may come twice; a topic whose beginning is gone begins inside the tape. Then rows before the first reset
    or snapshot are skipped, for the book is unknown, and counted.
    """

    def __init__(self, next_ordinal: int | None = None) -> None:
        self.next_ordinal = next_ordinal
        self.repeated = 0  # rows
        self.skipped = 0
        self.unknown_at: int | None = None  # row of the batch last taken: a delta without a snapshot before it, once
        self._book = BookWatch(known=next_ordinal is not None)
        self._closed = False  # whether the row before the next one closed its message

    def take(self, batch: TapeBatch, place: str) -> TapeBatch | None:
        """What of the batch is new; None if nothing is.

        Raises:
            TickwaxError: rows before it are missing, or a row breaks the tape's rules.
        """
        if self.next_ordinal is None:
            begin = self._begin(batch)
            self.skipped += begin
            if begin == batch.rows:
                return None
            batch = batch.slice(begin, batch.rows)
        else:
            known = int(np.searchsorted(batch.ordinal, self.next_ordinal))
            self.repeated += known
            if known == batch.rows:
                return None
            batch = batch.slice(known, batch.rows)
        first = int(batch.ordinal[0])
        hole_is_told = self.next_ordinal is None or (first > self.next_ordinal and batch.kind[0] == RESET)
        before = first - 1 if hole_is_told else self.next_ordinal - 1  # type: ignore[operator]
        bad, fault = first_fault(batch, before)
        if fault != GOOD:
            raise TickwaxError(f"{place}: row {bad}: {describe(batch, bad, fault, before)}")
        self.next_ordinal = int(batch.ordinal[-1]) + 1
        self.unknown_at = self._book.first(batch)
        return batch

    def _begin(self, batch: TapeBatch) -> int:
        """Index of the first row from which the book can be known; the number of rows if there is none."""
        closed = np.concatenate([[self._closed or batch.ordinal[0] == 0], batch.last[:-1]])
        self._closed = bool(batch.last[-1])
        known = (batch.kind == RESET) | ((batch.kind == SNAPSHOT) & closed) | (batch.ordinal == 0)
        return int(known.argmax()) if known.any() else batch.rows
