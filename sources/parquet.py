"""Parquet files as a disk may give them back: opened and read only where their checksums hold.

Parquet has a checksum for the data of a page, and none for what says how to read it: page headers and the footer. Our
own files have both: a CRC-32 of every column chunk, headers included, and one of the footer. They lie in the footer's
last field, which the format keeps for extensions and every reader skips::

    08 FF FF 01 | size, ULEB128 | CRC-32 of each column chunk, row group by row group | CRC-32 of the footer | MARK | 00

Then come the footer's length and ``PAR1``, as in any file. The footer's checksum is that of all its bytes before it and
of the four of its length. Files without a `MARK`, of others or of older versions, are read with what checksums they
have.
"""

import errno
import os
import stat
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from isal import isal_zlib

from sources.errors import DamagedError, TickwaxError
from sources.store.fetched import Chunk, FetchedFile
from sources.store.path import StorePath
from sources.tape.arrow import ODD

MAGIC = b"PAR1"
MARK = b"tickwax.crc32.v1"
EXTENSION = b"\x08\xff\xff\x01"  # header of the field: binary, of the number that is kept for extensions
STOP = b"\x00"  # ends the footer
CRC = struct.Struct("<I")
END = struct.Struct("<I4s")  # length of the footer, and the magic

_SEALED = CRC.size + len(MARK) + len(STOP)  # bytes of the footer after what its checksum covers
_ENOUGH = 5  # bytes of a mark that make it one: by chance, one foreign file in 10⁸ has as many
BLOCK = 1 << 17  # bytes read at a time: they are summed where they are, in the processor's cache


def chunk(found: Any) -> Chunk:
    """Where a column of a row group lies, by PyArrow's metadata of it: its dictionary is before its data."""
    start = found.data_page_offset
    if found.has_dictionary_page and found.dictionary_page_offset:
        start = min(start, found.dictionary_page_offset)
    return Chunk(start, found.total_compressed_size)


def checksum(handle: int, part: Chunk, room: memoryview) -> int:
    """CRC-32 of bytes of an open file.

    Args:
        room: to read into, `BLOCK` bytes.

    Raises:
        EOFError: the file ends before they do.
        OSError: it cannot be read.
    """
    value = 0
    at, left = part
    while left:
        got = os.preadv(handle, [room[:left]], at)
        if not got:
            raise EOFError
        value = isal_zlib.crc32(room[:got], value)
        at, left = at + got, left - got
    return value


