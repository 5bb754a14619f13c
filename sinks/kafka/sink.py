"""Two Bytewax sinks around one publisher a process: one that takes part in recovery, one that never holds up a run.

Bytewax snapshots the partitions of a `FixedPartitionedSink` at the end of each epoch, and the epoch counts only once
all snapshots are stored. So `RecoverableKafkaSink` waits for every confirmation in ``snapshot``: after a crash the
input goes back to an epoch whose rows are all confirmed, and rows after it are sent again (at least once). Its
partitions are the shards of `sources.placement`, as Bytewax lets none disappear; they have no state of their own, and
where the number of workers divides that of shards nothing travels between workers.

A live run cannot go back, and one worker thread serves the recording, too. Its `KafkaSink` is a `DynamicSink` that
hands rows to the publisher's buffer and waits for room a tenth of the time at the most. If delivery is given up, it
says so once and the run goes on without.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bytewax.outputs import DynamicSink, FixedPartitionedSink, StatefulSinkPartition, StatelessSinkPartition

from sinks.error_reporting import watched
from sinks.kafka.publisher import Publisher
from sources.errors import TickwaxError
from sources.placement import shard, shard_names

T = TypeVar("T")

_PATIENCE = 1.0  # s that a live run waits for room at once …
_PATIENCE_RATE = 0.1  # … and of every second, when there is little room for long
_END = 2.0  # s that a live run waits for confirmations at its end; it has 5 from a signal on


class _Shared(Generic[T]):
    """One publisher for all workers of a process, made by the first and closed by the last."""

    def __init__(self, make: Callable[[], Publisher[T]], on_error: Callable[[Exception], None]) -> None:
        self._make = make
        self._on_error = on_error
        self._lock = threading.Lock()
        self._users = 0
        self.publisher: Publisher[T] | None = None

    def take(self) -> Publisher[T]:
        with self._lock:
            if self.publisher is None:
                try:
                    self.publisher = self._make()
                except TickwaxError as e:
                    self._on_error(e)
                    raise
            self._users += 1
            return self.publisher

    def leave(self, patience: float | None) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self.publisher is not None:
                self.publisher.close(patience)


class RecoverableKafkaSink(FixedPartitionedSink[tuple[str, T], None], Generic[T]):
    """Publishes batches; every one is confirmed before its epoch is snapshotted.

    Its items are ``(key, (key, batch))`` with the key ``venue:SYMBOL``: Bytewax keeps the first for itself.
    """

    def __init__(
        self, make: Callable[[], Publisher[T]], on_error: Callable[[Exception], None] = lambda error: None
    ) -> None:
        """``make``: connects; ``on_error``: called with the exception that stops the sink, before it propagates."""
        self._on_error = on_error
        self.shared = _Shared(make, on_error)
        self._shards: dict[str, int] = {}

    def list_parts(self) -> list[str]:
        """Every shard: each worker has access to all."""
        return shard_names()

    def part_fn(self, item_key: str) -> int:
        """The key's shard, which lives where the key does."""
        if item_key not in self._shards:  # in Python, the hash costs more than the rest
            self._shards[item_key] = shard(item_key)
        return self._shards[item_key]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_RecoverablePartition[T]":
        """A shard."""
        return _RecoverablePartition(self, self.shared.take())

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Tells of an exception on its way to Bytewax."""
        return watched(self._on_error)


class _RecoverablePartition(StatefulSinkPartition[tuple[str, T], None]):
    def __init__(self, sink: RecoverableKafkaSink[T], publisher: Publisher[T]) -> None:
        self._sink = sink
        self._publisher = publisher

    def write_batch(self, values: list[tuple[str, T]]) -> None:
        """Hand over batches; waits for room."""
        with self._sink.watched():
            for key, batch in values:
                self._publisher.put(key, batch)

    def snapshot(self) -> None:
        """Wait until everything is confirmed."""
        with self._sink.watched():
            self._publisher.flush()

    def close(self) -> None:
        """Disconnect, if this is the last shard of the process."""
        with self._sink.watched():
            self._sink.shared.leave(None)


class KafkaSink(DynamicSink[tuple[str, T]], Generic[T]):
    """Publishes batches keyed by ``venue:SYMBOL`` as long as that is possible without holding up the run."""

    def __init__(
        self,
        make: Callable[[], Publisher[T]],
        clock: Callable[[], float],
        on_dropped: Callable[[T], None] = lambda batch: None,
        on_error: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Args:
        make: connects.
        clock: seconds, from any origin.
        on_dropped: told of each batch that comes after delivery was given up.
        on_error: told when the sink cannot begin, before Bytewax is.
        """
        self.clock = clock
        self.on_dropped = on_dropped
        self.shared = _Shared(make, on_error)

    @property
    def error(self) -> TickwaxError | None:
        """Why delivery was given up, if it was."""
        return self.shared.publisher.error if self.shared.publisher else None

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_LivePartition[T]":
        """The part of one worker."""
        return _LivePartition(self, self.shared.take())


class _LivePartition(StatelessSinkPartition[tuple[str, T]]):
    def __init__(self, sink: KafkaSink[T], publisher: Publisher[T]) -> None:
        self._sink = sink
        self._publisher = publisher
        self._patience = _PATIENCE
        self._at = sink.clock()

    def write_batch(self, items: list[tuple[str, T]]) -> None:
        """Hand over batches; nothing is raised when delivery is, or was, given up."""
        now = self._sink.clock()
        self._patience = min(_PATIENCE, self._patience + _PATIENCE_RATE * (now - self._at))
        for key, batch in items:
            try:
                self._publisher.put(key, batch, max(self._patience, 0.0))
            except TickwaxError:
                self._sink.on_dropped(batch)
        self._at = self._sink.clock()
        self._patience -= self._at - now

    def close(self) -> None:
        """Wait a moment for what is not confirmed, and disconnect."""
        with contextlib.suppress(TickwaxError):  # told by the telemetry, and by `error`
            self._sink.shared.leave(_END)
