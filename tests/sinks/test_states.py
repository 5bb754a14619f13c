"""States beside the recovery store: read back whole, never written over while a resumption may need them, few."""

import errno
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.free_space import PAGE, Extents, pages
from sinks.state_files import Reference, StateFiles, find_reference
from sources.errors import TickwaxError


class Store:
    """State files, and the references that a recovery store would have."""

    def __init__(self, folder: Path, backup: float = 0.0) -> None:
        self.now = 0.0
        self.told: list[Exception] = []
        self.files = StateFiles(folder, backup, lambda: self.now, self.told.append)
        self.kept: dict[str, list[tuple[bytes, bytes]]] = {}  # what Bytewax has of a state, and the state

    def keep(self, key: str, *parts: bytes) -> bytes:
        data = pickle.loads(pickle.dumps(self.files.keep(key, [parts[0], *map(memoryview, parts[1:])])))
        assert isinstance(data, bytes)
        self.kept.setdefault(key, []).append((data, b"".join(parts)))
        return data

    def newest(self, count: int = 1) -> list[Reference]:
        found = [find_reference(data) for kept in self.kept.values() for data, _ in kept[-count:]]
        return [r for r in found if r is not None]

    def readable(self, folder: Path, count: int) -> None:
        """The newest so many states of every instrument, by somebody else."""
        reader = StateFiles(folder, 0.0, lambda: 0.0)
        for key, kept in self.kept.items():
            for data, state in kept[-count:]:
                assert reader.load(key, data) == state


def test_a_state_of_many_parts(tmp_path):
    store = Store(tmp_path)
    data = store.keep("a", b"head", b"", bytes(range(256)) * 50, b"end")
    assert len(data) < 100
    store.readable(tmp_path, 1)
    assert pickle.loads(pickle.dumps(store.files.keep("a", [b"x"]))) != data


def test_a_state_that_is_in_the_store_itself(tmp_path):
    files = StateFiles(tmp_path, 0.0, lambda: 0.0)
    files.begin([], shared=False)
    assert files.keep("a", [b"whole ", memoryview(b"state")]) == b"whole state"
    assert files.load("a", b"whole state") == b"whole state"
    assert not list(tmp_path.iterdir())


lengths = st.sampled_from([1, 30, 4000, 4096, 5000, 12_000, 40_000])


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), lengths, st.booleans()), max_size=60))
def test_nothing_is_written_over_that_a_resumption_may_need(tmp_path_factory, steps):
    """The state before the last is needed until the last is in the store, and one more at the end of the input."""
    folder = tmp_path_factory.mktemp("states")
    store = Store(folder)
    for n, (key, length, killed) in enumerate(steps):
        store.keep(key, bytes([n]) * length)
        store.readable(folder, 3)
        if killed:
            store.files.close()
            references = store.newest(2)
            store.files = StateFiles(folder, 0.0, lambda: 0.0)
            store.files.begin(references, shared=True)
            for name, kept in store.kept.items():
                del kept[:-2]
                store.files.load(name, kept[-1][0])
            store.readable(folder, 2)


def test_room_is_used_again(tmp_path):
    store = Store(tmp_path)
    for n in range(100):
        for key in "abcdefgh":
            store.keep(key, bytes([n]) * (20_000 + 100 * n))
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 8 * 30_000 * 3 * 2


def test_old_states_are_there_for_the_backup_interval(tmp_path):
    store = Store(tmp_path, backup=10.0)
    for _ in range(40):
        store.keep("a", os.urandom(5000))
        store.now += 1.0
    store.readable(tmp_path, 10)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size <= 14 * 2 * PAGE


def test_going_on_writes_between_what_is_there(tmp_path):
    store = Store(tmp_path)
    for n in range(6):
        for key in "abcd":
            store.keep(key, bytes([n]) * 9000)
    store.files.close()
    file = tmp_path / "state-0.bin"
    size = pages(file.stat().st_size)
    again = Store(tmp_path)
    again.kept = {key: store.kept[key][-1:] for key in "bd"}  # the store has heard of two only
    again.files.begin(again.newest(), shared=True)
    for n in range(6):
        again.keep("a", bytes([n]) * 9000)
        again.readable(tmp_path, 1)
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_size <= size


