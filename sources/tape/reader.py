"""Reads the tape of one instrument back, in the order of ``ordinal``, a bounded number of rows at a time."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import RESET, SNAPSHOT, TapeBatch
from sources.tape.files import NO_KIND, ParquetFile, Steps, TapeFile
from sources.tape.holes import with_holes
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import NS_PER_DAY, data_files
from sources.tape.validation import GOOD, UNKNOWN_BOOK, BookWatch, describe, first_fault

BATCH_ROWS = 1 << 17  # 6.5 MB in memory; half as many cost a replay 3 % more
# How many tape rows, 0.15 µs each, cost as much as …
_ROWS_A_SAMPLE = 15  # … a feature row, computed and written
_ROWS_A_FILE = 14_000  # … a file of features, opened and closed


def tape_files(
    root: Path,
    instrument: Instrument,
    journals: TapeJournals | None = None,
    but: str = "",
    on_unreadable: Callable[[Path, TickwaxError], None] | None = None,
) -> list[TapeFile]:
    """All files of an instrument's tape that have rows, in the order of the tape.

    Where damaged journals, or such as a power cut has shortened, leave rows out, a ``reset`` tells of them.

    Args:
        journals: those of ``root``, if they have been opened already.
        but: leave out files whose names begin so; empty: none.
        on_unreadable: told of a file that cannot be opened, and why; it is left out, and a ``reset`` tells of its rows.
            None: it is an error.

    Raises:
        TickwaxError: a file is not Parquet or not of the tape's schema, or two hold the same ordinals.
    """
    journals = journals or TapeJournals(root)  # before files are listed: what is compacted meanwhile is in both
    found = [path for path in data_files(root, instrument) if not (but and path.name.startswith(but))]
    files: list[TapeFile] = []
    left_out = False
    for path in found:
        try:
            files.append(ParquetFile.open(path))
        except TickwaxError as e:
            if on_unreadable is None:
                raise
            on_unreadable(path, e)
            left_out = True
    files = [f for f in files if f.rows]
    files += journals.of(instrument, [(f.first_ordinal, f.last_ordinal) for f in files])
    files.sort(key=lambda f: f.first_ordinal)
    for a, b in pairwise(files):
        if b.first_ordinal <= a.last_ordinal:
            raise TickwaxError(
                f"{b.path}: ordinals from {b.first_ordinal} overlap those of {a.path.name}, up to {a.last_ordinal}"
            )
    return with_holes(files) if journals.broken or left_out else files


class TapeReader:
    """The tape of one instrument between two receive times.

    ``start`` and ``end`` cut the tape where ``receive_ts`` first reaches them. A book can be rebuilt from a snapshot
    only, so reading begins at the newest snapshot or reset that is not after ``start``; `first_ordinal` tells where the
    range itself begins.
    """

    def __init__(
        self,
        root: Path,
        instrument: Instrument,
        start_ns: int | None = None,
        end_ns: int | None = None,
        journals: TapeJournals | None = None,
        on_unknown_book: Callable[[str], None] = lambda line: None,
        on_hole: Callable[[str], None] = lambda line: None,
        on_unreadable: Callable[[Path, TickwaxError], None] | None = None,
        first_ordinal: int | None = None,
    ) -> None:
        """Read the footers.

        Args:
            journals: those of ``root``, if they have been opened already.
            on_unknown_book: told once of a delta without a snapshot before it, with file and row. No such row is left
                out: it belongs to the tape, and to no book.
            on_hole: told of rows that are missing before a ``reset``, with file and row.
            on_unreadable: as of `tape_files`.
            first_ordinal: begins the range, in place of ``start_ns``.

        Raises:
            TickwaxError: the tape has no rows of the instrument; or as `tape_files`.
        """
        self.instrument = instrument
        self._files = tape_files(root, instrument, journals, on_unreadable=on_unreadable)
        if not self._files:
            raise TickwaxError(f"{root}: the tape has no rows of {instrument}")
        self._end_ns = end_ns
        self._on_unknown_book = on_unknown_book
        self._on_hole = on_hole
        self.first_ordinal = 0
        self._warm_ordinal = 0
        if start_ns is not None:
            first_ordinal = self._find_start(start_ns)
        if first_ordinal is not None:
            self.first_ordinal = first_ordinal
            self._warm_ordinal = self._find_book(first_ordinal)

    @property
    def rows(self) -> int:
        """Rows of the files that hold the range; an upper bound of what `batches` gives."""
        return sum(f.rows for f in self._files if self._reads(f, self._warm_ordinal))

    @property
    def last_ordinal(self) -> int:
        """That of the whole tape's last row."""
        return self._files[-1].last_ordinal

    @property
    def span(self) -> tuple[int, int]:
        """The smallest and the largest ``receive_ts`` of the whole tape, ns."""
        return min(f.first_receive_ts for f in self._files), max(f.last_receive_ts for f in self._files)

    @property
    def empty(self) -> bool:
        """Whether no row lies in the range, as far as the files' extents tell."""
        return not any(
            f.last_ordinal >= self.first_ordinal
            and self._reads(f, self._warm_ordinal)
            and (self._end_ns is None or f.first_receive_ts < self._end_ns)
            for f in self._files
        )

    @property
    def edge(self) -> str:
        """How predictable a synthetic market was made, as of `schema.EDGE`; empty if no file tells."""
        return next((f.edge for f in self._files if f.edge), "")

    def weight(self, step_ns: int) -> int:
        """How much work the range is, in tape rows.

        Args:
            step_ns: the grid of the feature rows, of which each costs as much as some tape rows; 0: a row an update.
        """
        files = [f for f in self._files if self._reads(f, self._warm_ordinal)]
        samples = sum((f.last_receive_ts - f.first_receive_ts) // step_ns for f in files) if step_ns else 0
        days = {f.first_receive_ts // NS_PER_DAY for f in files}
        return sum(f.rows for f in files) + _ROWS_A_SAMPLE * samples + _ROWS_A_FILE * len(days)

    def batches(self, batch_rows: int = BATCH_ROWS, resume: int | None = None) -> Iterator[TapeBatch]:
        """The rows of `cut_batches` alone."""
        return (batch for batch, _ in self.cut_batches(batch_rows, resume))

    def cut_batches(self, batch_rows: int = BATCH_ROWS, resume: int | None = None) -> Iterator[tuple[TapeBatch, int]]:
        """Every row from the one that makes the book known up to the end of the range, checked.

        Each batch comes with the levels that its books were cut to, as of `InstrumentBatch`.

        Args:
            resume: begin with the row of this ordinal instead: those before it have been read.

        Raises:
            TickwaxError: a row breaks the tape's rules; the text names file and row.
        """
        begin = self._warm_ordinal if resume is None else resume
        ordinal: int | None = None
        book = BookWatch(known=resume is not None)
        for file in self._files:
            if not self._reads(file, begin):
                continue
            row = file.rows_before(begin)
            for batch in file.read(batch_rows, from_ordinal=begin):
                if ordinal is None:
                    ordinal = self._before_first(file, batch, begin)
                bad, fault = first_fault(batch, ordinal)
                if fault != GOOD:
                    raise TickwaxError(f"{file.path}: row {row + bad}: {describe(batch, bad, fault, ordinal)}")
                self._tell_holes(file.path, row, batch, ordinal)
                row += batch.rows
                ordinal = int(batch.ordinal[-1])
                if ordinal < begin:
                    continue
                part, ended = self._cut(batch, begin)
                stray = book.first(part)
                if stray is not None:
                    at = row - batch.rows + int(part.ordinal[stray] - batch.ordinal[0])
                    self._on_unknown_book(f"{file.path}: row {at}: {UNKNOWN_BOOK}")
                if part.rows:
                    yield part, file.cut_levels
                if ended:
                    return

    def times(self, batch_rows: int = BATCH_ROWS, kinds: bool = False) -> Iterator[TapeBatch]:
        """Ordinals and both times of the rows of the range, and kinds if asked for; unchecked, at a quarter of the cost
        of `batches`.

        Raises:
            TickwaxError: a file cannot be read, or is damaged.
        """
        names = ("ordinal", "exchange_ts", "receive_ts", *(("kind",) if kinds else ()))
        return self._unchecked(batch_rows, names, self.first_ordinal)

    def numbers(self, told: Callable[[Steps], None], batch_rows: int = BATCH_ROWS) -> Iterator[TapeBatch]:
        """Kinds, prices and sizes of the rows of `batches`, with ordinals and receive times; unchecked, as `times`.
        ``told`` takes what a file says of them, whose rows are left out then; not asked where only some are wanted."""
        begin, end = self._warm_ordinal, self._end_ns

        def read(file: TapeFile) -> bool:
            if file.steps is None or file.first_ordinal < begin or (end is not None and file.last_receive_ts >= end):
                return True
            told(file.steps)
            return False

        return self._unchecked(batch_rows, ("ordinal", "receive_ts", "kind", "price", "size"), begin, read)

    def _unchecked(
        self, batch_rows: int, names: tuple[str, ...], begin: int, read: Callable[[TapeFile], bool] = lambda file: True
    ) -> Iterator[TapeBatch]:
        for file in self._files:
            if self._reads(file, begin) and read(file):
                for batch in file.read(batch_rows, names, begin):
                    part, ended = self._cut(batch, begin)
                    if part.rows:
                        yield part
                    if ended:
                        return

    def _before_first(self, file: TapeFile, batch: TapeBatch, begin: int) -> int:
        """Ordinal before the first row read: a tape begins with 0 or, where its beginning was removed, with a reset."""
        first = int(batch.ordinal[0])
        if 0 < begin < first and batch.kind[0] != RESET:
            raise TickwaxError(f"{file.path}: row 0: ordinal {first} does not follow {begin - 1}; rows are missing")
        if begin == 0 and first > 0 and batch.kind[0] != RESET:
            raise TickwaxError(
                f"{file.path}: row 0: rows before ordinal {first} are missing, so the book is unknown; "
                "set replay.start to a time after the next snapshot or reset"
            )
        return first - 1 if first > 0 else -1

    def _tell_holes(self, path: Path, row: int, batch: TapeBatch, ordinal: int) -> None:
        """Rows missing in a batch whose first row is number ``row`` of the file, behind one with this ordinal."""
        if not batch.rows or batch.ordinal[-1] - ordinal == batch.rows:
            return
        before = np.concatenate([[ordinal], batch.ordinal[:-1]])
        for at in np.flatnonzero(batch.ordinal - before != 1).tolist():
            first, last = int(before[at]) + 1, int(batch.ordinal[at]) - 1
            self._on_hole(f"{path}: row {row + at}: {last - first + 1:,} rows from ordinal {first} on are missing; "
                          "a reset stands for them")  # fmt: skip

    def _reads(self, file: TapeFile, begin: int) -> bool:
        """Whether the file holds rows of the range; the order of ordinals need not be that of receive times."""
        if file.last_ordinal < begin:
            return False
        before = [f for f in self._files if f.first_ordinal < file.first_ordinal]
        return self._end_ns is None or all(f.last_receive_ts < self._end_ns for f in before)

    def _cut(self, batch: TapeBatch, begin: int) -> tuple[TapeBatch, bool]:
        first = int(np.searchsorted(batch.ordinal, begin))
        if self._end_ns is None:
            return (batch.slice(first, batch.rows) if first else batch), False
        late = batch.receive_ts[first:] >= self._end_ns
        if not late.any():
            return batch.slice(first, batch.rows), False
        return batch.slice(first, first + int(late.argmax())), True

    def _find_start(self, start_ns: int) -> int:
        """Ordinal of the first row received at ``start_ns`` or later; one past the last if there is none."""
        for file in self._files:
            if file.last_receive_ts < start_ns:
                continue
            for batch in file.read(BATCH_ROWS, ("ordinal", "receive_ts")):
                late = batch.receive_ts >= start_ns
                if late.any():
                    return int(batch.ordinal[late.argmax()])
        return self._files[-1].last_ordinal + 1

    def _find_book(self, ordinal: int) -> int:
        """Ordinal of the newest reset or first row of a snapshot that is not after ``ordinal``; 0 if there is none."""
        for n, file in reversed(list(enumerate(self._files))):
            if file.first_ordinal > ordinal:
                continue
            found = None
            before = self._files[n - 1].left_open() if n else NO_KIND
            for batch in file.read(BATCH_ROWS, ("ordinal", "kind", "last")):
                # A snapshot begins where the row before is none or closed its own message.
                opens = np.concatenate([[before != SNAPSHOT], (batch.kind[:-1] != SNAPSHOT) | batch.last[:-1]])
                begins = ((batch.kind == SNAPSHOT) & opens) | (batch.kind == RESET)
                at = np.flatnonzero(begins & (batch.ordinal <= ordinal))
                if len(at):
                    found = int(batch.ordinal[at[-1]])
                if batch.rows:
                    before = NO_KIND if batch.last[-1] else int(batch.kind[-1])
            if found is not None:
                return found
        return 0
