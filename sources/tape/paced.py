"""The tape as a Bytewax source that keeps time: rows of all instruments come as the market sent them, or faster."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from bytewax.inputs import DynamicSource, StatelessSourcePartition

from sources.placement import BY_HASH, Placement
from sources.tape.batch import InstrumentBatch
from sources.tape.reader import TapeReader
from sources.tape.source import Item, items

_STEP_NS = 50_000_000  # of the wall clock, between two batches of an instrument
_LONGEST_WAIT_NS = 5_000_000_000  # likewise: a night without rows is not waited for
_AT_ONCE = 256  # batches

_Due = tuple[int, int, Item]  # the newest receive time of the batch, the instrument's number, the batch


class PacedTape(DynamicSource[Item]):
    """Hands out the tapes of many instruments in the order of their receive times, each batch when it is due."""

    def __init__(
        self,
        readers: Sequence[TapeReader],
        speed: float,
        now: Callable[[], int],
        start_ns: int | None = None,
        on_rows: Callable[[InstrumentBatch], None] = lambda item: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        placement: Placement = BY_HASH,
    ) -> None:
        """Args:
        speed: times as fast as the market was.
        now: ns of the wall clock.
        start_ns: receive time that rows are waited for from; those before it come at once. None: the first.
        on_rows, on_error, placement: as of `sources.tape.source.TapeSource`.
        """
        self._readers = readers
        self._speed = speed
        self._now = now
        self._start = start_ns
        self._on_rows = on_rows
        self._on_error = on_error
        self._placement = placement

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_PacedPartition":
        """The part of one worker."""
        place = self._placement
        step = max(1, int(_STEP_NS * self._speed))

        def of(number: int, reader: TapeReader) -> Iterator[_Due]:
            routed = items([reader], step, key=lambda instrument: place.route(instrument, worker_count))
            found = ((int(item[1].batch.receive_ts.max()), item) for item in routed)
            # Receive times may step back; what came later in the tape is not due earlier.
            return accumulate(
                ((time, number, item) for time, item in found), lambda a, b: (max(a[0], b[0]), b[1], b[2])
            )

        mine = [r for r in self._readers if place.home(r.instrument, worker_count) == worker_index]
        merged = heapq.merge(*(of(n, r) for n, r in enumerate(mine)), key=lambda due: due[:2])
        return _PacedPartition(merged, self._speed, self._now, self._start, self._on_rows, self._on_error)


class _PacedPartition(StatelessSourcePartition[Item]):
    def __init__(
        self,
        merged: Iterator[_Due],
        speed: float,
        now: Callable[[], int],
        start: int | None,
        on_rows: Callable[[InstrumentBatch], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._merged, self._speed, self._now = merged, speed, now
        self._on_rows, self._on_error = on_rows, on_error
        self._start = start
        self._began = 0  # wall clock at which the tape's time was `_start`
        self._next: _Due | None = None

    def next_batch(self) -> list[Item]:
        """The batches whose time has come."""
        try:
            return self._due()
        except StopIteration:
            raise
        except Exception as e:
            self._on_error(e)
            raise

    def next_awake(self) -> datetime | None:
        """When the next batch is due; None: at once."""
        if self._next is None:
            return None
        wait = max(0, self._wait(self._next[0]))
        return datetime.fromtimestamp((self._now() + wait) / 1e9, UTC)

    def _due(self) -> list[Item]:
        found: list[Item] = []
        while len(found) < _AT_ONCE:
            if self._next is None:
                self._next = next(self._merged, None)
                if self._next is None:
                    if found:
                        return found
                    raise StopIteration
                if not self._began:
                    self._start = self._next[0] if self._start is None else self._start
                    self._began = self._now()
            wait = self._wait(self._next[0])
            if wait > _LONGEST_WAIT_NS:
                self._began -= wait - _LONGEST_WAIT_NS
            if wait > 0:
                return found
            item = self._next[2]
            self._on_rows(item[1])
            found.append(item)
            self._next = None
        return found

    def _wait(self, time: int) -> int:
        """Ns of the wall clock until rows of a receive time are due."""
        assert self._start is not None
        return self._began + int((time - self._start) / self._speed) - self._now()
