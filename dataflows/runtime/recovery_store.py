"""What Bytewax's recovery store holds when a run is resumed, and what it must not.

Bytewax 0.21 resumes from the newest snapshots of epochs before the resume epoch, and leaves in the store those of later
epochs, which a killed run had begun to write. A resumed run writes over a key's only if it touches the key in the same
epoch. Killed again soon, it would next be resumed with some keys of the first run and some of the second, though all
epochs are before the resume epoch then: rows would count twice, or never.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from dataflows.runtime.recovery_check import check_episodes, check_epochs, check_form, check_states, newest_states
from dataflows.runtime.recovery_progress import Resumed
from sinks.state_files import Reference, StateFiles, find_reference
from sources.errors import DamagedError, TickwaxError

_EXECUTIONS = "SELECT ex_num, worker_count, resume_epoch FROM exs"
_FRONTS = "SELECT worker_index, worker_frontier FROM fronts WHERE ex_num = ?"
_PARTS = "SELECT part_index, part_count FROM parts"
_SHORT = "SELECT ser_change FROM snaps WHERE length(ser_change) < 256"  # a reference is, an engine's state is not


def take_up(
    store: Path, states: StateFiles, resumed: Resumed, alone: bool = True, episodes: Resumed | None = None
) -> None:
    """Ready the store, and the states beside it, for a run that goes on from them.

    Args:
        resumed: what is to go on.
        alone: no other process has parts of the store.
        episodes: made of what is traded.

    Raises:
        TickwaxError: a file of either is missing, damaged or of another moment; another user could have written it.
    """
    make_private(store)
    files = sorted(store.glob("*.sqlite3"))
    check_form(files, alone)
    forget_uncommitted(store)
    references, shared = kept_states(store)
    states.begin(references, shared)
    if shared:
        found = newest_states(files, resumed.flow)
        marks = check_states(store, found, states, resumed)
        if episodes is not None:
            check_episodes(store, marks, check_states(store, found, states, episodes))


def make_private(store: Path) -> None:
    """Let nobody else into the folder: Bytewax unpickles what it holds, so whoever may write there runs code here.

    Raises:
        TickwaxError: it belongs to somebody else and others may write to it, or its rights cannot be changed.
    """
    if not store.is_dir():
        return  # as Bytewax will say
    found = store.stat()
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        try:
            store.chmod(0o700)
        except OSError as e:
            raise TickwaxError(f"-r: {store}: cannot be made private: {e.strerror}") from e
    elif found.st_mode & 0o002 and found.st_uid != os.geteuid():
        raise TickwaxError(f"-r: {store}: other users may write to it, and so run code here; make it yours, mode 0700")


def forget_uncommitted(store: Path) -> int:
    """Remove snapshots of epochs that a resumed run does once more; returns how many there were.

    For before the flow: Bytewax computes the same resume epoch from the same tables when it starts.

    Raises:
        TickwaxError: a file of the store cannot be read.
    """
    files = sorted(store.glob("*.sqlite3"))
    try:
        executions = [row for file in files for row in _rows(file, _EXECUTIONS)]
        if not executions:
            return 0
        number, workers, resume_epoch = max(executions)
        reached = dict.fromkeys(range(workers), resume_epoch)
        for file in files:
            for worker, epoch in _rows(file, _FRONTS, number):
                reached[worker] = max(reached[worker], epoch)
        epoch = min(reached.values())
        check_epochs(files, epoch)
        return sum(_forget(file, epoch) for file in files)
    except sqlite3.Error as e:
        raise DamagedError(f"-r: {store}: the recovery store cannot be read: {e}") from e


def kept_states(store: Path) -> tuple[list[Reference], bool]:
    """References to states outside of the store, and whether all parts of it are in the folder.

    Raises:
        TickwaxError: a file of the store cannot be read.
    """
    files = sorted(store.glob("*.sqlite3"))
    try:
        parts = {row for file in files for row in _rows(file, _PARTS)}
        held = [row for file in files for row in _rows(file, _SHORT)]
    except sqlite3.Error as e:
        raise DamagedError(f"-r: {store}: the recovery store cannot be read: {e}") from e
    found = (find_reference(data) for (data,) in held)
    return [reference for reference in found if reference], any(len(parts) == count for _, count in parts)


def _rows(file: Path, query: str, *values: int) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as db:
        return db.execute(query, values).fetchall()


def _forget(file: Path, epoch: int) -> int:
    with closing(sqlite3.connect(file)) as db, db:
        return db.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (epoch,)).rowcount
