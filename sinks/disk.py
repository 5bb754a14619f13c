"""What every writer asks of the disk: to have content on it, to lose what a killed run left, a line if it fails."""

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

from sources.errors import DiskFailure, TickwaxError
from sources.store.path import StorePath
from sources.tape.layout import beside, besides

_NO_MISTAKE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # of whoever named the folder


def cannot_write(root: Path, error: OSError) -> DiskFailure:
    """The line that says so."""
    return DiskFailure(f"cannot write to {root}: {error.strerror or str(error).splitlines()[0]}")


def cannot_begin(root: Path, error: OSError) -> TickwaxError:
    """The line that says so of a folder that was not written to yet: bad input, unless the disk is full or broken."""
    refusal = cannot_write(root, error)
    return refusal if error.errno in _NO_MISTAKE else TickwaxError(str(refusal))


def sync(path: Path) -> None:
    """Have a file's content, or the names in a folder, on the disk. What a store has said to have is there.

    Raises:
        OSError: it cannot be.
    """
    if isinstance(path, StorePath):
        return
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(file: Path, to: Path) -> None:
    """Rename a file, whole at every moment, also where a partition of a data set is mounted on its own, or in a store.

    Raises:
        OSError: it cannot be.
        TickwaxError: the store does not answer, or refuses; the file is still where it was.
    """
    if isinstance(to, StorePath):
        to.put(file)
        file.unlink()
        return
    if isinstance(file, StorePath):
        file.get(to)
        file.unlink()
        return
    try:
        os.replace(file, to)
    except OSError as e:
        if e.errno != errno.EXDEV:
            raise
        part = to.with_name(f".{to.name}.part")
        try:
            shutil.copyfile(file, part)
            sync(part)
            os.replace(part, to)
        finally:
            part.unlink(missing_ok=True)
        file.unlink()


def missing_folders(path: Path) -> list[Path]:
    """What of a folder and the folders it is in is not there, the innermost first."""
    missing = []
    for folder in (path, *path.absolute().parents):
        if folder.exists():
            break
        missing.append(folder)
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the innermost first, as far as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def staging(root: Path, rest: str) -> Path:
    """A folder of this host beside a data set, for what is not to be seen yet."""
    return beside(root, _staging(rest))


def _staging(rest: str) -> str:
    return f"staging-{socket.gethostname()}-{rest}"


def sweep(root: Path) -> None:
    """Remove what writers of this host left behind when they were killed."""
    for pattern in besides(root, _staging("*")):
        for folder in pattern.parent.glob(pattern.name):
            pid = folder.name.removeprefix(pattern.name.removesuffix("*")).partition("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
                shutil.rmtree(folder, ignore_errors=True)
