"""The exchanges' public CSV archives as columns, file by file, with what is wrong with each row.

The archives have no times of arrival: the exchange's time stands for that.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from sources.errors import TickwaxError
from sources.importers.archive import archive_blocks
from sources.importers.csv_fields import Fields, split_fields
from sources.importers.disorder import check_order
from sources.importers.files import DamagedFile, Progress, read_ahead
from sources.importers.run import ImportRun
from sources.messages import BadFrame
from sources.tape.batch import Bools, Int64s
from sources.tape.bounds import is_time

Row = list[str]
Check = tuple[Bools, str]  # where rows are good, and what the others are

_EXCERPT = 80
_THREADS = 4  # files read ahead, at the most
T = TypeVar("T")


class Layout(NamedTuple):
    """How a file is read."""

    columns: int
    wanted: tuple[int, ...]  # places of the columns that are read
    headed: bool  # its first row names the columns
    book: bool  # a bad row costs the book
    # Columns of rows, the exchange's time (ns) of each, and the checks that a good row passes.
    read: Callable[[Fields], tuple[Any, Int64s, list[Check]]]
    # A column, as it was asked for, and what a row fails that has another value than all of the file are to have.
    one: tuple[int, str] | None = None


class Table(NamedTuple):
    """Consecutive rows of a file; or, without rows, that it is damaged behind the ones before."""

    path: Path
    line: Int64s  # (rows,): number of the line in the file, from 1
    exchange_ts: Int64s  # (rows,), ns; of a bad row the latest good time before it
    key: Int64s  # (rows,), ns: the latest good time so far
    bad: dict[int, BadFrame]  # by row
    columns: Any  # as the layout read them
    damage: DamagedFile | None = None

    def where(self, row: int) -> str:
        """File and line of a row."""
        return f"{self.path}:{self.line[row]}"


Opener = Callable[[Path, Row], Layout]  # judges a file by its first row


def tables(path: Path, open_file: Opener, run: ImportRun, progress: Progress) -> Generator[Table, None, None]:
    """The rows of a file, block after block.

    Raises:
        TickwaxError: it cannot be read, is empty or is refused by ``open_file``.
    """
    reader = _Reader(path, open_file, run)
    try:
        for block in archive_blocks(path, progress, run.stats, "rows", lambda head: b"," in head, run.salvage):
            if isinstance(block, DamagedFile):
                yield reader.end(block)
            else:
                yield from reader.read(block)
    except DamagedFile as e:
        yield reader.end(e)
        return
    if reader.layout is None:
        raise TickwaxError(f"{path}: is empty")


def ahead(files: Sequence[Generator[T, None, None]]) -> list[Iterator[T]]:
    """The same files, each read by a thread ahead of the caller if they are few."""
    return [read_ahead(file) for file in files] if len(files) <= _THREADS else list(files)


class _Reader:
    """One file, as far as it is read."""

    def __init__(self, path: Path, open_file: Opener, run: ImportRun) -> None:
        self._path = path
        self._open = open_file
        self._run = run
        self.layout: Layout | None = None
        self._header = b""  # its text, if there is one
        self._number = 0  # lines read
        self._time = 0  # latest good time, ns
        self._others: set[bytes] = set()  # values of the column `Layout.one` in rows that are good but for it

    def read(self, block: bytes) -> Iterator[Table]:
        """The rows of the next lines; none where there are none."""
        if self.layout is None:
            begin = block.lstrip(b"\r\n")
            if not begin:
                self._number += block.count(b"\n")
                return
            first = begin.partition(b"\n")[0].rstrip(b"\r")
            self.layout = self._open(self._path, first.decode("utf-8", "replace").split(","))
            if self.layout.headed:
                self._header = first
                self._number += block[: len(block) - len(begin)].count(b"\n") + 1
                block = begin.partition(b"\n")[2]
        fields = split_fields(block, self.layout.columns, self.layout.wanted)
        repeated = self._headers(fields)
        if repeated.any():
            self._run.stats.ignored["repeated headers"] += int(repeated.sum())
        kept = fields.only(~repeated) if repeated.any() else fields
        if kept.rows:
            yield self._table(kept, self.layout)
        self._number += fields.lines

    def end(self, damage: DamagedFile) -> Table:
        """What says that the file is damaged here."""
        none = np.zeros(1, np.int64)
        return Table(self._path, none + self._number, none + self._time, none + self._time, {}, None, damage)

    def _headers(self, fields: Fields) -> Bools:
        """Which rows are the header once more."""
        repeated = np.zeros(fields.rows, np.bool_)
        if self._header:
            for row in np.flatnonzero(fields.text[fields.begin] == self._header[0]).tolist():
                repeated[row] = fields.of_line(row) == self._header
        return repeated

    def _table(self, fields: Fields, layout: Layout) -> Table:
        columns, time, checks = layout.read(fields)
        checks = [(~fields.torn, "another number of columns"), *checks]
        checks.append((is_time(time), "the time is not between 1970 and 2116"))
        good = np.logical_and.reduce([passed for passed, _ in checks])
        key = np.maximum.accumulate(np.where(good, time, self._time))
        np.maximum(key, self._time, out=key)
        self._time = int(key[-1])
        line = fields.line + (self._number + 1)
        bad: dict[int, BadFrame] = {}
        for row in np.flatnonzero(~good).tolist():
            reasons = [what for passed, what in checks if not passed[row]]
            reason = reasons[0]
            if layout.one is not None and reasons == [layout.one[1]]:
                self._meet(fields.of(layout.one[0], row), reason, int(line[row]))
            excerpt = fields.of_line(row)[:_EXCERPT].decode("utf-8", "replace")
            bad[row] = BadFrame(0, None, int(key[row]), layout.book, reason, excerpt)
        check_order(self._path, line[good], time[good], "time")
        return Table(self._path, line, np.where(good, time, key), key, bad, columns)

    def _meet(self, value: bytes, reason: str, line: int) -> None:
        """A row is of something else than the file: one such row is damaged, two are a file of several things.

        Raises:
            TickwaxError: it is the second.
        """
        if value in self._others:
            text = value.decode("utf-8", "replace")[:_EXCERPT]
            raise TickwaxError(f"{self._path}:{line}: {reason} but {text!r}, and not in this row alone; split the file")
        self._others.add(value)