class CheckedFile:
    """An open Parquet file; whatever it gives has passed the checksums that there are."""

    def __init__(self, path: Path, read_dictionary: Sequence[str] = ()) -> None:
        """Read the footer.

        Args:
            read_dictionary: columns that are read as dictionaries.

        Raises:
            DamagedError: it is not what was written, or no Parquet.
            TickwaxError: the file cannot be opened.
        """
        self.path = path
        self._room = memoryview(bytearray(BLOCK))
        with _named(path, "not a Parquet file"):
            self._stored = FetchedFile(path) if isinstance(path, StorePath) else None
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would wait for ever
            self._handle = self._stored.handle if self._stored is not None else os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(self._handle).st_mode):
                raise DamagedError(f"{path}: not a Parquet file: it is no file", path)
            with _named(path, "not a Parquet file"):
                if self._stored is not None:
                    self._stored.need_footer()
                covered = _sealed_footer(path, self._handle)
                # A chunk's checksum holds its pages, too: to sum them twice would cost a replay another hundredth.
                pages = covered is None
                place = path if self._stored is None else self._stored.path
                self._file = pq.ParquetFile(
                    place, read_dictionary=list(read_dictionary) or None, page_checksum_verification=pages
                )
                self.metadata = meta = self._file.metadata
                self.schema = self._file.schema_arrow
                chunks = meta.num_row_groups * meta.num_columns
                self._sums = None if covered is None else _chunk_sums(path, covered, chunks)
                self._check_extents()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._close()

    def _close(self) -> None:
        if self._stored is not None:
            self._stored.close()
        os.close(self._handle)

    def batches(self, batch_rows: int, groups: Sequence[int], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Columns of some row groups, in order, a bounded number of rows at a time.

        Raises:
            DamagedError: the file is not what was written; names row group and column if they are known.
        """
        unchecked: deque[tuple[int, int]] = deque()  # row groups, with the number of their first row
        rows = taken = 0
        for group in groups:
            unchecked.append((group, rows))
            rows += self.metadata.row_group(group).num_rows
        with _named(self.path, "cannot be read"):
            # Not a thread a column: decoding is ahead of the kernels as it is, and would take their processor.
            record = self._file.iter_batches(batch_rows, row_groups=groups, columns=list(names), use_threads=False)
        while True:
            while unchecked and unchecked[0][1] < taken + batch_rows:
                self._check(unchecked.popleft()[0], names)
            with _named(self.path, "cannot be read"):
                batch = next(record, None)
            if batch is None:
                break
            taken += batch.num_rows
            yield batch
        if taken != rows:
            raise DamagedError(f"{self.path}: damaged: {taken:,} rows, and its footer tells of {rows:,}", self.path)

    def group(self, group: int, names: Sequence[str]) -> pa.Table:
        """Columns of a row group.

        Raises:
            DamagedError: as `batches`.
        """
        self._check(group, names)
        with _named(self.path, f"row group {group}: cannot be read"):
            table = self._file.read_row_group(group, list(names), use_threads=False)
        rows = self.metadata.row_group(group).num_rows
        if table.num_rows != rows:
            raise DamagedError(
                f"{self.path}: row group {group}: damaged: {table.num_rows:,} rows of {rows:,}", self.path
            )
        return table

    def _check(self, group: int, names: Sequence[str]) -> None:
        """Compare the chunks that are about to be read with their checksums; of a stored file, fetch them first."""
        if self._sums is None and self._stored is None:
            return
        found, wanted = self.metadata.row_group(group), set(names)
        for column in range(found.num_columns):
            each = found.column(column)
            name = each.path_in_schema
            if name.partition(".")[0] not in wanted:
                continue
            place = f"row group {group}: column {name!r}"
            with _named(self.path, place):
                if self._stored is not None:
                    self._stored.need(chunk(each))
                if self._sums is None:
                    continue
                expected = self._sums[group * found.num_columns + column]
                if checksum(self._handle, chunk(each), self._room) != expected:
                    raise DamagedError(
                        f"{self.path}: {place}: damaged: its bytes do not have their checksum", self.path
                    )

    def _check_extents(self) -> None:
        """Whether the footer agrees with itself: the least that can be said of one without a checksum.

        Raises:
            DamagedError: it does not.
        """
        meta = self.metadata
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        if sum(g.num_rows for g in groups) != meta.num_rows or any(g.num_rows < 0 for g in groups):
            raise DamagedError(f"{self.path}: damaged: its footer tells of two numbers of rows", self.path)
        size = os.fstat(self._handle).st_size
        for n, g in () if self._sums is not None else enumerate(groups):
            for part in (chunk(g.column(column)) for column in range(g.num_columns)):
                if g.num_rows and not len(MAGIC) <= part.start <= part.start + part.size <= size:
                    raise DamagedError(
                        f"{self.path}: row group {n}: damaged: its footer points outside the file", self.path
                    )


def read_schema(path: Path) -> pa.Schema:
    """The schema of a file, with its metadata.

    Raises:
        TickwaxError: as `CheckedFile`.
    """
    with CheckedFile(path) as file:
        return file.schema


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a small file, whole.

    Raises:
        TickwaxError: as `CheckedFile`, or there is no such column.
    """
    with CheckedFile(path) as file:
        for name in names:
            if name not in file.schema.names:
                raise TickwaxError(f"{path}: no column {name!r}")
        groups = [file.group(n, names) for n in range(file.metadata.num_row_groups)]
        if groups:
            return pa.concat_tables(groups)
        return pa.schema([file.schema.field(name) for name in names]).empty_table()


def footer_sum(covered: bytes, length: int) -> int:
    """CRC-32 of a footer's bytes and of its length."""
    return isal_zlib.crc32(CRC.pack(length), isal_zlib.crc32(covered))


def uleb128(number: int) -> bytes:
    """A length as Thrift writes it: seven bits a byte, the lowest first."""
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _sealed_footer(path: Path, handle: int) -> bytes | None:
    """What a footer's checksum covers, once it has been compared; None in a file that has no checksum there."""
    size = os.fstat(handle).st_size
    if size < len(MAGIC) + _SEALED + END.size:
        raise DamagedError(f"{path}: not a Parquet file: it has {size} bytes", path)
    tail = os.pread(handle, _SEALED + END.size, size - _SEALED - END.size)
    length, magic = END.unpack(tail[-END.size :])
    mark = tail[CRC.size : CRC.size + len(MARK)]
    begin = size - END.size - length
    whole = magic == MAGIC and begin >= len(MAGIC) and os.pread(handle, len(MAGIC), 0) == MAGIC
    covered = os.pread(handle, length - _SEALED, begin) if whole and length > _SEALED else b""
    own = CRC.pack(footer_sum(covered, length))
    alike = sum(a == b for a, b in zip(mark, MARK, strict=True))
    if alike < _ENOUGH and not tail.startswith(own):
        if not whole or not any(mark):
            raise DamagedError(f"{path}: not a Parquet file: its beginning or its end is not one of Parquet", path)
        return None
    if not whole or tail[:_SEALED] != own + MARK + STOP:
        raise DamagedError(f"{path}: damaged: its footer does not have its checksum", path)
    return covered


def _chunk_sums(path: Path, covered: bytes, chunks: int) -> Sequence[int]:
    """The checksums of the column chunks, from the end of what the footer's own covers."""
    sums = covered[-CRC.size * chunks :] if chunks else b""
    header = EXTENSION + uleb128(len(sums) + CRC.size + len(MARK))
    if not covered.endswith(header + sums):
        raise DamagedError(f"{path}: damaged: its footer does not have the checksums of {chunks} column chunks", path)
    return [number for (number,) in CRC.iter_unpack(sums)]


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """What goes wrong with a file is one line."""
    try:
        yield
    except EOFError:
        raise DamagedError(f"{path}: {what}: damaged: the file ends before it", path) from None
    except ODD as e:
        text = f"{path}: {what}: {(str(e).splitlines() or [type(e).__name__])[0]}"
        here = isinstance(e, OSError) and e.errno not in (None, errno.EIO)  # says where it is, not what is in it
        if here:
            raise TickwaxError(text) from None
        raise DamagedError(text, path if _content(e) else None) from None


def _content(error: Exception) -> bool:
    """Whether the bytes of a file are to blame for what a library raised, and neither the disk nor the memory."""
    return isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno is None)
