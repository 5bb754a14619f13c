"""One instrument's tape as hftbacktest's events: the thin owner of what is not in order yet."""

from typing import Any

import numpy as np
import numpy.typing as npt

from operators.hft_events import EVENT, Events, expand, expand_state, merge, room, sorted_by
from sources.errors import TickwaxError
from sources.tape.batch import SNAPSHOT, TapeBatch, concat
from sources.tape.earliest import Earliest, EarliestTimes

MOST_WAITING = 1 << 22  # events that wait for earlier ones; 200 MB
_EXTRA = 3  # events that a row of a snapshot can have beside its own


class HftEngine:
    """Turns tape rows into events, in both orders of time. The split of the tape into batches changes no bit.

    Attributes:
        shift: ns that every local time is moved by, so that no event is received before the exchange had it
            (hftbacktest's `correct_local_timestamp`).
    """

    def __init__(self, times: EarliestTimes, wait: bool = False) -> None:
        """Args:
        times: of all the rows that will come.
        wait: a delta that arrived before the snapshot in front of it is known together with it, not before.
        """
        self._times = times
        self._wait = wait
        self.shift = max(0, -times.latency)
        self._state = expand_state()
        self._unclosed: list[TapeBatch] = []  # a snapshot message without its end
        self._unsorted = room(0)  # events that may follow ones to come, by local time
        self._events = room(0)  # sorted by local time
        self._told = 0  # of them, events that the trader was given
        self._given = np.zeros(0, np.bool_)  # those that the exchange was given

    def process(self, batch: TapeBatch) -> npt.NDArray[Any]:
        """The events (`EVENT`) that are in order now.

        Args:
            batch: the rows that follow those of the call before.

        Raises:
            TickwaxError: rows are so far out of order that they do not fit into memory.
        """
        whole = concat([*self._unclosed, batch])
        end = _closed(whole)
        self._unclosed = [whole.slice(end, whole.rows)] if end < whole.rows else []
        if not end:
            return np.empty(0, EVENT)
        return self._sort(whole.slice(0, end), self._times.after(int(whole.ordinal[end - 1])))

    def finish(self) -> npt.NDArray[Any]:
        """The events that waited for others."""
        rows, self._unclosed = concat(self._unclosed), []
        return self._sort(rows, None)

    def _sort(self, rows: TapeBatch, ahead: Earliest | None) -> npt.NDArray[Any]:
        self._arrive(self._expanded(rows), ahead)
        until = 0
        if ahead is not None:
            until = min(ahead.exchange_ts, int(self._unsorted.exch_ts.min(initial=ahead.exchange_ts)))
        out = self._merged(until, ahead is None)
        if max(len(self._events.ev), len(self._unsorted.ev)) > MOST_WAITING:
            at = np.datetime64(int((self._unsorted if len(self._unsorted.ev) else self._events).local_ts[0]), "ns")
            raise TickwaxError(
                f"the rows of {MOST_WAITING:,} events from {at}Z on have later times than rows behind them; "
                "choose a shorter range"
            )
        return out

    def _expanded(self, rows: TapeBatch) -> Events:
        if not rows.rows:
            return room(0)
        out = room(rows.rows + _EXTRA * int((rows.kind == SNAPSHOT).sum()))
        n = expand(_read_only(rows), self._state, self._times.latency, self._wait, out)
        return Events._make(column[:n] for column in out)

    def _arrive(self, new: Events, ahead: Earliest | None) -> None:
        """Append the events that nothing to come will precede locally, by local time."""
        unsorted = _joined(self._unsorted, new)
        if not sorted_by(unsorted.local_ts):
            unsorted = unsorted.take(np.argsort(unsorted.local_ts, kind="stable"))
        count = len(unsorted.ev)
        known = count if ahead is None else int(np.searchsorted(unsorted.local_ts, ahead.receive_ts, side="right"))
        self._unsorted = Events._make(column[known:] for column in unsorted)
        self._events = _joined(self._events, Events._make(column[:known] for column in unsorted))
        self._given = np.concatenate([self._given, np.zeros(known, np.bool_)])

    def _merged(self, until: int, ended: bool) -> npt.NDArray[Any]:
        events = self._events
        order = np.flatnonzero(~self._given)
        times = events.exch_ts[order]
        if not sorted_by(times):
            order = order[np.argsort(times, kind="stable")]
        out = np.empty(len(order) + len(events.ev) - self._told, EVENT)
        whole, real = out.view(np.int64), out.view(np.float64)
        _, told, n = merge(events, order, self._told, self._given, until, ended, self.shift, whole, real)
        kept = np.flatnonzero(~self._given | (np.arange(len(events.ev)) >= told))
        self._told = int(np.searchsorted(kept, told))
        self._given, self._events = self._given[kept], events.take(kept)
        return out[:n]


def _joined(first: Events, second: Events) -> Events:
    if not len(first.ev):
        return second
    return Events._make(np.concatenate(columns) for columns in zip(first, second, strict=True))


def _read_only(rows: TapeBatch) -> TapeBatch:
    """The same arrays; a kernel is compiled for those that may be written to and those that may not."""
    views = TapeBatch._make(column.view() for column in rows)
    for column in views:
        column.flags.writeable = False
    return views


def _closed(rows: TapeBatch) -> int:
    """Rows but for a snapshot message at the end that goes on."""
    if not rows.rows or rows.kind[-1] != SNAPSHOT or rows.last[-1]:
        return rows.rows
    others = np.flatnonzero((rows.kind != SNAPSHOT) | rows.last)
    return int(others[-1]) + 1 if len(others) else 0
