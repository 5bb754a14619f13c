"""What a file holds, whatever it is packed in: the same capture as gzip, zip and plain text is one."""

import io
import mmap
import zipfile
from pathlib import Path

from isal import isal_zlib

from sources.errors import TickwaxError
from sources.importers.files import BLOCK_BYTES, opened
from sources.importers.unpacking import UNPACKING, Members

_GZIP_MEMBER = b"\x1f\x8b\x08"
_ZIP_MAGIC = b"PK"
_DAMAGES: tuple[type[Exception], ...] = (*UNPACKING, RuntimeError, OverflowError)  # the last two: of a zip's directory
_TRAILER = 8  # bytes that end a gzip member: CRC-32 and size of its content (RFC 1952, section 2.3.1)


def content_of(path: Path) -> str:
    """Checksum and size of a file's unpacked content; empty where it is damaged, or a zip of several files.

    Both stand in the file where it is a gzip member alone or the only file of a zip, so nothing is unpacked for them.

    Raises:
        TickwaxError: the file cannot be read.
    """
    with opened(path) as raw:
        try:
            with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if data[:2] == _ZIP_MAGIC:
                    return _zipped(raw)
                if data[: len(_GZIP_MEMBER)] != _GZIP_MEMBER:
                    return _text(isal_zlib.crc32(data), len(data))
                end = data[-_TRAILER:]
                if data.find(_GZIP_MEMBER, 1) < 0 and len(data) > 2 * _TRAILER and end[-4:] != b"\0\0\0\0":
                    return _text(int.from_bytes(end[:4], "little"), int.from_bytes(end[4:], "little"))
            return _unpacked(Members(raw))  # several members, or padded
        except OSError as e:
            raise TickwaxError(f"{path}: cannot be read: {e.strerror}") from e
        except _DAMAGES:  # a file without bytes, too
            return ""


def _zipped(raw: io.FileIO) -> str:
    with zipfile.ZipFile(io.BufferedReader(raw)) as archive:
        files = [member for member in archive.infolist() if not member.is_dir()]
        return _text(files[0].CRC, files[0].file_size) if len(files) == 1 else ""


def _unpacked(members: Members) -> str:
    checksum = size = 0
    while block := members.read(BLOCK_BYTES):
        checksum, size = isal_zlib.crc32(block, checksum), size + len(block)
    return _text(checksum, size)


def _text(checksum: int, size: int) -> str:
    return f"{checksum:08x}-{size % (1 << 32)}"
