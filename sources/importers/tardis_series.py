"""Files of Tardis.dev of one kind and instrument as one series of rows, to be merged with others."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sources.importers.tardis_block import Block, join
from sources.tape.batch import Int64s


class SourceFile(NamedTuple):
    """A file, and what its first row tells of it."""

    path: Path
    series: tuple[bool, str, str]  # trades or not, exchange and symbol of the first row
    first_ts: int


class Part(NamedTuple):
    """Consecutive rows of a file."""

    path: Path
    block: Block
    key: Int64s  # latest arrival so far of the row's instrument; never falls from ``start`` to ``stop``
    start: int
    stop: int


class Series:
    """The files of one kind and instrument, read a block ahead."""

    def __init__(self, blocks: Iterator[tuple[Path, Block]]) -> None:
        """``blocks``: of the files, one after the other."""
        self._blocks = blocks
        self._pending: list[Part] = []
        self._newest: Block | None = None
        self._last = 0
        self._latest: dict[int, int] = {}  # by instrument
        self._advance()

    @property
    def done(self) -> bool:
        """Whether everything was given."""
        return not self._pending

    @property
    def known_until(self) -> int:
        """Every row that arrived before this is pending."""
        return self._last

    def before(self, cut: int) -> list[Part]:
        """Take the rows that arrived before ``cut``, and read on when that was near the end of what is known."""
        out: list[Part] = []
        keep: list[Part] = []
        for part in self._pending:
            middle = part.start + int(np.searchsorted(part.key[part.start : part.stop], cut))
            if part.start < middle < part.stop:
                # Not inside of a snapshot.
                apart = np.flatnonzero(~part.block.slice(part.start, middle + 1).continues)
                middle = part.start + int(apart[-1])
            if middle > part.start:
                out.append(part._replace(stop=middle))
            if middle < part.stop:
                keep.append(part._replace(start=middle))
        self._pending = keep
        if cut >= self._last:
            self._advance()
        return out

    def _advance(self) -> None:
        item = next(self._blocks, None)
        if item is None:
            self._last = np.iinfo(np.int64).max
            return
        path, block = item
        key = self._arrivals(block)
        self._last = max(self._last, int(block.receive_ts.max(initial=0)))
        if self._pending and self._pending[-1].path == path and self._pending[-1].block is self._newest:
            # What stayed behind may be the first half of a message whose second half comes now.
            part = self._pending.pop()
            block = join(part.block.slice(part.start, part.stop), block)
            key = np.concatenate([part.key[part.start : part.stop], key])
        self._newest = block
        starts = [0, *(np.flatnonzero(np.diff(key) < 0) + 1).tolist()]  # the next of several instruments
        stops = [*starts[1:], block.rows]
        self._pending += [Part(path, block, key, a, b) for a, b in zip(starts, stops, strict=True)]

    def _arrivals(self, block: Block) -> Int64s:
        """Latest arrival so far of each row's instrument: a file may hold several, one after the other."""
        key = np.empty(block.rows, np.int64)
        for number in numbers(block.instrument):
            rows = np.flatnonzero(block.instrument == number)
            arrivals = np.maximum.accumulate(np.maximum(block.receive_ts[rows], self._latest.get(number, 0)))
            key[rows], self._latest[number] = arrivals, int(arrivals[-1])
        return key


def numbers(instrument: Int64s) -> list[int]:
    """The instruments of rows, in the order in which they come."""
    changes = np.flatnonzero(np.diff(instrument, prepend=-1))
    return list(dict.fromkeys(instrument[changes].tolist()))
