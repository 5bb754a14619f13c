"""One writer at a time; the processes of one cluster are one writer."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sinks.compaction import recover
from sinks.disk import cannot_write
from sources.errors import TickwaxError
from sources.tape.layout import beside

_NOTE = "writers"  # beside the data set: which cluster holds it


class DataSetLock:
    """Holds a data set against other writers; the system lets go of a dead one.

    The folder is its own lock: no file that stays behind. Processes of a cluster share it, and a note beside it says
    which cluster that is.
    """

    def __init__(self, root: Path, cluster: str = "", say: Callable[[str], None] = lambda line: None) -> None:
        """Take it, and recover what a killed writer left (`sinks.compaction`).

        Args:
            cluster: the same text in every process of a cluster; empty: this process is alone.
            say: told of a recovery, in a line.

        Raises:
            TickwaxError: somebody else holds it, or the folder cannot be written to.
        """
        self._handles: list[int] = []
        try:
            root.mkdir(parents=True, exist_ok=True)
            check_writable(root)
            folder = self._open(root, os.O_RDONLY | os.O_DIRECTORY)
            if cluster:
                self._share(root, folder, cluster, say)
            elif not _locked(folder, fcntl.LOCK_EX):
                raise _refusal(root)
            else:
                recover(root, say)
        except OSError as e:
            self.release()
            raise cannot_write(root, e) from e
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let others write; may come more than once."""
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()

    def _open(self, path: Path, flags: int) -> int:
        handle = os.open(path, flags | os.O_CLOEXEC, 0o644)
        self._handles.append(handle)
        return handle

    def _share(self, root: Path, folder: int, cluster: str, say: Callable[[str], None]) -> None:
        """The first process of a cluster recovers and signs the note; the others must find their own name there."""
        note = self._open(beside(root, _NOTE), os.O_RDWR | os.O_CREAT)
        fcntl.flock(note, fcntl.LOCK_EX)  # waits for the first one's recovery
        if _locked(folder, fcntl.LOCK_EX):
            recover(root, say)
            os.ftruncate(note, 0)
            os.pwrite(note, cluster.encode(), 0)
        elif os.pread(note, 1 << 16, 0) != cluster.encode():
            raise _refusal(root)
        if not _locked(folder, fcntl.LOCK_SH):
            raise _refusal(root)
        os.close(note)
        self._handles.remove(note)


@contextmanager
def only_writer(root: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold the data set at ``root`` for a while; as `DataSetLock`."""
    with DataSetLock(root, say=say):
        yield


def check_writable(root: Path) -> None:
    """Refuse a folder that cannot be written to, or be made, without making it.

    Raises:
        TickwaxError: that is so.
    """
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()  # without a name where the file system can
    except OSError as e:
        raise cannot_write(root, e) from e


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _refusal(root: Path) -> TickwaxError:
    return TickwaxError(f"{root}: another process is writing to it; wait for its end")
