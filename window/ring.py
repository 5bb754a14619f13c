"""The newest rows of one data set of one instrument, all columns as float64."""

import numpy as np

from sources.tape.batch import Float64s


class Ring:
    """Keeps as many of the newest rows as it has room for.

    Attributes:
        count: rows taken since the beginning; a reader notes it to ask for what came after.
    """

    def __init__(self, columns: int, capacity: int) -> None:
        self.count = 0
        self._begin = 0  # rows before this one were never here
        self._rows = np.empty((columns, capacity))

    @property
    def capacity(self) -> int:
        """Rows it has room for."""
        return int(self._rows.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of the room."""
        return int(self._rows.nbytes)

    def append(self, rows: Float64s) -> None:
        """Take rows, shape ``(columns, rows)``."""
        room = self.capacity
        new = rows[:, -room:]
        self.count += rows.shape[1]
        end = self.count % room or room
        n = new.shape[1]
        begin = end - n
        if begin >= 0:
            self._rows[:, begin:end] = new
        else:  # past the end of the array
            self._rows[:, begin:] = new[:, :-begin]
            self._rows[:, :end] = new[:, -begin:]

    def since(self, seen: int) -> tuple[Float64s, int]:
        """A copy of the rows after the first ``seen``, and how many of them are gone already."""
        first = max(seen, self.count - self.capacity, self._begin)
        places = np.arange(first, self.count) % self.capacity
        return self._rows[:, places], first - min(seen, first)

    def last(self) -> Float64s:
        """A copy of the newest row, shape ``(columns,)``; there must be one."""
        return self._rows[:, (self.count - 1) % self.capacity].copy()

    def grown(self, capacity: int) -> "Ring":
        """The same rows with more room."""
        wider = Ring(len(self._rows), capacity)
        rows, gone = self.since(0)
        wider.count = wider._begin = gone
        wider.append(rows)
        return wider
