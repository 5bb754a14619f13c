"""The tape that a live run is appended to."""

from pathlib import Path

from sources.builder import TapeTail
from sources.events import TapeBatch
from sources.instrument import Instrument
from sources.tape.journal import TapeJournals
from sources.tape.tail import find_tail, since_reset


class Past:
    """The tape that a run is appended to; read once the tape is locked, and so recovered."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tails: dict[Instrument, TapeTail] = {}
        self._leads: dict[Instrument, list[TapeBatch]] = {}
        self._journals: TapeJournals | None = None

    def tail(self, instrument: Instrument) -> TapeTail:
        """Where the tape ends; an instrument that is delisted and comes back goes on where this run left it."""
        if self._journals is None:  # empty ones, or of other processes of this cluster, of other instruments
            self._journals = TapeJournals(self._root)
        if instrument not in self._tails:
            tail = self._tails[instrument] = find_tail(self._root, instrument, self._journals)
            if tail.next_ordinal and not (tail.book_known or tail.torn):
                self._leads[instrument] = since_reset(self._root, instrument, self._journals)
        return self._tails[instrument]

    def lead(self, instrument: Instrument) -> list[TapeBatch]:
        """What the features must have seen before the first new row: where the book was unknown at the end, no reset
        parts the new rows from those before. Gives it once."""
        return self._leads.pop(instrument, [])
