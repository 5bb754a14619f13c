"""How long frames were on their way, by the clocks at both ends: receive time less exchange time.

It is not the time that a frame took: the two clocks differ by an offset that nobody has told. What cannot be is told by
its sign: a frame that was received before it was sent shows a local clock that is behind.
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np

from sources.instrument import Instrument
from sources.tape.batch import RESET, InstrumentBatch, Int64s, TapeBatch

_BITS = 6  # of a difference's mantissa that are kept: a bucket is 1/64 of its octave wide
_HALF = 64 << _BITS  # buckets of one sign; 2**63 ns is the longest
_SHIFT = 52 - _BITS
_EXPONENT_OF_1 = 1023 << _BITS
DENSE_ROWS = 4096  # of the beginning, all of which are looked at
EVERY = 64  # then one of so many rows

MEDIAN_ERROR = 0.5**_BITS / 2  # relative: the median is the middle of its bucket


LatencyState = tuple[int, int, dict[int, int]]  # lowest, highest, counts by bucket


class Spread(NamedTuple):
    """Nanoseconds; positive where the frame was received after its exchange time."""

    median: int
    lowest: int
    highest: int
    messages: int  # that were looked at


class Latency:
    """A streaming distribution of receive less exchange time, in ns, of constant size.

    The counts of logarithmic buckets add up, so that the result is the same for any split into batches, and parts from
    several workers can be merged. Lowest and highest are exact, the median within `MEDIAN_ERROR` of itself.
    """

    def __init__(self) -> None:
        self.counts: Int64s = np.zeros(2 * _HALF + 1, np.int64)
        self.lowest = np.iinfo(np.int64).max
        self.highest = np.iinfo(np.int64).min

    def add(self, differences: Int64s) -> None:
        """Count differences, shape ``(messages,)``, ns."""
        if len(differences) == 0:
            return
        self.lowest = min(self.lowest, int(differences.min()))
        self.highest = max(self.highest, int(differences.max()))
        size = np.abs(differences.astype(np.float64))
        bucket = (np.maximum(size, 1.0).view(np.int64) >> _SHIFT) - _EXPONENT_OF_1 + 1
        np.add.at(self.counts, np.sign(differences) * bucket + _HALF, 1)

    def add_tape(self, batch: TapeBatch, begin: int) -> None:
        """Count the messages of the first `DENSE_ROWS` rows from the ordinal ``begin`` on, and beyond them those whose
        last row is the one among `EVERY` whose ordinal is a multiple of that.

        So a batch costs next to nothing, and which messages are counted depends on ordinals alone.
        """
        first = int(batch.ordinal[0])
        if int(batch.ordinal[-1]) - first != batch.rows - 1:
            self._add_rows(batch, (batch.ordinal < begin + DENSE_ROWS) | (batch.ordinal % EVERY == 0))
            return
        dense = min(max(begin + DENSE_ROWS - first, 0), batch.rows)
        self._add_rows(batch, slice(0, dense))
        self._add_rows(batch, slice(dense + -(first + dense) % EVERY, None, EVERY))

    def merge(self, other: Self) -> None:
        """Count what another has counted."""
        self.counts += other.counts
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def state(self) -> LatencyState:
        """For another process."""
        filled = np.flatnonzero(self.counts)
        return self.lowest, self.highest, dict(zip(filled.tolist(), self.counts[filled].tolist(), strict=True))

    @classmethod
    def restored(cls, state: LatencyState) -> Self:
        """From `state`."""
        latency = cls()
        latency.lowest, latency.highest, counts = state
        latency.counts[list(counts)] = list(counts.values())
        return latency

    def spread(self) -> Spread | None:
        """Median and range; None before the first message."""
        total = int(self.counts.sum())
        if total == 0:
            return None
        bucket = int(np.searchsorted(np.cumsum(self.counts), (total + 1) // 2)) - _HALF
        octave, part = divmod(abs(bucket) - 1, 1 << _BITS)
        middle = 2.0**octave * (1.0 + (part + 0.5) * 0.5**_BITS)
        median = 0 if bucket == 0 else int(middle) if bucket > 0 else -int(middle)
        return Spread(min(max(median, self.lowest), self.highest), self.lowest, self.highest, total)

    def _add_rows(self, batch: TapeBatch, rows: slice | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        whole = batch.last[rows] & (batch.kind[rows] < RESET)  # of books and trades
        self.add((batch.receive_ts[rows] - batch.exchange_ts[rows])[whole])


class Latencies:
    """The distributions of several venues, by name."""

    def __init__(self) -> None:
        self.of: dict[str, Latency] = {}
        self._begin: dict[Instrument, int] = {}  # ordinal of each tape's first row here

    def add_tape(self, item: InstrumentBatch) -> None:
        """As `Latency.add_tape`, from the first row of the instrument that is met here."""
        if item.batch.rows:
            begin = self._begin.setdefault(item.instrument, int(item.batch.ordinal[0]))
            self[item.instrument.venue].add_tape(item.batch, begin)

    def state(self) -> dict[str, LatencyState]:
        """For another process."""
        return {venue: latency.state() for venue, latency in self.of.items()}

    def add_state(self, state: Mapping[str, LatencyState]) -> None:
        """Count what another process has counted."""
        for venue, latency in state.items():
            self[venue].merge(Latency.restored(latency))

    def __getitem__(self, venue: str) -> Latency:
        """That of a venue, empty if there is none yet."""
        if venue not in self.of:
            self.of[venue] = Latency()
        return self.of[venue]
