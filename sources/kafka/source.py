"""The tape of a topic as a Bytewax source; offsets are its recovery state.

Bytewax gives partition ``i`` of the sorted list to worker ``i mod workers``, and a live run puts an instrument on
partition ``hash mod partitions`` with the hash by which Bytewax places keys. So where the number of workers divides the
number of partitions, an instrument is read where it is computed, and nothing travels between workers.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from sources.errors import TickwaxError
from sources.kafka.connection import KafkaConnection
from sources.kafka.consumer import TopicConsumer, partition_name
from sources.kafka.tape import Continuity, ForeignMessageError, decode
from sources.recovery_state import resumed
from sources.tape.batch import InstrumentBatch
from sources.tape.source import cut
from sources.tape.validation import UNKNOWN_BOOK

Item = tuple[str, InstrumentBatch]

_VERSION = 1  # of the recovery state
_POLL = timedelta(milliseconds=2)


class _State(msgspec.Struct):
    version: int
    run: dict[str, str]
    offset: int  # the next to read
    next_ordinals: dict[str, int]  # by instrument


class KafkaTapeSource(FixedPartitionedSource[Item, bytes]):
    """Hands out the tape batches of a topic, each instrument's in order and once, whatever was published twice."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        partitions: int,
        run: dict[str, str],
        *,
        follow: bool = False,
        wanted: Callable[[str], bool] = lambda key: True,
        stop: threading.Event | None = None,
        on_rows: Callable[[InstrumentBatch], None] = lambda item: None,
        on_skipped: Callable[[str, int], None] = lambda key, rows: None,
        on_unknown_book: Callable[[str], None] = lambda line: None,
        on_foreign: Callable[[str], None] | None = None,
        on_close: Callable[[], None] = lambda: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        on_refusal: Callable[[Exception], None] = lambda error: None,
        longest_ns: int = 0,
    ) -> None:
        """Args:
        run: what must be the same when it is resumed, in words, by setting.
        follow: go on until ``stop`` is set; else end where the topic ended when reading began.
        wanted: which instruments, by key.
        on_rows: told of each batch that is handed out; workers may be threads.
        on_skipped: told once an instrument of rows at the topic's beginning from which no book can be known.
        on_unknown_book: as of `sources.tape.reader.TapeReader`, with the place of the message.
        on_foreign: told of each message that is none of a tape, before it is skipped; None: it ends the source.
        on_close: told of the end of each partition.
        on_error: called with the exception that stops the source, before it propagates.
        on_refusal: told that the recovery state is of another version or another run, before Bytewax is.
        longest_ns: as in `sources.tape.source.TapeSource`.
        """
        self.topic = topic
        self.wanted = wanted
        self.stop = stop
        self.on_rows = on_rows
        self.on_skipped = on_skipped
        self.on_unknown_book = on_unknown_book
        self.on_foreign = on_foreign
        self.on_close = on_close
        self.on_error = on_error
        self.run = run
        self._on_refusal = on_refusal
        self.longest_ns = longest_ns
        self._partitions = partitions
        self.consumer = TopicConsumer(connection, topic, follow, on_foreign)

    def list_parts(self) -> list[str]:
        """The topic's partitions: each worker has access to all."""
        return [partition_name(n) for n in range(self._partitions)]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_TopicPartition":
        """A partition, from its beginning or from where it was.

        Raises:
            TickwaxError: the state is of another version, or of a run with other settings.
        """
        try:
            state = None if resume_state is None else resumed(resume_state, _State, _VERSION, self.run)
        except TickwaxError as e:
            self._on_refusal(e)
            raise
        return _TopicPartition(self, int(for_part), state)


class _TopicPartition(StatefulSourcePartition[Item, bytes]):
    def __init__(self, source: KafkaTapeSource, partition: int, state: _State | None) -> None:
        self._source = source
        self._partition = partition
        self._offset = state.offset if state else -1
        self._tapes = {key: Continuity(n) for key, n in state.next_ordinals.items()} if state else {}
        self._inbox = source.consumer.open(partition, state.offset if state and state.offset >= 0 else None)
        self._awake: datetime | None = None

    def next_batch(self) -> list[Item]:
        """Whatever has come since the last call."""
        source = self._source
        try:
            if source.stop is not None and source.stop.is_set():
                raise StopIteration
            finished = self._inbox.finished  # before taking: what comes between is taken the next time
            records = source.consumer.take(self._inbox)
            if not records and finished:
                raise StopIteration
            items = [item for record in records for item in self._items(record)]
        except StopIteration:
            raise
        except Exception as e:
            source.on_error(e)
            raise
        self._awake = None if records else datetime.now(UTC) + _POLL
        return items

    def next_awake(self) -> datetime | None:
        """At once while messages come; otherwise in a moment."""
        return self._awake

    def snapshot(self) -> bytes:
        """The next offset, and where each instrument's tape goes on."""
        tapes = {key: tape.next_ordinal for key, tape in self._tapes.items() if tape.next_ordinal is not None}
        return msgspec.json.encode(_State(_VERSION, self._source.run, self._offset, tapes))

    def close(self) -> None:
        """Fetch no more."""
        self._source.consumer.close(self._partition)
        self._source.on_close()

    def _items(self, record: object) -> list[Item]:
        source = self._source
        offset: int = record.offset  # type: ignore[attr-defined]
        place = f"topic {source.topic}: partition {self._partition}: offset {offset}"
        try:
            instrument, batch = decode(record, place)[:2]
        except ForeignMessageError as e:
            if source.on_foreign is None:
                raise
            source.on_foreign(str(e))
            self._offset = offset + 1
            return []
        self._offset = offset + 1
        key = str(instrument)
        if not source.wanted(key):
            return []
        tape = self._tapes.setdefault(key, Continuity())
        began = tape.next_ordinal is not None
        new = tape.take(batch, place)
        if new is None:
            return []
        if not began and tape.skipped:
            source.on_skipped(key, tape.skipped)
        if tape.unknown_at is not None:
            row = batch.rows - new.rows + tape.unknown_at
            source.on_unknown_book(f"{place}: row {row}: {UNKNOWN_BOOK}")
        source.on_rows(InstrumentBatch(instrument, new))
        return [(key, InstrumentBatch(instrument, part)) for part in cut(new, source.longest_ns)]
