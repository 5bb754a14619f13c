"""Curves of any length as few values as a picture can show, without losing an extreme or a gap."""

import itertools
from typing import Any

import numpy as np

from sources.tape.batch import Float64s, Int64s

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class ThinnedCurve:
    """Keeps of each pixel column the first, the last, the least and the greatest value: M4.

    Jugel, Jerzak, Hackenbroich and Markl 2014, "M4: A Visualization-Oriented Time Series Data Aggregation", PVLDB
    7(10), section 4.2: a line through these is drawn as the line through all values is. Memory is that of some
    ``16·pixels`` values, however many are added. Libraries of it, such as tsdownsample, want the whole curve at once,
    and times that never step back, which those of rows do after a reset.
    """

    def __init__(self, start: int, end: int, pixels: int) -> None:
        """Args:
        start, end: ns, of the x axis; ``start`` ≤ ts ≤ ``end``.
        pixels: of its width.
        """
        self._start, self._pixels = start, pixels
        self._width = _width(start, end, pixels)
        self._kept: list[tuple[Int64s, Float64s, Int64s]] = []
        self._points = 0
        self._stretch = 0

    def add(self, ts: Int64s, y: Float64s, broken: Bools) -> None:
        """Add the next values.

        Args:
            ts: ns, shape ``(n,)``.
            y: the same shape; where it is not finite, the curve has a gap.
            broken: the same shape; True where no line leads from the value before.
        """
        known = np.isfinite(y)
        stretch = self._stretch + np.cumsum(broken | ~known)  # values of one stretch are joined
        if len(stretch):
            self._stretch = int(stretch[-1])
        self._keep(ts[known], y[known], stretch[known])
        if self._points > 16 * self._pixels:
            ts, y, stretch = self._all()
            self._kept, self._points = [], 0
            self._keep(ts, y, stretch)

    def curve(self) -> tuple[Int64s, Float64s]:
        """Times and values to draw, with a NaN wherever no line may be."""
        ts, y, stretch = self._all()
        gaps = np.flatnonzero(np.diff(stretch)) + 1
        return np.insert(ts, gaps, ts[gaps]), np.insert(y, gaps, np.nan)

    def _all(self) -> tuple[Int64s, Float64s, Int64s]:
        empty = (np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
        ts, y, stretch = (np.concatenate(parts) for parts in zip(empty, *self._kept, strict=True))
        return ts, y, stretch

    def _keep(self, ts: Int64s, y: Float64s, stretch: Int64s) -> None:
        if not len(ts):
            return
        chosen = four_of_each((ts - self._start) // self._width, y)
        self._kept.append((ts[chosen], y[chosen], stretch[chosen]))
        self._points += len(chosen)


def four_of_each(group: Int64s, y: Float64s) -> Int64s:
    """Places of the first, the last, the least and the greatest value of each run of equal groups, rising.

    >>> four_of_each(np.array([0, 0, 0, 0, 0, 1]), np.array([2.0, 9.0, 3.0, 1.0, 2.0, 5.0])).tolist()
    [0, 1, 3, 4, 5]
    """
    begins = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    sizes = np.diff(np.append(begins, len(group)))
    places = [begins, begins + sizes - 1]
    run = np.repeat(np.arange(len(begins)), sizes)
    for extreme in (np.minimum, np.maximum):
        hits = np.flatnonzero(y == np.repeat(extreme.reduceat(y, begins), sizes))
        places.append(hits[np.flatnonzero(np.diff(run[hits], prepend=-1))])  # the first of each run
    return np.unique(np.concatenate(places))


class ThinnedWords:
    """Keeps of each pixel column the word that most of its rows have."""

    def __init__(self, start: int, end: int, pixels: int) -> None:
        """Args: as of `ThinnedCurve`."""
        self._start, self._span, self._pixels = start, end - start, pixels
        self._width = _width(start, end, pixels)
        self._words: list[str] = []
        self._counts = np.empty((0, pixels), np.int64)
        self._broken = np.zeros(pixels, np.bool_)

    def add(self, ts: Int64s, words: list[str | None], places: Int64s, broken: Bools) -> None:
        """Add the next rows.

        Args:
            ts: ns, shape ``(n,)``.
            words: those that there are; None is no word.
            places: of the rows' words in ``words``, -1 where there is none.
            broken: as of `ThinnedCurve`.
        """
        pixel = (ts - self._start) // self._width
        self._broken[pixel[broken]] = True
        for place, word in enumerate(words):
            if word is None:
                continue
            if word not in self._words:
                self._words.append(word)
                self._counts = np.vstack([self._counts, np.zeros((1, self._pixels), np.int64)])
            here = pixel[places == place]
            self._counts[self._words.index(word)] += np.bincount(here, minlength=self._pixels)

    def stretches(self) -> list[tuple[str, int, int]]:
        """Word, first and last ns of each stretch of one word; a pixel without rows goes on as the one before."""
        if not self._words:
            return []
        known = self._counts.any(axis=0)
        code = np.where(known, self._counts.argmax(axis=0), -1)
        filled = np.flatnonzero(known)
        for one, two in itertools.pairwise(filled):
            if not self._broken[one + 1 : two + 1].any():  # its first rows may have no word yet
                code[one:two] = code[one]
        edges = [0, *(np.flatnonzero(np.diff(code)) + 1), self._pixels]
        found = []
        for begin, end in itertools.pairwise(edges):
            if code[begin] >= 0:
                first, last = (self._start + min(int(edge) * self._width, self._span) for edge in (begin, end))
                found.append((self._words[code[begin]], first, last))
        return found


def _width(start: int, end: int, pixels: int) -> int:
    """Of a pixel column, ns: the last one holds ``end``, too."""
    return (end - start) // pixels + 1
