"""Rows of several files by time, in the order in which one after the other would be taken from the earliest."""

from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from sources.importers.files import DamagedFile
from sources.importers.run import ImportRun
from sources.tape.batch import InstrumentBatch, Int64s


class Part(Protocol):
    """Consecutive rows of one file."""

    @property
    def key(self) -> Int64s:
        """The latest time of the file up to each row: it never falls, in a file's next part neither."""
        ...


class Recordable(Part, Protocol):
    """Consecutive messages of one file."""

    def record(self, start: int, stop: int) -> None:
        """Record the messages ``start:stop``.

        Raises:
            DamagedFile: the file ends there, and nothing of it is to be taken.
        """
        ...


P = TypeVar("P", bound=Part)
R = TypeVar("R", bound=Recordable)


class Segment(NamedTuple, Generic[P]):
    """Rows ``start:stop`` of a part."""

    part: P
    start: int
    stop: int

    @property
    def key(self) -> Int64s:
        """As of the part."""
        return self.part.key[self.start : self.stop]


class _Head(Generic[P]):
    """A file, as far as it is read."""

    def __init__(self, parts: Iterator[P]) -> None:
        self._parts = parts
        self.part: P
        self.at = 0

    def ready(self) -> bool:
        """Read on where all is taken; False at the end."""
        while not hasattr(self, "part") or self.at == len(self.part.key):
            part = next(self._parts, None)
            if part is None:
                return False
            self.part, self.at = part, 0
        return True


def rounds(files: Sequence[Iterator[P]]) -> Iterator[list[Segment[P]]]:
    """The rows of the files, in rounds: every row of one comes before every row of the next.

    In a round the segments stand in the order of ``files``: by it rows of the same time are ordered.
    """
    heads = [head for head in map(_Head, files) if head.ready()]
    while heads:
        cut = min(int(head.part.key[-1]) for head in heads)
        last = next(n for n, head in enumerate(heads) if int(head.part.key[-1]) == cut)
        segments: list[Segment[P]] = []
        for n, head in enumerate(heads):
            # Of the time of the cut, a file behind the one that ends there must wait for what that one has next.
            stop = int(np.searchsorted(head.part.key, cut, "right" if n <= last else "left"))
            if stop > head.at:
                segments.append(Segment(head.part, head.at, stop))
                head.at = stop
        yield segments
        heads = [head for head in heads if head.ready()]


def order(segments: Sequence[Segment[P]]) -> Int64s:
    """The order by time of the rows of a round, which are counted through its segments."""
    if len(segments) == 1:
        return np.arange(segments[0].stop - segments[0].start)
    return np.argsort(np.concatenate([segment.key for segment in segments]), kind="stable")


def runs(segments: Sequence[Segment[P]]) -> Iterator[Segment[P]]:
    """The rows of a round by time, as many at once as one file has in a row."""
    if len(segments) == 1:
        yield segments[0]
        return
    of = np.repeat(np.arange(len(segments)), [segment.stop - segment.start for segment in segments])[order(segments)]
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    at = [segment.start for segment in segments]
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(of)], strict=True):
        n = int(of[begin])
        yield Segment(segments[n].part, at[n], at[n] + end - begin)
        at[n] += end - begin


def record_in_order(files: Sequence[Iterator[R]], run: ImportRun) -> Iterator[InstrumentBatch]:
    """Record what the files hold, merged by time, and finish the run.

    Raises:
        DamagedFile: of a file; what stands before has been given.
    """
    try:
        for segments in rounds(files):
            for part, start, stop in runs(segments):
                part.record(start, stop)
            yield from run.take()
    except DamagedFile:
        yield from run.take()
        raise
    run.finish()
