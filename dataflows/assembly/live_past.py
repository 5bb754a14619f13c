"""The tape that a live run is appended to."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sinks.quarantine import without_damaged
from sources.errors import DamagedError, TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TapeBatch
from sources.tape.builder import TapeTail
from sources.tape.journal_reader import TapeJournals
from sources.tape.tail import find_tail, since_reset


class Past:
    """The tape that a run is appended to; read once the tape is locked, and so recovered.

    A file whose content is damaged is set aside, for a recorder has no second chance: the tape goes on behind the rows
    that can be read, with a ``reset``.
    """

    def __init__(self, root: Path, told: Callable[[DamagedError, Path], None]) -> None:
        """``told``: of each file that is set aside, with where it is now."""
        self._root = root
        self._told = told
        self._tails: dict[Instrument, TapeTail] = {}
        self._leads: dict[Instrument, list[TapeBatch]] = {}
        self._journals: TapeJournals | None = None
        self._holed = False  # something was set aside

    def tail(self, instrument: Instrument) -> TapeTail:
        """Where the tape ends; an instrument that is delisted and comes back goes on where this run left it.

        Raises:
            TickwaxError: the instrument's tape cannot be gone on with; those of others can.
        """
        if self._journals is None:  # empty ones, or of other processes of this cluster, of other instruments
            self._journals = TapeJournals(self._root)
        if instrument not in self._tails:
            self._holed = False
            try:
                tail, lead = without_damaged(self._root, partial(self._read, instrument), self._tell)
            except OSError as e:
                raise TickwaxError(f"{self._root}: the tape of {instrument} cannot be read: {e}") from e
            tail.torn |= self._holed
            self._tails[instrument] = tail
            if lead and not tail.torn:
                self._leads[instrument] = lead
        return self._tails[instrument]

    def lead(self, instrument: Instrument) -> list[TapeBatch]:
        """What the features must have seen before the first new row: where the book was unknown at the end, no reset
        parts the new rows from those before. Gives it once."""
        return self._leads.pop(instrument, [])

    def _tell(self, error: DamagedError, now_at: Path) -> None:
        self._holed = True
        self._told(error, now_at)

    def _read(self, instrument: Instrument) -> tuple[TapeTail, list[TapeBatch]]:
        tail = find_tail(self._root, instrument, self._journals)
        known = not tail.next_ordinal or tail.book_known or tail.torn
        return tail, [] if known else since_reset(self._root, instrument, self._journals)
