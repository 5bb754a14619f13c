"""Inputs of more rows than memory should hold: in a file without a name, which is gone when nobody needs it."""

import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sources.errors import DiskFailure
from sources.tape.batch import Float64s, Int64s

_ITEM = 8  # bytes of a number
_LEAST_READ = 1 << 16  # bytes that are read and not needed, before two reads are cheaper
_MOST_READ = 1 << 22  # bytes that are read at once


class Inputs(Protocol):
    """Rows of inputs, given out by their numbers: an array of shape ``(rows, columns)``, or `StoredInputs`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, rows: Any, /) -> Any:
        """The rows of a slice, or of numbers, as an array."""


class StoredInputs:
    """Rows in the order in which they were added, given out by other numbers."""

    def __init__(self, folder: Path, columns: int) -> None:
        """Args:
        folder: is made if it is not there; the file in it cannot be seen.

        Raises:
            DiskFailure: there can be no file.
        """
        self._folder, self._columns, self._rows = folder, columns, 0
        self._place = np.empty(0, np.int64)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (closed with the last reference)
        except OSError as e:
            raise self._failure(e) from None

    def add(self, rows: Float64s) -> None:
        """Append rows, shape ``(rows, columns)``.

        Raises:
            DiskFailure: they cannot be written.
        """
        data = np.ascontiguousarray(rows, np.float64).data.cast("B")
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as e:
            raise self._failure(e) from None
        self._rows += len(rows)

    def number(self, order: Int64s) -> None:
        """Number the rows anew.

        Args:
            order: shape ``(rows,)``: which of the rows added each number means.
        """
        self._place = order

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self._rows, self._columns

    def __getitem__(self, rows: Any, /) -> Float64s:
        """The rows of a slice, of numbers, or of one number, as an array."""
        place = self._place[rows]
        if not isinstance(place, np.ndarray):
            return self._read(int(place), int(place) + 1)[0]
        out = np.empty((len(place), self._columns))
        order = np.argsort(place, kind="stable")
        wanted = place[order]
        width = self._columns * _ITEM
        gap, most = _LEAST_READ // width + 1, _MOST_READ // width + 1
        start = 0
        while start < len(wanted):
            first = wanted[start]
            near = wanted[start : int(np.searchsorted(wanted, first + most))]
            holes = np.flatnonzero(np.diff(near) > gap)
            stop = start + (int(holes[0]) + 1 if len(holes) else len(near))
            block = self._read(int(first), int(wanted[stop - 1]) + 1)
            out[order[start:stop]] = block[wanted[start:stop] - first]
            start = stop
        return out

    def _read(self, start: int, stop: int) -> Float64s:
        out = np.empty((stop - start, self._columns))
        data, at = out.data.cast("B"), start * self._columns * _ITEM
        try:
            while data:
                n = os.preadv(self._file.fileno(), [data], at)
                if n == 0:
                    raise DiskFailure(f"{self._folder}: a file of inputs is shorter than what was written to it")
                data, at = data[n:], at + n
        except OSError as e:
            raise self._failure(e) from None
        return out

    def _failure(self, error: OSError) -> DiskFailure:
        return DiskFailure(f"train.path: cannot keep inputs in {self._folder}: {error.strerror or error}")
