"""The labels of one instrument's feature rows: the thin owner of a `window.Window`."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.labels.config import LabelConfig
from operators.labels.settling import room_for, settle
from operators.labels.window import (
    BACK,
    HEAD,
    IN,
    NEW,
    OPEN,
    ROWS,
    SAME,
    SETTLED,
    Int8s,
    empty_window,
    restart,
    rule_of,
    take,
)
from sources.tape.batch import Float64s, Int64s

_ROOM = 1024  # rows of the first window
_OF_ROWS = ("ts", "mid", "bought", "sold", "width", "why", "entry", "touch", "barrier", "share")
_OF_OPEN = ("open", "above", "below")


class LabelRows(NamedTuple):
    """What a label reads of consecutive feature rows, shape ``(rows,)`` each."""

    ts: Int64s  # ns
    mid: Float64s
    bid: Float64s
    ask: Float64s
    volatility: Float64s
    is_warm: npt.NDArray[np.bool_]


class Labels(NamedTuple):
    """What became of consecutive rows, in the order in which they were added. Values of rows that are not kept mean
    nothing."""

    why: Int8s  # (rows,): `window.KEPT` or why a row has no labels
    returns: Float64s  # (horizons, rows)
    barrier: Int8s  # (rows,): −1, 0, +1
    barrier_end: Int64s  # (rows,): ns
    end: Int64s  # (rows,): ns, the latest time that a label of the row knows of
    weight: Float64s  # (rows,): average uniqueness
    group: Int64s  # (rows,): number of the segment


class Labeller:
    """Takes feature rows, and gives the labels of those for which they are known.

    A row's labels are known once no row up to their last time can come any more. Any split of the rows into calls gives
    the same bits, and rows that are still to come change nothing that was given.
    """

    def __init__(self, config: LabelConfig) -> None:
        self._config = config
        self._rule = rule_of(config)
        self._horizons = np.array([ns for _, ns in config.horizons], np.int64)
        self._window = empty_window(_ROOM)
        self._group = 0

    def add(self, rows: LabelRows) -> Labels:
        """Rows of the segment that follow those added before; the labels that are known now.

        Raises:
            ValueError: a time is before that of the row before.
        """
        count = len(rows.ts)
        self._make_room(count)
        w = self._window
        start = int(w.clock[ROWS])
        if (rows.ts[1:] < rows.ts[:-1]).any() or (start and count and rows.ts[0] < w.ts[start - 1]):
            raise ValueError("ts: steps back inside a segment")
        w.ts[start : start + count] = rows.ts
        take(w, start, start + count, self._rule, *rows[1:])
        return self._settled(self._config.longest_ns, whole=False)

    def end_segment(self) -> Labels:
        """No more rows of the segment will come: the labels of all its rows. The next row begins another."""
        labels = self._settled(-1, whole=True)
        self._restart()
        return labels

    def end(self) -> Labels:
        """The rows end, and whether the segment does is not known: the labels of all rows."""
        labels = self._settled(-1, whole=False)
        self._restart()
        return labels

    def _restart(self) -> None:
        self._group += 1 - int(self._window.clock[NEW])
        restart(self._window)

    def _settled(self, longest: int, whole: bool) -> Labels:
        w = self._window
        rows = int(w.clock[ROWS])
        out = room_for(rows - int(w.clock[SETTLED]), len(self._horizons))
        n = 0
        if rows:
            # Rows of a grid have times of their own; of updates, another with the newest time may come.
            known = int(w.ts[rows - 1]) - (not whole and self._config.step_ns == 0)
            n = settle(w, known, longest, self._rule, self._horizons, out)
        group = np.full(n, self._group)
        return Labels(
            out.why[:n], out.returns[:, :n], out.barrier[:n], out.barrier_end[:n], out.end[:n], out.weight[:n], group
        )

    def _make_room(self, count: int) -> None:
        """Have room for ``count`` rows more: forget those that nothing asks for any more, or take more room."""
        w, clock = self._window, self._window.clock
        rows = int(clock[ROWS])
        if rows + count <= len(w.ts):
            return
        head, stop = int(clock[HEAD]), int(clock[OPEN])
        first = int(clock[SETTLED])
        if head < stop:  # the newest time may be that of a vertical barrier, which only a later row closes
            first = min(first, int(w.open[head]))
        if self._rule.rows == 0:
            first = min(first, int(clock[BACK]))
        first = min(first, max(rows - 1, 0))  # at whose prices a label may be in with the next row
        left = rows - first
        into = w if 4 * (left + count) <= 3 * len(w.ts) else empty_window(2 * (left + count))
        for name in _OF_ROWS:
            getattr(into, name)[:left] = getattr(w, name)[first:rows].copy()
        for name in _OF_OPEN:
            getattr(into, name)[: stop - head] = getattr(w, name)[head:stop].copy()
        into.nearest[:] = w.nearest
        into.clock[:] = clock
        into.entry[:left] -= first
        into.touch[:left] -= np.where(into.touch[:left] >= 0, first, 0)
        into.open[: stop - head] -= first
        into.clock[[ROWS, SETTLED, SAME]] -= first
        into.clock[[IN, OPEN]] -= head
        into.clock[HEAD] = 0
        into.clock[BACK] = max(0, int(clock[BACK]) - first)
        self._window = into
