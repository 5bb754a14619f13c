"""Record batches of whoever may write to a topic: unpacked within bounds, and skipped if they cannot be.

kafka-python unpacks a batch to whatever size it has, while the consumer polls, and what it raises then comes again at
every further poll. Here each batch is unpacked before the library does, and it is told to go on behind a bad one.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import lz4.frame
import zstandard
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch

from sources.errors import TickwaxError

UNPACKED_BYTES = 64 << 20  # of a batch; brokers take 1 MiB of it packed unless told otherwise


class _Batch:
    """A batch whose records are unpacked and parsed within bounds; what cannot be is skipped with the rest of it."""

    magic = 2
    is_control_batch = False

    def __init__(self, batch: DefaultRecordBatch, place: str, on_foreign: Callable[[str], None] | None) -> None:
        self.base_offset, self.last_offset, self.next_offset = batch.base_offset, batch.last_offset, batch.next_offset
        self.leader_epoch = batch.leader_epoch
        self._batch = batch
        self._place = place
        self._on_foreign = on_foreign

    def validate_crc(self) -> bool:
        """Whether it has the checksum that it was sent with."""
        valid: bool = self._batch.validate_crc()
        return valid

    def __iter__(self) -> Iterator[Any]:
        offset = self.base_offset
        try:
            _unpack(self._batch)
            for record in self._batch:
                offset = record.offset + 1
                yield record
        except Exception as e:  # whatever a parser of others makes of any bytes
            text = (str(e).splitlines() or [""])[0] or type(e).__name__
            line = f"{self._place}: offset {offset}: cannot be read, with the rest of its batch: {text}"
            if self._on_foreign is None:
                raise TickwaxError(line) from None
            self._on_foreign(line)


class _Batches:
    """The batches of a fetch, as the library asks for them."""

    def __init__(self, batches: Any, place: str, on_foreign: Callable[[str], None] | None) -> None:
        self._batches = batches
        self._place = place
        self._on_foreign = on_foreign

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        if isinstance(batch, DefaultRecordBatch) and not batch.is_control_batch:
            return _Batch(batch, self._place, self._on_foreign)
        return batch


def bound_batches(fetcher: Fetcher, on_foreign: Callable[[str], None] | None) -> None:
    """Let a consumer's fetcher read batches within bounds.

    Args:
        on_foreign: told of each batch that is skipped; None: it ends the consumer with a `TickwaxError`.
    """

    class Bounded(Fetcher.PartitionRecords):
        def _unpack_records(self, tp: Any, records: Any, *rest: Any) -> Iterator[Any]:
            batches = _Batches(records, f"topic {tp.topic}: partition {tp.partition}", on_foreign)
            return super()._unpack_records(tp, batches, *rest)

    fetcher.PartitionRecords = Bounded


def _unpack(batch: DefaultRecordBatch) -> None:
    """Unpack a batch in place; snappy is left to the library, as nobody sends it and it packs 20 : 1 at the best.

    Raises:
        ValueError: there is more than is allowed, or it ends too early.
        Exception: of the unpacking library.
    """
    unpack = _UNPACK.get(batch.compression_type)
    if unpack is not None:
        batch._buffer = bytearray(unpack(bytes(memoryview(batch._buffer)[batch._pos :])))
        batch._pos = 0
        batch._decompressed = True


def _bounded(data: bytes) -> bytes:
    if len(data) > UNPACKED_BYTES:
        raise ValueError(f"more than {UNPACKED_BYTES:,} bytes when it is unpacked")
    return data


def _gzip(data: bytes) -> bytes:
    return _one(zlib.decompressobj(wbits=31), data)


def _lz4(data: bytes) -> bytes:
    return _one(lz4.frame.LZ4FrameDecompressor(), data)


def _one(unpacker: Any, data: bytes) -> bytes:
    """All that one gzip member or LZ4 frame holds; producers send no more than one."""
    out = _bounded(unpacker.decompress(data, UNPACKED_BYTES + 1))
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("its packed bytes do not end where the batch does")
    return out


def _zstd(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    return _bounded(reader.read(UNPACKED_BYTES + 1))


_UNPACK = {
    DefaultRecordBatch.CODEC_GZIP: _gzip,
    DefaultRecordBatch.CODEC_LZ4: _lz4,
    DefaultRecordBatch.CODEC_ZSTD: _zstd,
}
