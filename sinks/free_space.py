"""Which parts of a file are free."""

from bisect import bisect_left
from collections.abc import Iterable

PAGE = 4096


class Extents:
    """First fit over the free ranges of a file, of which no two touch; every range begins and ends at a page."""

    def __init__(self, taken: Iterable[tuple[int, int]] = ()) -> None:
        """``taken``: place and length of what is in the file already, in bytes; they may overlap."""
        self.end = 0  # everything from here on is free
        self._free: list[tuple[int, int]] = []  # begin and end, in order
        for place, length in sorted(taken):
            begin, end = place // PAGE * PAGE, pages(place + length)
            if begin > self.end:
                self._free.append((self.end, begin))
            self.end = max(self.end, end)

    def take(self, room: int) -> int:
        """A place for so many bytes, a multiple of `PAGE`."""
        for n, (begin, end) in enumerate(self._free):
            if end - begin >= room:
                self._free[n : n + 1] = [(begin + room, end)] if end - begin > room else []
                return begin
        place = self.end
        self.end += room
        return place

    def give(self, place: int, room: int) -> None:
        """Let go of what `take` gave."""
        begin, end = place, place + room
        n = bisect_left(self._free, (begin, end))
        if n < len(self._free) and self._free[n][0] == end:
            end = self._free.pop(n)[1]
        if n and self._free[n - 1][1] == begin:
            n -= 1
            begin = self._free.pop(n)[0]
        if end == self.end:
            self.end = begin
        else:
            self._free.insert(n, (begin, end))


def pages(length: int) -> int:
    """Bytes of the pages that so many bytes fill or begin."""
    return -(-length // PAGE) * PAGE
