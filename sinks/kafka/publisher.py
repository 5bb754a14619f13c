"""Sends batches to one topic in the order in which they come, and knows which are confirmed."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kafka import KafkaProducer, errors

from sinks.kafka.message import Encoding, Message
from sinks.kafka.partitioner import KeyPartitioner
from sinks.kafka.telemetry import KafkaTelemetry
from sources.errors import TickwaxError
from sources.kafka.connection import KafkaConnection, reason

T = TypeVar("T")

_WINDOW = 8 << 20  # bytes of messages sent and not confirmed, at most; what waits beyond stays in compact arrays
_WINDOW_SHARE = 4  # of the buffer it is this part, if that is less
_BATCH_BYTES = 256 << 10  # of messages to one partition in one request
_POLL = 0.05  # s that the oldest message is waited for, before new ones are looked for
_IDLE = 1.0  # s
_STALL = 3.0  # s without a confirmation that are worth a word
_FOREVER_MS = 1 << 40  # the client must not give up by itself: it would lose single messages, and their order


@dataclass(frozen=True)
class Delivery:
    """How messages are delivered."""

    compression: str | None = None  # of kafka-python
    buffer_bytes: int = 64 << 20  # that may wait to be sent or confirmed
    deadline: float = 30.0  # s without any confirmation, while some is due, after which delivery is given up
    linger: float = 0.02  # s that batches wait for others of their instrument, to become messages together


class Publisher(Generic[T]):
    """Batches to a topic, keyed by ``venue:SYMBOL``, through an idempotent producer with ``acks=all``.

    A thread of its own encodes and sends, so whoever hands over batches never waits for the network, only, if they
    want to, for room in the buffer. Delivery of every message is tried until it is confirmed; a message that never
    will be, or ``deadline`` seconds without any confirmation, end it for good: what is confirmed is then a prefix of
    each partition's messages, in order and without a hole.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        encoding: Encoding[T],
        delivery: Delivery,
        clock: Callable[[], float],
        telemetry: KafkaTelemetry,
        hash_key: Callable[[bytes], int] | None = None,
    ) -> None:
        """Connect, and begin to send.

        Args:
            clock: seconds, from any origin.
            hash_key: of which the partition is the remainder; Kafka's own (murmur2) without.

        Raises:
            TickwaxError: no broker answers.
        """
        self.topic = topic
        self._encoding = encoding
        self._delivery = delivery
        self._clock = clock
        self._telemetry = telemetry
        request_ms = min(10_000, max(1_000, int(500 * delivery.deadline)))
        self._producer: Any = connection.connect(
            KafkaProducer,
            acks="all",
            enable_idempotence=True,
            compression_type=delivery.compression,
            batch_size=_BATCH_BYTES,
            linger_ms=2,
            request_timeout_ms=request_ms,
            delivery_timeout_ms=_FOREVER_MS,
            max_block_ms=1_000,
            allow_auto_create_topics=False,
            partitioner=KeyPartitioner(hash_key),
            metrics_enabled=False,
        )
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, T, int]] = deque()
        self._flight: deque[tuple[Any, int, int]] = deque()  # the client's future, bytes, rows
        self._bytes = 0  # of both
        self._flight_bytes = 0
        self._window = min(_WINDOW, delivery.buffer_bytes // _WINDOW_SHARE)
        self._unconfirmed = 0  # rows
        self._progress = clock()  # when a confirmation came last, or was first due
        self._stalled_at: float | None = None
        self._closing = False
        self.error: TickwaxError | None = None
        self._thread = threading.Thread(target=self._run, name=f"kafka-{topic}", daemon=True)
        self._thread.start()

    def put(self, key: str, batch: T, patience: float | None = None) -> None:
        """Hand over a batch, waiting for room if there is none.

        Args:
            patience: seconds to wait for room, after which delivery is given up; without, as long as it takes.

        Raises:
            TickwaxError: delivery was given up, now or before.
        """
        size, rows = self._encoding.size(batch), self._encoding.rows(batch)
        with self._changed:
            if not self._changed.wait_for(self._room, patience):
                self._give_up(f"the buffer is full, {self._bytes >> 20} MiB of {self._delivery.buffer_bytes >> 20}")
            self._check()
            if not self._unconfirmed:
                self._progress = self._clock()
            self._waiting.append((key, batch, size))
            self._bytes += size
            self._unconfirmed += rows
            self._changed.notify_all()

    def flush(self, patience: float | None = None) -> None:
        """Wait until everything handed over is confirmed.

        Args:
            patience: seconds to wait, after which delivery is given up; without, as long as it takes.

        Raises:
            TickwaxError: delivery was given up, now or before.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.error or not self._unconfirmed, patience):
                self._give_up(f"not confirmed {patience:g} s after the end")
            self._check()

    def close(self, patience: float | None = None) -> None:
        """`flush`, then disconnect.

        Raises:
            TickwaxError: as of `flush`.
        """
        try:
            self.flush(patience)
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            self._thread.join()
            with contextlib.suppress(errors.KafkaTimeoutError):
                self._producer.close(timeout=0)
            # With messages that are not confirmed, the library's `close` stops half-way and goes on trying to send.
            self._producer._sender.force_close()

    def _room(self) -> bool:
        return self.error is not None or self._bytes < self._delivery.buffer_bytes - self._window

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    def _give_up(self, why: str) -> None:
        """End delivery; the caller holds the lock."""
        if self.error is None:
            rows = self._unconfirmed
            self.error = TickwaxError(
                f"kafka: topic {self.topic}: delivery is given up, {rows:,} rows are not confirmed: {why}"
            )
            self._waiting.clear()
            self._telemetry.failed(self.topic, why)
            self._telemetry.dropped(self.topic, rows)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self.error is None:
                if groups := self._take():
                    for key, group in groups.items():
                        self._send(key, group)
                elif self._flight:
                    self._settle()
                elif self._closing:
                    return
        except Exception as e:
            with self._changed:
                self._give_up(str(e) if isinstance(e, TickwaxError) else reason(e))

    def _take(self) -> dict[str, list[tuple[T, int]]]:
        """Everything that waits, by instrument; waits for it a while, unless confirmations are due."""
        groups: dict[str, list[tuple[T, int]]] = {}
        with self._changed:
            if not self._waiting and not self._flight and not self._closing:
                self._changed.wait(_IDLE)
            if self._waiting:
                # What comes shortly after makes fuller messages; a full buffer or the end does not wait for it.
                self._changed.wait_for(lambda: self._closing or not self._room(), self._delivery.linger)
            for key, batch, size in self._waiting:
                groups.setdefault(key, []).append((batch, size))
            self._waiting.clear()
        return groups

    def _send(self, key: str, group: list[tuple[T, int]]) -> None:
        for message in self._encoding.messages(key, [batch for batch, _ in group]):
            future = self._post(message)
            self._flight.append((future, len(message.value), message.rows))
            self._flight_bytes += len(message.value)
            with self._changed:
                self._bytes += len(message.value)
            self._telemetry.sent(self.topic, message.rows)
            while self._flight_bytes > self._window:
                self._settle()
        with self._changed:
            self._bytes -= sum(size for _, size in group)

    def _post(self, message: Message) -> Any:
        while True:
            try:
                return self._producer.send(self.topic, message.value, message.key, message.headers)
            except errors.KafkaTimeoutError:  # the topic's partitions are not known at present
                self._watch()

    def _settle(self) -> None:
        """Wait a moment for the oldest message's confirmation; take that and all others that have come."""
        size = rows = 0
        try:
            self._flight[0][0].get(timeout=_POLL)
        except errors.KafkaTimeoutError:
            if self._flight[0][0].is_done:
                raise
            self._watch()
            return
        while self._flight and self._flight[0][0].is_done:
            future, message_size, message_rows = self._flight.popleft()
            if future.failed():
                raise future.exception
            size += message_size
            rows += message_rows
        self._flight_bytes -= size
        with self._changed:
            self._bytes -= size
            self._unconfirmed -= rows
            self._progress = self._clock()
            self._changed.notify_all()
        self._telemetry.confirmed(self.topic, rows)
        self._telemetry.buffered(self.topic, self._bytes)
        if self._stalled_at is not None:
            self._telemetry.resumed(self.topic, self._progress - self._stalled_at)
            self._stalled_at = None

    def _watch(self) -> None:
        """Tell of a stall.

        Raises:
            TickwaxError: it has lasted too long, or delivery was given up elsewhere.
        """
        self._check()
        idle = self._clock() - self._progress
        if idle > self._delivery.deadline:
            raise TickwaxError(f"no confirmation for {idle:.0f} s; kafka.deadline allows {self._delivery.deadline:g} s")
        if idle > _STALL and self._stalled_at is None:
            self._stalled_at = self._progress
            self._telemetry.stalled(self.topic, idle)
