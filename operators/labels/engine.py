"""The labels of one instrument's feature rows: the thin owner of a `window.Window`."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.labels.config import LabelConfig
from operators.labels.window import (
    BACK,
    NEW,
    OPEN,
    ROWS,
    SAME,
    SETTLED,
    Int8s,
    Window,
    empty_window,
    room_for,
    rule_of,
    settle,
    take,
)
from sources.tape.batch import Float64s, Int64s

_ROOM = 1024  # rows of the first window


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
        times = np.append(w.ts[start - 1 : start], rows.ts)
        if (np.diff(times) < 0).any():
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
        clock = self._window.clock
        self._group += 1 - int(clock[NEW])
        clock[:] = 0
        clock[NEW] = 1

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
        """Forget rows that nothing asks for any more, and have room for others."""
        w = self._window
        clock = w.clock
        rows = int(clock[ROWS])
        first = int(clock[SETTLED])
        if clock[OPEN]:  # the newest time may be that of a vertical barrier, which only a later row closes
            first = min(first, int(w.open[0]))
        if self._rule.rows == 0:
            first = min(first, int(clock[BACK]))
        left = rows - first
        if left + count > len(w.ts):
            self._window = empty_window(2 * (left + count))
            self._window.clock[:] = clock
        into: Any = self._window
        for name in Window._fields:
            if name not in ("open", "clock"):
                getattr(into, name)[:left] = getattr(w, name)[first:rows].copy()
        into.entry[:left] -= first
        into.open[: clock[OPEN]] = w.open[: clock[OPEN]] - first
        into.clock[[ROWS, SETTLED, SAME]] -= first
        into.clock[BACK] = max(0, int(clock[BACK]) - first)
