"""A file of a store, of which what is asked for lies in an unnamed file on this machine.

So a stored Parquet file is read, checked and decoded by the code that reads one of a disk, and every byte comes from
the store once.
"""

import os
import tempfile
from typing import NamedTuple

from sources.store.path import StorePath, store_error

_BLOCK = 8 << 20  # bytes of a request for data: fewer cost more in round trips than they save
_FOOTER = 1 << 16  # bytes at a file's end that are asked for at once, of which most footers have fewer
_END = 8  # bytes behind a Parquet footer: its length, and a magic number of four bytes, with which the file begins, too


class Chunk(NamedTuple):
    """Some bytes of a file."""

    start: int
    size: int


class FetchedFile:
    """Takes at most the file's size on the disk of the folder for temporary files (``TMPDIR``)."""

    def __init__(self, path: StorePath) -> None:
        """Ask for the size.

        Raises:
            TickwaxError: the store does not answer, or refuses.
            OSError: there is no such file, or no room.
        """
        self._path = path
        self._source = path.open_stored()
        self.size = self._source.size()
        with tempfile.TemporaryFile() as unnamed:
            self.handle = os.dup(unnamed.fileno())
        os.truncate(self.handle, self.size)
        self._there: set[int] = set()  # blocks

    @property
    def path(self) -> str:
        """By which a library of this process opens what `need` has fetched."""
        return f"/dev/fd/{self.handle}"

    def need(self, part: Chunk) -> None:
        """Have bytes here that are about to be read; those beyond the file's end are nobody's.

        Raises:
            TickwaxError: as of the constructor; the file was cut while it came.
            OSError: no room.
        """
        last = min(part.start + part.size, self.size) - 1
        for block in range(max(part.start, 0) // _BLOCK, last // _BLOCK + 1):
            if block not in self._there:
                self._fetch(Chunk(block * _BLOCK, min(_BLOCK, self.size - block * _BLOCK)))
                self._there.add(block)

    def need_footer(self) -> None:
        """Have what tells how a Parquet file is read, and no more.

        Raises:
            TickwaxError: as `need`.
        """
        count = min(_FOOTER, self.size)
        self._fetch(Chunk(self.size - count, count))
        if count < _END:
            return
        self._fetch(Chunk(0, _END - 4))
        length = _END + int.from_bytes(os.pread(self.handle, 4, self.size - _END), "little")
        if count < length <= self.size:
            self._fetch(Chunk(self.size - length, length - count))

    def _fetch(self, part: Chunk) -> None:
        start, count = part
        try:
            data = self._source.read_at(count, start)
        except OSError as e:
            raise store_error(self._path, e) from None
        if len(data) != count:
            raise store_error(self._path, OSError(f"{len(data)} of {count} bytes came"))
        os.pwrite(self.handle, data, start)

    def close(self) -> None:
        """Let go of the source; the handle is whoever's reads it."""
        self._source.close()
