"""Files of public archives: zip, gzip or plain, in blocks of whole lines."""

import io
import struct
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.files import Progress, cut_lines, damaged, line_blocks, opened
from sources.importers.stats import ImportStats
from sources.importers.unpacking import Altered, InSteps

_ZIP_MAGIC = b"PK"
_HEAD_BYTES = 64
_STEP_BYTES = 1 << 16
_ENCRYPTED = 1  # of a member's flags
# What zipfile may raise of a directory, and of a member's header.
_UNREADABLE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OverflowError, EOFError, OSError, struct.error,
)  # fmt: skip


def archive_blocks(
    path: Path,
    progress: Progress,
    stats: ImportStats,
    content: str,
    wanted: Callable[[bytes], bool],
    salvage: bool = False,
) -> Generator[bytes, None, None]:
    """A file's content; of a zip, that of its members one after the other.

    Args:
        path: the file.
        progress: told about every part that was read, in bytes.
        stats: counts the members that are left out.
        content: what those are counted to be without.
        wanted: whether a member that begins so is read.
        salvage: as of `line_blocks`, for members of a zip too.

    Raises:
        DamagedFile: its compressed data is truncated or damaged; every whole line before has been given.
        TickwaxError: the file cannot be read.
    """
    with opened(path) as file:
        packed = file.read(2) == _ZIP_MAGIC
        file.seek(0)
        if not packed and path.suffix == ".zip":
            raise TickwaxError(f"{path}: is no readable zip archive: truncated, or not a zip")
        if not packed:
            yield from line_blocks(path, progress, salvage)
            return
        with _archive(path, file) as archive:
            before = 0  # bytes of members that were read
            for member in archive.infolist():
                if _added_by_a_file_manager(member):
                    if not member.is_dir():
                        stats.ignored[f"zip members without {content}"] += 1
                    continue
                try:
                    with _member(path, archive, member, before) as stream:
                        head = stream.read(_HEAD_BYTES)
                except Altered as e:
                    raise damaged(path, e, before > 0) from e
                if not wanted(head):
                    stats.ignored[f"zip members without {content}"] += 1
                    continue
                if salvage:
                    _prove(path, archive, member, before)
                with _member(path, archive, member, before) as stream:
                    yield from cut_lines(path, stream, file.tell, progress)
                before += member.file_size


def _archive(path: Path, file: io.FileIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BufferedReader(file))
    except _UNREADABLE as e:
        raise TickwaxError(f"{path}: is no readable zip archive: truncated, or not a zip") from e


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, before: int) -> InSteps:
    """A member, opened; ``before`` as in `Altered`."""
    if member.flag_bits & _ENCRYPTED:
        raise TickwaxError(f"{path}: zip member {member.filename!r} is encrypted")
    try:
        return InSteps(archive.open(member), f"zip member {member.filename!r}", before)
    except _UNREADABLE as e:
        raise TickwaxError(f"{path}: zip member {member.filename!r} cannot be read: {e}") from e


def _prove(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, before: int) -> None:
    """Read a member to its checksum.

    Raises:
        DamagedFile: it is altered.
    """
    try:
        with _member(path, archive, member, before) as stream:
            while stream.read(_STEP_BYTES):
                pass
    except Altered as e:
        raise damaged(path, e, before > 0) from e


def _added_by_a_file_manager(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.split("/")
    return member.is_dir() or parts[0] == "__MACOSX" or parts[-1].startswith(".")
