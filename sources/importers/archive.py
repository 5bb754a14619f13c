"""Files of public archives: zip, gzip or plain, in blocks of whole lines."""

import io
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.files import DamagedFile, InSteps, Progress, cut_lines, line_blocks, opened
from sources.importers.stats import ImportStats

_ZIP_MAGIC = b"PK"
_HEAD_BYTES = 64


def archive_blocks(
    path: Path, progress: Progress, stats: ImportStats, content: str, wanted: Callable[[bytes], bool]
) -> Generator[bytes, None, None]:
    """A file's content; of a zip, that of its members one after the other.

    Args:
        path: the file.
        progress: told about every part that was read, in bytes.
        stats: counts the members that are left out.
        content: what those are counted to be without.
        wanted: whether a member that begins so is read.

    Raises:
        DamagedFile: its compressed data is truncated or damaged; every whole line before has been given.
        TickwaxError: the file cannot be read.
    """
    with opened(path) as file:
        packed = file.read(2) == _ZIP_MAGIC
        file.seek(0)
        if not packed:
            yield from line_blocks(path, progress)
            return
        try:
            with zipfile.ZipFile(io.BufferedReader(file)) as archive:
                for member in archive.infolist():
                    if not _wanted(archive, member, wanted):
                        stats.ignored[f"zip members without {content}"] += not member.is_dir()
                        continue
                    with archive.open(member) as stream:
                        yield from cut_lines(path, InSteps(stream), file.tell, progress)
        except DamagedFile:
            raise
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as e:
            raise TickwaxError(f"{path}: is no readable zip archive: {e}") from e


def _wanted(archive: zipfile.ZipFile, member: zipfile.ZipInfo, wanted: Callable[[bytes], bool]) -> bool:
    """Whether a member is read; what the maker's file manager adds is not."""
    parts = member.filename.split("/")
    if member.is_dir() or parts[0] == "__MACOSX" or parts[-1].startswith("."):
        return False
    with archive.open(member) as stream:
        return wanted(stream.read(_HEAD_BYTES))
