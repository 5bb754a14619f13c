"""Damage to a topic's messages: to their values, and to batches, whose checksum a hostile producer makes right."""

import hashlib
import traceback
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

from sinks.kafka.message import Message
from sinks.kafka.tape import TapeMessages
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.kafka.batches import bound_batches
from sources.kafka.tape import ForeignMessageError, decode
from sources.tape.batch import InstrumentBatch, TapeBatch
from tests.damage.child import Child, DiedError
from tests.damage.wounds import Finding, Outcome, wound
from tests.oracle.script import Script

BTC = Instrument("binance_futures", "BTCUSDT")
PLACE = "topic t: partition 3: offset 7"
PACKED = {"none": 0, "gzip": 1, "lz4": 3, "zstd": 4}
_METADATA = 1400  # bytes at a message's beginning that say how to read the others
_SUM, _SUMMED, _COUNT = 17, 21, 57  # bytes of a batch: its checksum, of what follows; how many records, and those


def messages(rows: int = 300) -> list[Message]:
    """A tape as the messages of a live run."""
    script = Script().snapshot(0, [(99.0, 1.0)], [(100.0, 1.0)])
    for n in range(rows):
        script.delta(n, [(98.0, float(n))])
    tape: TapeBatch = script.batch()
    half = tape.rows // 2
    parts = [InstrumentBatch(BTC, part) for part in (tape.slice(0, half), tape.slice(half, tape.rows))]
    return list(chain.from_iterable(TapeMessages().messages(str(BTC), [part]) for part in parts))


def records(batch: bytes, on_foreign: Any) -> list[Any]:
    """Records of a batch, as a consumer unpacks them."""
    fetcher = Fetcher.__new__(Fetcher)
    bound_batches(fetcher, on_foreign)
    found = fetcher.PartitionRecords(0, TopicPartition("t", 3), MemoryRecords(batch))
    out: list[Any] = []
    while found.record_iterator is not None and (some := found.take(10)):
        out += some
    return out


def packed(sent: list[Message], codec: str) -> bytes:
    """A record batch of these messages."""
    builder = MemoryRecordsBuilder(2, PACKED[codec], 1 << 30)
    for message in sent:
        builder.append(None, message.key, message.value, message.headers)
    builder.close()
    return bytes(builder.buffer())


def digest(batches: list[InstrumentBatch]) -> str:
    """Of instrument and rows."""
    found = hashlib.sha256()
    for instrument, batch, *_ in batches:
        found.update(repr((str(instrument), [column.tobytes() for column in batch])).encode())
    return found.hexdigest()


def read_value(value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> tuple[str, str]:
    """What a message is read as, or how it is refused; runs in a child."""
    try:
        return "read", digest([decode(SimpleNamespace(key=key, value=value, headers=headers), PLACE)])
    except ForeignMessageError as e:
        return "refused", str(e)
    except BaseException:
        return "traceback", traceback.format_exc()


def read_packed(batch: bytes) -> tuple[str, str]:
    """The same of a batch that a consumer has fetched."""
    lines: list[str] = []
    try:
        found = [
            decode(record, f"topic t: partition 3: offset {record.offset}") for record in records(batch, lines.append)
        ]
    except TickwaxError as e:
        return "refused", str(e)
    except BaseException:
        return "traceback", traceback.format_exc()
    return ("refused", lines[0]) if lines else ("read", digest(found))


class Messages:
    """Messages that a reader is given in a process of its own."""

    def __init__(self, folder: Path, child: Child, what: str = "ours") -> None:
        """``what``: ``ours``, ``others`` (without a checksum), or for whole batches a codec of `PACKED`."""
        self.name = f"messages: {what}"
        self._what = what
        self._child = child
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "message"
        sent = messages()
        if what in PACKED:
            self._sound, self._read = packed(sent, what), read_packed
        else:
            headers = [h for h in sent[0].headers if what == "ours" or h[0] != "crc32"]
            self._sound, self._read = sent[0].value, partial(read_value, key=sent[0].key, headers=headers)
        how, self._expected = self._child.ask(self._read, self._sound)
        assert how == "read", self._expected

    def hurt(self, random: Random) -> Finding:
        """Damage it somewhere; at its beginning, half of the times."""
        self._path.write_bytes(self._sound)
        if self._what in PACKED:  # a broker checks a batch's length and header
            what = wound(self._path, random, ("flip", "flips", "zeros", "noise"), (_COUNT, len(self._sound)))
        else:
            what = wound(self._path, random, span=random.choice([(0, _METADATA), (0, len(self._sound))]))
        return self.judge(self._path.read_bytes(), what)

    def judge(self, value: bytes, what: str) -> Finding:
        """Let a damaged message be read."""
        if self._what in PACKED:
            value = self._sound[:_COUNT] + value[_COUNT:]  # zeros and noise begin at round numbers
            value = value[:_SUM] + calc_crc32c(value[_SUMMED:]).to_bytes(4, "big") + value[_SUMMED:]
        if value == self._sound:
            return Finding(Outcome.SAME, what)
        try:
            how, said = self._child.ask(self._read, value)
        except DiedError as e:
            return Finding(Outcome.SIGNAL, what, str(e))
        if how == "read":
            other = Outcome.UNKNOWABLE if self._what == "others" else Outcome.WRONG
            return Finding(Outcome.SAME if said == self._expected else other, what, said)
        clear = how == "refused" and "\n" not in said and said.startswith("topic t: partition 3: offset ")
        return Finding(Outcome.REFUSED if clear else Outcome.TRACEBACK, what, said)

    def flips(self) -> list[Finding]:
        """What comes of every bit of a message's metadata, one at a time."""
        found = []
        for place in range(_METADATA):
            data = bytearray(self._sound)
            data[place] ^= 1 << place % 8
            found.append(self.judge(bytes(data), f"flip at {place}"))
        return found
