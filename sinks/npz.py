"""One array as an ``.npz`` file, written a part at a time, however long it becomes.

An ``.npz`` file is a ZIP archive of ``.npy`` files (NumPy documentation, `numpy.savez` and `numpy.lib.format`). The
length of the array and the checksum stand before it: they are filled in at the end. A compressed entry therefore begins
with a block that is not compressed (RFC 1951, 3.2.4) and holds the header alone. The fields of ZIP64 are always there
(ZIP: APPNOTE 6.3.10, 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3).
"""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_EXTRA = struct.Struct("<HHQQ")  # ZIP64: size, packed size
_EXTRA_AT = struct.Struct("<HHQQQ")  # and where the entry begins
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")
_BLOCK = struct.Struct("<BHH")  # begins a block that is stored: not the last; its length, and the complement of that
_ZIP64, _VERSION, _STORED, _DEFLATED, _IN_EXTRA = 1, 45, 0, 8, 0xFFFFFFFF
_LEVEL = 1  # ISA-L: 490 MB/s, to a seventh; level 3 takes 2.7 times as long for 3 %
_EPOCH = 0x21  # 1980-01-01, the first date that ZIP has: the same array gives the same file


class NpzWriter:
    """Writes rows of a one-dimensional array; call `close` when there are no more."""

    def __init__(self, path: Path, name: str, dtype: npt.DTypeLike, compress: bool = False) -> None:
        """Begin a file in the place of what is there.

        Args:
            name: of the array.
            dtype: of its rows.
            compress: write it as `numpy.savez_compressed` does, else as `numpy.savez`.

        Raises:
            OSError: the file cannot be written; so in the other methods.
        """
        self._dtype = np.dtype(dtype)
        self._entry = f"{name}.npy".encode()
        self._header_at = _LOCAL.size + len(self._entry) + _EXTRA.size
        self._packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS) if compress else None
        self._crc = self._packed = 0
        self.rows = 0
        self._file = path.open("wb", buffering=0)
        before = self._header_at + (_BLOCK.size if compress else 0) + len(self._header())
        self._put(bytes(before))

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Append rows, contiguous and of the array's type."""
        content = rows.data.cast("B") if len(rows) else b""
        self._crc = isal_zlib.crc32(content, self._crc)
        self.rows += len(rows)
        self._pack(content if self._packer is None else self._packer.compress(content))

    def close(self) -> None:
        """Finish the file."""
        if self._packer is not None:
            self._pack(self._packer.flush())
        header, body = self._header(), self.rows * self._dtype.itemsize
        begin = header if self._packer is None else _BLOCK.pack(0, len(header), ~len(header) & 0xFFFF) + header
        size, packed = len(header) + body, len(begin) + self._packed
        crc = isal_zlib.crc32_combine(isal_zlib.crc32(header), self._crc, body)
        method = _STORED if self._packer is None else _DEFLATED
        entry, what = self._entry, (_VERSION, 0, method, 0, _EPOCH, crc, _IN_EXTRA, _IN_EXTRA, len(self._entry))
        at = self._header_at + packed
        central = (
            _CENTRAL.pack(b"PK\1\2", _VERSION, *what, _EXTRA_AT.size, 0, 0, 0, 0, _IN_EXTRA)
            + entry
            + _EXTRA_AT.pack(_ZIP64, _EXTRA_AT.size - 4, size, packed, 0)
        )
        end64 = _END64.pack(b"PK\6\6", _END64.size - 12, _VERSION, _VERSION, 0, 0, 1, 1, len(central), at)
        locator = _LOCATOR.pack(b"PK\6\7", 0, at + len(central), 1)
        end = _END.pack(b"PK\5\6", 0, 0, 1, 1, len(central), _IN_EXTRA, 0)
        with self._file:
            self._put(central + end64 + locator + end)
            self._file.seek(0)
            local = _LOCAL.pack(b"PK\3\4", *what, _EXTRA.size)
            self._put(local + entry + _EXTRA.pack(_ZIP64, _EXTRA.size - 4, size, packed) + begin)

    def abort(self) -> None:
        """Stop; the file is none."""
        self._file.close()

    def _header(self) -> bytes:
        """That of the ``.npy`` file; NumPy leaves room in it for an array that grows."""
        text = io.BytesIO()
        shape = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self.rows,)}
        np.lib.format.write_array_header_1_0(text, shape)
        return text.getvalue()

    def _pack(self, content: bytes | memoryview) -> None:
        self._packed += len(content)
        self._put(content)

    def _put(self, content: bytes | memoryview) -> None:
        rest = memoryview(content)
        while len(rest):
            rest = rest[self._file.write(rest) :]