def test_files_that_nothing_refers_to_go(tmp_path):
    one, two, three = (Store(tmp_path) for _ in range(3))
    for store in (one, two, three):  # as processes of one cluster: each has its own
        store.keep("a", b"state")
    assert len(list(tmp_path.iterdir())) == 3
    for store in (one, two, three):
        store.files.close()
    (tmp_path / "part-0.sqlite3").touch()
    StateFiles(tmp_path, 0.0, lambda: 0.0).begin(two.newest(), shared=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-0.sqlite3", "state-1.bin"]
    two.readable(tmp_path, 1)


class TestLost:
    """One line."""

    def test_missing(self, tmp_path):
        store = Store(tmp_path)
        data = store.keep("a", bytes(5000))
        (tmp_path / "state-0.bin").unlink()
        with pytest.raises(TickwaxError, match=r"^-r: .*state-0.bin: is missing; start anew with an empty recovery"):
            Store(tmp_path).files.begin(store.newest(), shared=True)
        reader = Store(tmp_path)
        with pytest.raises(TickwaxError, match=r"^-r: .*state-0.bin: No such file or directory; start anew"):
            reader.files.load("a", data)
        assert [str(error)[:3] for error in reader.told] == ["-r:"]

    def test_torn(self, tmp_path):
        store = Store(tmp_path)
        data = store.keep("a", bytes(5000))
        os.truncate(tmp_path / "state-0.bin", 4999)
        with pytest.raises(TickwaxError, match=r"state-0.bin: its end is missing; start anew"):
            Store(tmp_path).files.begin(store.newest(), shared=True)
        with pytest.raises(TickwaxError, match=r"state-0.bin: the state of a is damaged; start anew"):
            Store(tmp_path).files.load("a", data)

    @pytest.mark.parametrize("at", [0, 2500, 4999])
    def test_another_byte(self, tmp_path, at):
        store = Store(tmp_path)
        data = store.keep("a", bytes(5000))
        with (tmp_path / "state-0.bin").open("r+b") as file:
            file.seek(at)
            file.write(b"\x01")
        reader = Store(tmp_path)
        reader.files.begin(store.newest(), shared=True)
        with pytest.raises(TickwaxError, match="the state of a is damaged"):
            reader.files.load("a", data)
        assert len(reader.told) == 1


class TestTheDisk:
    def test_has_a_state_before_the_store_has_its_reference(self, tmp_path, monkeypatch):
        done: list[int] = []
        monkeypatch.setattr(os, "fdatasync", done.append)
        store = Store(tmp_path)
        kept = [store.files.keep(key, [b"state"]) for key in "abc"]
        assert done == []
        for one in kept:
            pickle.dumps(one)
        assert len(done) == 1  # for all of them

    def test_that_fails(self, tmp_path, monkeypatch):
        def fail(handle: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        store = Store(tmp_path)
        kept = store.files.keep("a", [b"state"])
        monkeypatch.setattr(os, "fdatasync", fail)
        for _ in range(2):  # it is not taken for done
            with pytest.raises(TickwaxError, match=r"cannot write to .*: Input/output error"):
                pickle.dumps(kept)
        assert len(store.told) == 2

    def test_that_takes_a_part(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "pwritev", lambda file, parts, place: os.pwrite(file, b"".join(parts)[:7], place))
        store = Store(tmp_path)
        store.keep("a", b"before")
        store.keep("a", b"the first part", b" and the others")
        store.readable(tmp_path, 2)


@given(
    taken=st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 20_000)), max_size=5),
    steps=st.lists(st.integers(-20, 6), max_size=60),
)
def test_extents(taken, steps):
    """Never the same page twice; what was given back is taken again before the file grows."""
    space = Extents(taken)
    used = {page for place, length in taken for page in range(place // PAGE, -(-(place + length) // PAGE))}
    held: list[tuple[int, set[int]]] = []
    for step in steps:
        if step > 0:
            place = space.take(step * PAGE)
            mine = set(range(place // PAGE, place // PAGE + step))
            assert place % PAGE == 0
            assert not mine & used
            free = sorted(set(range(max(used, default=-1) + 1)) - used)
            if place // PAGE > max(used, default=-1):
                assert not any(set(range(page, page + step)) <= set(free) for page in free)
            used |= mine
            held.append((place, mine))
        elif held:
            place, mine = held.pop(step % len(held))
            space.give(place, len(mine) * PAGE)
            used -= mine
        assert space.end == PAGE * (max(used, default=-1) + 1)
