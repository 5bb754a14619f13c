"""The exchanges as a Bytewax source: each worker connects to the instruments whose keys live on it."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from bytewax.inputs import DynamicSource, StatelessSourcePartition

from sources.instrument import Instrument
from sources.live.collector import Collector
from sources.live.config import LiveConfig
from sources.live.telemetry import Telemetry
from sources.placement import BY_HASH, Placement
from sources.tape.batch import InstrumentBatch
from sources.tape.builder import TapeTail

Item = tuple[str, InstrumentBatch]

_PAUSE = timedelta(milliseconds=1)
_TURN_PAUSE = timedelta(microseconds=100)  # that thread is soon through, and what it has read waits
_LONGEST_TURN_NS = 20_000_000  # a thread that is never through must not stop the dataflow
_STOP_TIMEOUT = 3.0  # seconds for the sockets to close; the process has 5 to end


class LiveSource(DynamicSource[Item]):
    """Tape rows of many instruments as they come, until told to stop or for a given time."""

    def __init__(
        self,
        wanted: Sequence[Instrument],
        config: LiveConfig,
        clock: Callable[[], int],
        telemetry: Telemetry,
        stop: threading.Event,
        duration_ns: int | None = None,
        find_tail: Callable[[Instrument], TapeTail] = lambda instrument: TapeTail(),
        on_error: Callable[[Exception], None] = lambda error: None,
        placement: Placement = BY_HASH,
        elapsed: Callable[[], int] = time.monotonic_ns,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Args:
        wanted: as in `Collector`.
        clock: the time, in nanoseconds since the epoch.
        stop: set to end the source once what has come is handed out.
        duration_ns: end after this long, counted from when every address has answered.
        find_tail: what an instrument's rows are appended to.
        on_error: called with the exception if the source cannot begin, before it propagates.
        placement: which worker connects to, and computes, an instrument.
        elapsed: ns of a clock that nobody sets; the duration and all pauses go by it.
        on_failure: called with the exception that stops the source later, before it propagates.
        """
        self._wanted = wanted
        self._config = config
        self._clock = clock
        self._telemetry = telemetry
        self._stop = stop
        self._duration_ns = duration_ns
        self._find_tail = find_tail
        self._on_error = on_error
        self._placement = placement
        self._elapsed = elapsed
        self._on_failure = on_failure

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_LivePartition":
        """The part of one worker; connects before it returns."""
        collector = Collector(
            self._wanted,
            self._config,
            self._clock,
            self._telemetry,
            self._find_tail,
            mine=lambda instrument: self._placement.home(instrument, worker_count) == worker_index,
            share=worker_count,
        )
        try:
            collector.start(self._stop)
        except Exception as e:
            self._on_error(e)
            raise
        end = None if self._duration_ns is None else self._elapsed() + self._duration_ns

        def route(instrument: Instrument) -> str:
            return self._placement.route(instrument, worker_count)

        return _LivePartition(collector, self._elapsed, self._stop, end, self._on_failure, route)


class _LivePartition(StatelessSourcePartition[Item]):
    """Drains one worker's collector."""

    def __init__(
        self,
        collector: Collector,
        elapsed: Callable[[], int],
        stop: threading.Event,
        end: int | None,
        on_failure: Callable[[Exception], None],
        route: Callable[[Instrument], str],
    ) -> None:
        self._collector = collector
        self._elapsed = elapsed
        self._stop = stop
        self._end = end
        self._on_failure = on_failure
        self._route = route
        self._awake: datetime | None = None
        self._drained = False  # rows were handed out that the dataflow may still be busy with
        self._turn: threading.Event | None = None  # of the connections' thread, until it has had it
        self._since = 0  # when that began
        self._closed = False

    def next_batch(self) -> list[Item]:
        """Whatever has come since the last call; ends when told to, after the last rows.

        Between two drains the connections' thread has its turn: it reads all that has come while the dataflow was busy
        with the first. So rows gather where a run is late, and the cost is in batches; and no time is left unused, or a
        run with some to spare could not work off a long batch, in whose time as many rows come again.
        """
        try:
            return self._next_batch()
        except StopIteration:
            raise
        except Exception as e:
            self._on_failure(e)
            raise

    def _next_batch(self) -> list[Item]:
        if not self._closed and (self._stop.is_set() or (self._end is not None and self._elapsed() >= self._end)):
            self._collector.stop(_STOP_TIMEOUT)
            self._closed = True
        if self._drained:
            self._drained = False
            self._turn, self._since = self._collector.turn(), self._elapsed()
            return self._pause(_TURN_PAUSE)
        if self._turn is not None and not self._closed:
            if not self._turn.is_set() and self._elapsed() - self._since < _LONGEST_TURN_NS:
                return self._pause(_TURN_PAUSE)
            self._turn = None
        batches = self._collector.drain()
        if not batches and self._closed:
            raise StopIteration
        if not batches:
            return self._pause()
        self._drained, self._awake = True, None
        return [(self._route(batch.instrument), batch) for batch in batches]

    def next_awake(self) -> datetime | None:
        """At once after rows, when the dataflow is through with them; otherwise after the pause."""
        return self._awake

    def _pause(self, length: timedelta = _PAUSE) -> list[Item]:
        self._awake = datetime.now(UTC) + length
        return []

    def close(self) -> None:
        """Close the connections."""
        self._collector.stop(_STOP_TIMEOUT)
