"""The tape in a topic: what a message says, and what is taken of it."""

from typing import Any

import numpy as np
from isal import isal_zlib

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.kafka.ipc import MalformedError, read_batch
from sources.tape.batch import RESET, SNAPSHOT, InstrumentBatch, TapeBatch
from sources.tape.files import columns_of
from sources.tape.schema import TAPE_SCHEMA
from sources.tape.validation import GOOD, BookWatch, describe, first_fault

SCHEMA = b"tickwax.tape/1"  # header ``schema``; rises when a column changes its meaning


class ForeignMessageError(TickwaxError):
    """A message that is none of a tape, or not as it was sent."""


def message_sum(key: bytes, value: bytes) -> bytes:
    """Header ``crc32``: of key and value. Without it, as from other producers, another price would not be noticed."""
    return b"%d" % isal_zlib.crc32(value, isal_zlib.crc32(key))


def decode(record: Any, place: str) -> InstrumentBatch:
    """The tape rows of a message.

    Args:
        record: of kafka-python's consumer.
        place: names the message in errors.

    Raises:
        ForeignMessageError: it is no message of a tape, too large, or damaged.
    """
    headers, key, value = dict(record.headers), record.key, record.value
    if headers.get("schema") != SCHEMA or key is None or value is None:
        raise ForeignMessageError(
            f"{place}: no message of a tape: header schema is {headers.get('schema')!r}, not {SCHEMA!r}"
        )
    try:
        instrument = Instrument.parse(key.decode())
        if headers.get("crc32", expected := message_sum(key, value)) != expected:
            raise MalformedError("cannot be read: damaged, it does not have its checksum")
        return InstrumentBatch(instrument, columns_of(place, read_batch(value, TAPE_SCHEMA), 0))
    except (UnicodeDecodeError, MalformedError) as e:
        raise ForeignMessageError(f"{place}: no message of a tape: {e}") from None
    except TickwaxError as e:
        raise ForeignMessageError(str(e) if str(e).startswith(place) else f"{place}: {e}") from None


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
        """Rows not seen before; None if there are none.

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
