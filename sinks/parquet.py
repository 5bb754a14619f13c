"""Checksums for the Parquet files that are written here; `sources.parquet` tells where they lie and compares them."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from sources.parquet import BLOCK, CRC, END, EXTENSION, MARK, STOP, checksum, chunk, footer_sum, uleb128

CHECKSUMS = {"write_page_checksum": True}  # for every writer of PyArrow: of pages, which any reader can compare


def seal(path: Path) -> None:
    """Add the checksums of column chunks and footer to a finished file that nobody reads yet.

    Raises:
        OSError: it cannot be written to.
    """
    meta = pq.read_metadata(path)
    with open(path, "r+b") as file:
        handle = file.fileno()
        room = memoryview(bytearray(BLOCK))
        groups = [meta.row_group(n) for n in range(meta.num_row_groups)]
        sums = b"".join(
            CRC.pack(checksum(handle, chunk(g.column(n)), room)) for g in groups for n in range(g.num_columns)
        )
        size = os.fstat(handle).st_size
        length, magic = END.unpack(os.pread(handle, END.size, size - END.size))
        begin = size - END.size - length
        footer = os.pread(handle, length, begin)
        assert footer.endswith(STOP)
        added = EXTENSION + uleb128(len(sums) + CRC.size + len(MARK)) + sums
        whole = length - len(STOP) + len(added) + CRC.size + len(MARK) + len(STOP)
        own = CRC.pack(footer_sum(footer[: -len(STOP)] + added, whole))
        file.seek(begin + length - len(STOP))
        file.write(added + own + MARK + STOP + END.pack(whole, magic))
