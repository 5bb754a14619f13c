"""One writer at a time, on every file system that can lock."""

import errno
import fcntl
import os

import pytest

from sinks.lock import DataSetLock, holder
from sources.errors import TickwaxError
from sources.tape.layout import beside

real_flock = fcntl.flock


def nfs_flock(handle: int, how: int) -> None:
    """flock(2), "NFS details": LOCK_EX wants a file that is open for writing, LOCK_SH one for reading."""
    mode = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE
    wanted = {fcntl.LOCK_EX: os.O_WRONLY, fcntl.LOCK_SH: os.O_RDONLY}.get(how & ~fcntl.LOCK_NB)
    if wanted is not None and mode not in (wanted, os.O_RDWR):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    real_flock(handle, how)


@pytest.fixture(params=["local", "nfs"])
def file_system(request, monkeypatch):
    if request.param == "nfs":
        monkeypatch.setattr(fcntl, "flock", nfs_flock)


@pytest.mark.usefixtures("file_system")
class TestLock:
    def test_a_second_writer_is_refused_until_the_first_lets_go(self, tmp_path):
        root = tmp_path / "tape"
        with DataSetLock(root), pytest.raises(TickwaxError, match="another process is writing to it"):
            DataSetLock(root)
        with DataSetLock(root):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_folders_that_it_made_and_left_empty_go(self, tmp_path):
        (tmp_path / "there").mkdir()
        with DataSetLock(tmp_path / "there"), DataSetLock(tmp_path / "a" / "b"), DataSetLock(tmp_path / "c"):
            (tmp_path / "c" / "file").touch()
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["c", "file", "there"]

    def test_processes_of_a_cluster_share_it(self, tmp_path):
        root = tmp_path / "tape"
        first, second = DataSetLock(root, "a:1;b:2"), DataSetLock(root, "a:1;b:2")
        for other in ("", "c:3"):
            with pytest.raises(TickwaxError, match="another process is writing to it"):
                DataSetLock(root, other)
        first.release()
        with pytest.raises(TickwaxError, match="another process is writing to it"):
            DataSetLock(root)
        second.release()
        DataSetLock(root).release()

    def test_a_file_that_a_killed_writer_left_locks_nobody_out(self, tmp_path):
        root = tmp_path / "tape"
        (tmp_path / ".tape.lock").touch()
        with DataSetLock(root):
            pass
        assert not (tmp_path / ".tape.lock").exists()


def test_a_file_that_its_holder_removes_meanwhile_is_not_taken(tmp_path, monkeypatch):
    root = tmp_path / "tape"
    first = DataSetLock(root)
    taken: list[str] = []

    def late(handle: int, how: int) -> None:
        if not taken:  # the second has opened the file of the first
            taken.append("once")
            first.release()
        real_flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with DataSetLock(root), pytest.raises(TickwaxError, match="another process is writing to it"):
        DataSetLock(root)
    assert taken == ["once"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EIO, errno.EBADF])
def test_another_reason_is_named(tmp_path, monkeypatch, code):
    def broken(handle: int, how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(TickwaxError, match=f"^cannot write to .*tape: cannot lock .*: {os.strerror(code)}$"):
        DataSetLock(tmp_path / "tape")


class TestHolder:
    def test_a_look_tells_whether_somebody_writes_and_how_it_ended(self, tmp_path):
        root = tmp_path / "tape"
        assert holder(root) is None
        root.mkdir()
        with DataSetLock(root):
            assert holder(root) is True
        assert holder(root) is None
        beside(root, "lock").touch()  # as a killed writer leaves it
        assert holder(root) is False

    def test_no_look_keeps_a_writer_out(self, tmp_path, monkeypatch):
        root = tmp_path / "tape"
        root.mkdir()
        beside(root, "lock").touch()
        taken = []
        monkeypatch.setattr(fcntl, "flock", lambda handle, how: taken.append(how))
        holder(root)
        assert taken == []
