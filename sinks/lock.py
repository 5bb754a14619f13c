"""One writer at a time; the processes of one cluster are one writer."""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sinks.compaction import Damage, recover
from sinks.disk import cannot_begin, missing_folders, remove_empty
from sources.errors import TickwaxError
from sources.store.path import StorePath
from sources.tape.layout import beside, besides, workplace

_LOCK = "lock"  # beside the data set, while somebody holds it
_NOTE = "writers"  # beside the data set: which cluster holds it


class DataSetLock:
    """Holds a data set against other writers; the system lets go of a dead one.

    The lock is a file, because NFS locks only what is open for writing; whoever is the last to let go removes it, and
    the folders that it made for the data set if they are empty still.
    Processes of a cluster share the lock, and a note beside it says which cluster that is.
    """

    def __init__(self, root: Path, cluster: str = "", say: Callable[[str], None] = lambda line: None) -> None:
        """Take it, and recover what a killed writer left (`sinks.compaction`).

        Args:
            cluster: the same text in every process of a cluster; empty: this process is alone.
            say: told of a recovery, in a line.

        Raises:
            TickwaxError: somebody else holds it, or the folder cannot be written to.
        """
        self.damage = Damage()  # of journals that were recovered
        self._handles: list[int] = []
        self._root = root
        self._file = -1
        self._made = missing_folders(workplace(root))
        try:
            workplace(root).mkdir(parents=True, exist_ok=True)
            check_writable(root)
            self._path = beside(root, _LOCK)
            if cluster:
                self._share(cluster, say)
            elif not self._take(fcntl.LOCK_EX):
                raise _refusal(root)
            else:
                self.damage = recover(root, say).damage
        except OSError as e:
            self.release()
            raise cannot_begin(root, e) from e
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let others write; may come more than once, and from several threads."""
        made, self._made = self._made, []
        if self._file >= 0:
            with contextlib.suppress(OSError):
                if _locked(self._file, fcntl.LOCK_EX):  # nobody else of the cluster holds it
                    remove_empty(made[:1])  # the others hold the lock file
                    self._path.unlink()
                    made = made[1:] if made and not made[0].exists() else []
                else:
                    made = []
            self._file = -1
        remove_empty(made)
        while self._handles:
            os.close(self._handles.pop())

    def _open(self, path: Path) -> int:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._handles.append(handle)
        return handle

    def _close(self, handle: int) -> None:
        self._handles.remove(handle)
        os.close(handle)

    def _take(self, how: int) -> bool:
        """Lock the file that stands at the path now: one that its last holder has removed locks nobody out."""
        while True:
            handle = self._open(self._path)
            if not _locked(handle, how):
                self._close(handle)
                return False
            if _is_at(handle, self._path):
                self._file = handle
                return True
            self._close(handle)

    def _share(self, cluster: str, say: Callable[[str], None]) -> None:
        """The first process of a cluster recovers and signs the note; the others must find their own name there."""
        note = self._open(beside(self._root, _NOTE))
        fcntl.flock(note, fcntl.LOCK_EX)  # waits for the first one's recovery
        if self._take(fcntl.LOCK_EX):
            self.damage = recover(self._root, say).damage
            os.ftruncate(note, 0)
            os.pwrite(note, cluster.encode(), 0)
            shared = _locked(self._file, fcntl.LOCK_SH)
        else:
            shared = os.pread(note, 1 << 16, 0) == cluster.encode() and self._take(fcntl.LOCK_SH)
        if not shared:
            raise _refusal(self._root)
        self._close(note)


@contextmanager
def only_writer(root: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold the data set at ``root`` for a while; as `DataSetLock`."""
    with DataSetLock(root, say=say):
        yield


def holder(root: Path) -> bool | None:
    """Whether somebody writes to a data set: True while its lock is held, False once it is not, None where there is no
    lock: nobody writes, and the last one ended in order.

    The lock is only looked at (proc_locks(5)): whoever took it for a moment would keep out a writer that starts then.
    On a system that does not tell of locks, or of those of other containers, a lock that is there counts as held.
    """
    for path in besides(root, _LOCK):
        try:
            found = path.stat()
        except OSError:
            continue
        try:
            lines = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return True
        words = [line.split() for line in lines]  # 1: FLOCK ADVISORY WRITE 3530 fe:00:12444459 0 EOF
        return any(len(w) > 5 and w[1] == "FLOCK" and w[5].endswith(f":{found.st_ino}") for w in words)
    return None


def check_writable(root: Path) -> None:
    """Refuse a folder that cannot be written to, or be made, without making it.

    Raises:
        TickwaxError: that is so.
    """
    place = workplace(root)
    there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    if isinstance(root, StorePath):
        root.check_writable()
    try:
        tempfile.TemporaryFile(dir=there).close()  # without a name where the file system can
    except OSError as e:
        raise cannot_begin(root, e) from e


def _locked(handle: int, how: int) -> bool:
    """Lock without waiting; False if somebody else holds it.

    Raises:
        OSError: the file system has no locks, or says otherwise why it cannot.
    """
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as e:
        if e.errno in (errno.EWOULDBLOCK, errno.EACCES):  # as some NFS clients say it
            return False
        raise OSError(e.errno, f"cannot lock {_LOCK} file: {e.strerror}") from e
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _refusal(root: Path) -> TickwaxError:
    return TickwaxError(f"{root}: another process is writing to it; wait for its end")
