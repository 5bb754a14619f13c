"""The part of a tape that is in journals only: what a running recorder, or a killed one, has not compacted yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import DTYPES, Int64s, TapeBatch
from sources.tape.files import ALL, TapeFile
from sources.tape.holes import runs
from sources.tape.journal_format import Field, Journal, NoJournalError
from sources.tape.layout import journal_files

_WIDE_FIRST = sorted(DTYPES, key=lambda name: -np.dtype(DTYPES[name]).itemsize)
TAPE_FIELDS = tuple(Field(name, np.dtype(DTYPES[name]).str) for name in _WIDE_FIRST)

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class JournalPart(TapeFile):
    """Rows of one instrument in one journal, ``first_ordinal`` to ``last_ordinal``."""

    journal: Journal
    items: Int64s

    def read(self, batch_rows: int, names: tuple[str, ...] = ALL, from_ordinal: int = 0) -> Iterator[TapeBatch]:
        """The rows but for items that end before an ordinal."""
        for items in self.journal.parts(self._from(from_ordinal), batch_rows):
            batch = self._columns(items, names)
            if batch.rows:
                yield batch

    def rows_before(self, ordinal: int) -> int:
        """Rows of the items that end before ``ordinal``."""
        return self.rows - sum(batch.rows for batch in self.read(_BATCH_ROWS, ("ordinal",), ordinal))

    def backwards(self, names: tuple[str, ...] = ALL) -> Iterator[TapeBatch]:
        """Groups of items, the last one first."""
        for items in reversed(list(self.journal.parts(self.items, _BATCH_ROWS))):
            batch = self._columns(items, names)
            if batch.rows:
                yield batch

    def _from(self, ordinal: int) -> Int64s:
        if ordinal <= self.first_ordinal:
            return self.items
        ends = self.journal.read(self.items, "ordinal")[np.cumsum(self.journal.rows[self.items]) - 1]
        return self.items[int(np.searchsorted(ends, ordinal)) :]

    def _columns(self, items: Int64s, names: tuple[str, ...]) -> TapeBatch:
        columns = {
            name: self.journal.read(items, name) if name in names else np.empty(0, dtype)
            for name, dtype in DTYPES.items()
        }
        ordinal = columns["ordinal"]
        inside = slice(*np.searchsorted(ordinal, [self.first_ordinal, self.last_ordinal + 1]).tolist())
        return TapeBatch(**{name: column[inside] for name, column in columns.items()})


class TapeJournals:
    """The journals of a tape."""

    def __init__(self, root: Path) -> None:
        """Open them; one that is being written to is read up to now.

        Raises:
            TickwaxError: a journal is none of a tape, or of another version.
        """
        self._items: dict[str, list[tuple[Journal, Int64s]]] = {}
        self.damaged: list[str] = []  # a line a journal
        # Rows may be missing: by damage, or because a power cut took the end of one before the last.
        self.broken = False
        cut: set[str] = set()  # writers
        for path in journal_files(root):
            if path.exists() and not path.is_file():  # a pipe would keep the reader waiting for ever
                raise TickwaxError(f"{path}: is no file")
            try:
                journal = Journal(path)
            except FileNotFoundError:  # compacted since: its rows are in files now
                continue
            except NoJournalError as e:
                self.damaged.append(str(e))
                self.broken = True
                continue
            if journal.damage:
                self.damaged.append(f"{path}: is damaged: {journal.damage}")
            writer = path.stem.rpartition("-")[0]
            self.broken |= bool(journal.damage) or writer in cut
            if journal.cut_off:
                cut.add(writer)
            if journal.description is None:
                continue
            if journal.description.get("data_set") != "tape":
                raise TickwaxError(f"{path}: is the journal of something else than a tape")
            for key, items in journal.by_key():
                self._items.setdefault(key, []).append((journal, items))
        self.broken |= any(_has_gap(each) for each in self._items.values())

    @property
    def instruments(self) -> set[Instrument]:
        """Instruments that have rows here."""
        return {Instrument(*key.split(":", 1)) for key in self._items}

    def of(self, instrument: Instrument, elsewhere: Sequence[tuple[int, int]]) -> list[TapeFile]:
        """What the journals hold of an instrument.

        Args:
            elsewhere: first and last ordinals of what is in files: a journal stays until all of it is.
        """
        out: list[TapeFile] = []
        for journal, items in self._items.get(str(instrument), []):
            ordinal, receive_ts = journal.read(items, "ordinal"), journal.read(items, "receive_ts")
            ends = np.cumsum(journal.rows[items])
            for begin, end in runs(ordinal):
                for first, last in _without(begin, end, elsewhere):
                    start, stop = np.searchsorted(ordinal, [first, last + 1]).tolist()
                    received = receive_ts[start:stop]
                    low, high = int(received.min()), int(received.max())
                    mine = items[np.searchsorted(ends, start, "right") : np.searchsorted(ends, stop) + 1]
                    out.append(JournalPart(journal.path, stop - start, first, last, low, high, journal, mine))
        return out


def _has_gap(journals: list[tuple[Journal, Int64s]]) -> bool:
    """Whether an instrument's ordinals jump from one journal to another."""
    if len(journals) < 2:
        return False
    ends = sorted(tuple(int(journal.read(items[[n]], "ordinal")[n]) for n in (0, -1)) for journal, items in journals)
    return any(later[0] > earlier[1] + 1 for earlier, later in pairwise(ends))


def _without(first: int, last: int, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of ``first … last`` that lie in none of the ranges."""
    for low, high in sorted(taken):
        if high < first or low > last:
            continue
        if low > first:
            yield first, low - 1
        first = high + 1
    if first <= last:
        yield first, last
