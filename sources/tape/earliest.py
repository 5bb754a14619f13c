"""The earliest times of what is still to come of a tape: how far rows that stand out of order in time can be sorted."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from sources.tape.batch import Int64s, TapeBatch

_LATEST = np.iinfo(np.int64).max


class Earliest(NamedTuple):
    """Smallest times of rows, ns; the largest integer where there are none."""

    exchange_ts: int
    receive_ts: int


class EarliestTimes:
    """Smallest times behind any place of a tape, in memory of a few numbers a batch.

    Attributes:
        latency: smallest ``receive_ts − exchange_ts`` of any row, ns; the largest integer if there are no rows.
        last_receive_ts: largest of any row, ns; −1 if there are no rows.
    """

    def __init__(self, batches: Iterable[TapeBatch]) -> None:
        """``batches``: all rows in order; ordinals and times are read."""
        last: list[int] = []
        exchange_ts: list[int] = []
        receive_ts: list[int] = []
        self.latency, self.last_receive_ts = _LATEST, -1
        for batch in batches:
            last.append(int(batch.ordinal[-1]))
            exchange_ts.append(int(batch.exchange_ts.min()))
            receive_ts.append(int(batch.receive_ts.min()))
            self.latency = min(self.latency, int((batch.receive_ts - batch.exchange_ts).min()))
            self.last_receive_ts = max(self.last_receive_ts, int(batch.receive_ts.max()))
        self._last = np.array(last, np.int64)
        self._exchange_ts = _smallest_from(exchange_ts)
        self._receive_ts = _smallest_from(receive_ts)

    def after(self, ordinal: int) -> Earliest:
        """No row behind ``ordinal`` has earlier times than these; those of rows shortly before it may be among them."""
        place = int(np.searchsorted(self._last, ordinal, side="right"))
        return Earliest(int(self._exchange_ts[place]), int(self._receive_ts[place]))

    @property
    def of_all(self) -> Earliest:
        """Those of the first row on."""
        return Earliest(int(self._exchange_ts[0]), int(self._receive_ts[0]))


def _smallest_from(values: list[int]) -> Int64s:
    """Of every item the smallest from it on, shape ``(items + 1,)``."""
    backwards = np.array([_LATEST, *reversed(values)], np.int64)
    return np.minimum.accumulate(backwards)[::-1]
