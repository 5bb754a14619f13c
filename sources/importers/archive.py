"""Files of public archives: zip, gzip or plain, in blocks of whole lines."""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.cut_zip import LocalStream, begins_like_a_zip, local_members
from sources.importers.files import DamagedFile, Progress, cut_lines, damaged, line_blocks, opened
from sources.importers.stats import ImportStats
from sources.importers.unpacking import GZIP_MAGIC, Altered, InSteps

_ZIP_MAGIC = b"PK"
_HEAD_BYTES = 64
_STEP_BYTES = 1 << 16
_CAPTURE = re.compile(rb"(\xef\xbb\xbf)?\s*(\d|wss?:|https?:)")  # a line begins with a time or an address
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
    only: str | None = None,
) -> Generator[bytes | DamagedFile, None, None]:
    """A file's content; of a zip, that of its members one after the other.

    Args:
        path: the file.
        progress: told about every part that was read, in bytes.
        stats: counts the members that are left out.
        content: what those are counted to be without.
        wanted: whether a member that begins so is read.
        salvage: as of `line_blocks`, for members of a zip too.
        only: the member of a zip that is read; None: all.

    Raises:
        DamagedFile: as `line_blocks`.
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
        try:
            archive = _archive(path, file)
        except TickwaxError:
            if not begins_like_a_zip(file):
                raise
            yield from _cut_blocks(path, file, progress, stats, content, wanted, salvage, only)
            return
        with archive:
            yield from _Zip(path, file, archive, progress, salvage).blocks(stats, content, wanted, only)


def capture_blocks(
    path: Path, progress: Progress, stats: ImportStats, salvage: bool = False, only: str | None = None
) -> Generator[bytes | DamagedFile, None, None]:
    """The content of a raw capture, plain, gzip or zip; arguments and errors as of `archive_blocks`."""
    return archive_blocks(path, progress, stats, "frames", _is_capture, salvage, only)


def members(path: Path) -> list[str | None]:
    """Names of the members of a zip that may be read; of another file, None alone.

    Raises:
        TickwaxError: the file cannot be read.
    """
    with opened(path) as file:
        if file.read(len(_ZIP_MAGIC)) != _ZIP_MAGIC:
            return [None]
        file.seek(0)
        try:
            archive = _archive(path, file)
        except TickwaxError:
            if not begins_like_a_zip(file):
                raise
            return [each.name for each in local_members(file) if not _is_beside(each.name)] or [None]
        with archive:
            return [each.filename for each in archive.infolist() if not _added_by_a_file_manager(each)] or [None]


def _is_capture(head: bytes) -> bool:
    return _CAPTURE.match(head) is not None


class _Zip:
    """The members of a zip, one after the other."""

    def __init__(
        self, path: Path, file: io.FileIO, archive: zipfile.ZipFile, progress: Progress, salvage: bool
    ) -> None:
        self._path = path
        self._file = file
        self._archive = archive
        self._progress = progress
        self._salvage = salvage
        self._before = 0  # bytes of members that were read

    def blocks(
        self, stats: ImportStats, content: str, wanted: Callable[[bytes], bool], only: str | None
    ) -> Generator[bytes | DamagedFile, None, None]:
        """Arguments and errors as of `archive_blocks`."""
        members = [member for member in self._archive.infolist() if only in (None, member.filename)]
        for n, member in enumerate(members):
            if _added_by_a_file_manager(member):
                if not member.is_dir():
                    stats.ignored[f"zip members without {content}"] += 1
                continue
            error = self._error_of(member, _HEAD_BYTES)
            if error is None:
                head = self._head(member)
                if head.startswith(GZIP_MAGIC):
                    raise TickwaxError(f"{self._path}: zip member {member.filename!r} is gzip data; unpack it once")
                if not wanted(head):
                    stats.ignored[f"zip members without {content}"] += 1
                    continue
                if self._salvage:
                    error = self._error_of(member)
            if error is None:
                try:
                    yield from self._read(member)
                    self._before += member.file_size
                    continue
                except DamagedFile:
                    error = self._error_of(member)
                    if error is None:
                        raise
            error.lost = member.compress_size
            behind = any(
                not _added_by_a_file_manager(other) and wanted(self._head(other)) and self._error_of(other) is None
                for other in members[n + 1 :]
            )
            damage = damaged(self._path, error, self._before > 0, behind)
            if not (behind and self._salvage):
                raise damage from error
            yield damage

    def _read(self, member: zipfile.ZipInfo) -> Generator[bytes | DamagedFile, None, None]:
        with _member(self._path, self._archive, member, self._before) as stream:
            yield from cut_lines(self._path, stream, self._file.tell, self._progress)

    def _head(self, member: zipfile.ZipInfo) -> bytes:
        """How a member begins; nothing of a damaged one."""
        try:
            with _member(self._path, self._archive, member, 0) as stream:
                return stream.read(_HEAD_BYTES)
        except Altered:
            return b""

    def _error_of(self, member: zipfile.ZipInfo, most: int | None = None) -> Altered | None:
        """What is wrong with a member, or its first ``most`` bytes, read to its checksum; None: nothing."""
        try:
            with _member(self._path, self._archive, member, self._before) as stream:
                while stream.read(most or _STEP_BYTES):
                    if most is not None:
                        break
        except Altered as e:
            return e
        return None


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


def _cut_blocks(
    path: Path,
    file: io.FileIO,
    progress: Progress,
    stats: ImportStats,
    content: str,
    wanted: Callable[[bytes], bool],
    salvage: bool,
    only: str | None,
) -> Generator[bytes | DamagedFile, None, None]:
    """The content of a zip that is cut off, as far as it goes; arguments and errors as of `archive_blocks`."""
    before = 0
    last = ""
    for member in local_members(file):
        last = member.name
        if _is_beside(member.name) or only not in (None, member.name):
            continue
        if salvage:
            check = LocalStream(file, member, before)
            try:
                while check.read(_STEP_BYTES):
                    pass
            except Altered as e:
                raise damaged(path, e, before > 0) from e
            except EOFError:  # nothing speaks against what is there
                pass
        try:
            head = LocalStream(file, member, before).read(_HEAD_BYTES)
        except (EOFError, Altered):  # not a byte of it
            head = b""
        if not wanted(head):
            stats.ignored[f"zip members without {content}"] += 1
            continue
        try:
            yield from cut_lines(path, LocalStream(file, member, before), file.tell, progress)
        except DamagedFile as e:
            if before:
                e.before = e.salvageable = True
            raise
        before = file.tell()
    if only in (None, last):
        raise damaged(path, EOFError(), before > 0)


def _added_by_a_file_manager(member: zipfile.ZipInfo) -> bool:
    return member.is_dir() or _is_beside(member.filename)


def _is_beside(name: str) -> bool:
    parts = name.split("/")
    return not parts[-1] or parts[0] == "__MACOSX" or parts[-1].startswith(".")
