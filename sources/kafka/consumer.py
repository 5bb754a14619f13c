"""One Kafka consumer a process, in a thread of its own, read by many source partitions."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, TopicPartition, errors

from sources.errors import TickwaxError
from sources.kafka.batches import bound_batches
from sources.kafka.connection import KafkaConnection, reason

_POLL_MS = 50
_AT_ONCE = 16  # messages handed out together: what they complete must be bounded
_RECORD = 512  # bytes of a record without what it holds
_ROOM = 16 << 20  # bytes of a partition that may wait; then it is paused


class Inbox:
    """What has come of one partition and was not yet taken."""

    def __init__(self, offset: int | None) -> None:
        """``offset``: the first to read; None is the beginning."""
        self.offset = offset
        self.end: int | None = None  # where to stop; None: nowhere
        self.records: deque[Any] = deque()
        self.bytes = 0
        self.finished = False

    @property
    def full(self) -> bool:
        """Whether no more should be fetched."""
        return self.bytes >= _ROOM


class TopicConsumer:
    """Fetches partitions of a topic; which, and from where, is said by `open`.

    Offsets are the reader's own: no consumer group, nothing is committed to the brokers.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        follow: bool,
        on_foreign: Callable[[str], None] | None = None,
    ) -> None:
        """Args:
        follow: go on for ever; else up to where the topic ends when reading begins.
        on_foreign: told, from another thread, of each batch of records that is skipped; None: it is an error.
        """
        self._connection = connection
        self._topic = topic
        self._follow = follow
        self._on_foreign = on_foreign
        self._lock = threading.Lock()
        self._inboxes: dict[int, Inbox] = {}
        self._new = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: TickwaxError | None = None

    def open(self, partition: int, offset: int | None) -> Inbox:
        """Begin to fetch a partition."""
        inbox = Inbox(offset)
        with self._lock:
            self._inboxes[partition] = inbox
            self._new = True
        return inbox

    def take(self, inbox: Inbox) -> list[Any]:
        """Some of the records that have come; never waits.

        Raises:
            TickwaxError: fetching has ended by an error.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"kafka-{self._topic}", daemon=True)
                self._thread.start()
            records = [inbox.records.popleft() for _ in range(min(_AT_ONCE, len(inbox.records)))]
            inbox.bytes -= sum(map(_bytes, records))
        if not records and self._error is not None:
            raise self._error
        return records

    def close(self, partition: int) -> None:
        """Fetch a partition no more; the last one ends the thread."""
        with self._lock:
            self._inboxes.pop(partition, None)
            if not self._inboxes:
                self._stop.set()

    def _run(self) -> None:
        try:
            consumer = self._connection.connect(
                KafkaConsumer,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=4 << 20,
                fetch_max_wait_ms=_POLL_MS,
                metrics_enabled=False,
            )
            bound_batches(consumer._fetcher, self._on_foreign)
            try:
                while not self._stop.is_set():
                    self._step(consumer)
            finally:
                consumer.close(autocommit=False)
        except Exception as e:
            self._error = e if isinstance(e, TickwaxError) else TickwaxError(f"topic {self._topic}: {reason(e)}")

    def _step(self, consumer: Any) -> None:
        with self._lock:
            if self._new:
                self._assign(consumer)
                self._new = False
            if not consumer.assignment():
                self._stop.wait(_POLL_MS / 1000)
                return
            mine = {TopicPartition(self._topic, n): inbox for n, inbox in self._inboxes.items() if not inbox.finished}
        full = {tp for tp, inbox in mine.items() if inbox.full}
        done = set(consumer.assignment()) - set(mine)
        consumer.pause(*(full | done))
        consumer.resume(*(set(mine) - full))
        if not mine:
            self._stop.wait(_POLL_MS / 1000)
            return
        try:
            fetched = consumer.poll(_POLL_MS)
        except errors.OffsetOutOfRangeError as e:
            raise TickwaxError(
                f"topic {self._topic}: what comes next is not there any more; the topic's retention is shorter than "
                f"the time since it was read: {reason(e)}"
            ) from e
        with self._lock:
            for tp, records in fetched.items():
                inbox = mine[tp]
                kept = [r for r in records if inbox.end is None or r.offset < inbox.end]
                inbox.records.extend(kept)
                inbox.bytes += sum(map(_bytes, kept))
            for tp, inbox in mine.items():
                inbox.offset = consumer.position(tp)
                inbox.finished = inbox.end is not None and inbox.offset >= inbox.end

    def _assign(self, consumer: Any) -> None:
        """Read all partitions, each from where it is."""
        parts = {TopicPartition(self._topic, n): inbox for n, inbox in self._inboxes.items()}
        consumer.assign(list(parts))
        first, ends = consumer.beginning_offsets(list(parts)), consumer.end_offsets(list(parts))
        for tp, inbox in parts.items():
            if inbox.offset is None:
                inbox.offset = first[tp]
            if inbox.end is None and not self._follow:
                inbox.end = ends[tp]
            inbox.finished = inbox.end is not None and inbox.offset >= inbox.end
            consumer.seek(tp, inbox.offset)


def _bytes(record: Any) -> int:
    """About what a record takes in memory."""
    sizes = (record.serialized_key_size, record.serialized_value_size, record.serialized_header_size)
    return _RECORD + sum(size for size in sizes if size > 0)


def partition_name(partition: int) -> str:
    """Name of a source partition: as text in the order of its number, however many there will be."""
    return f"{partition:05d}"
