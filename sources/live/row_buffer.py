"""The bounded buffer between the connections' thread and the dataflow's."""

import threading

from sources.feed_handler import FeedHandler
from sources.instrument import Instrument
from sources.tape.batch import InstrumentBatch
from sources.tape.collected import batches


class RowBuffer:
    """Rows of all instruments that wait to be drained.

    The connections' thread holds `lock` while it records messages, for the time of one read; `drain` holds it while it
    takes them over. Rows are counted, not bytes: a full buffer loses messages, so the loss must be decided
    before they are recorded, by whoever asks `full`.
    """

    def __init__(self, limit: int) -> None:
        """``limit``: rows that may wait."""
        self.lock = threading.Lock()
        self._limit = limit
        self._rows = 0
        self._waiting: dict[Instrument, FeedHandler] = {}

    @property
    def rows(self) -> int:
        """Rows that wait."""
        return self._rows

    @property
    def full(self) -> bool:
        """Whether no further message may be recorded."""
        return self._rows >= self._limit

    @property
    def relaxed(self) -> bool:
        """Whether there is so much room that instruments which overflowed may begin anew."""
        return self._rows <= self._limit // 2

    def add(self, instrument: Instrument, handler: FeedHandler, rows: int) -> None:
        """``handler`` has recorded a message of about ``rows`` rows; the caller holds the lock."""
        self._rows += rows
        self._waiting[instrument] = handler

    def drain(self) -> list[InstrumentBatch]:
        """Everything that waits, one batch an instrument."""
        with self.lock:
            instruments = list(self._waiting)
            collected = [handler.builder.cut() for handler in self._waiting.values()]
            self._waiting.clear()
            self._rows = 0
        made = zip(instruments, batches(collected), strict=True)
        return [InstrumentBatch(instrument, batch) for instrument, batch in made if batch is not None]
