"""Whether a recovery directory is whole, and its parts of one moment, before a run goes on from it.

SQLite has no checksums but in its log, of which it forgets what comes after a damaged page; Bytewax unpickles what it
finds, and panics at what it did not write. So the store's form is held against that of a new one, what is pickled must
be bytes, and source, features and sinks must have come equally far with every instrument: then the rows are right,
whichever epoch they are resumed from.
"""

import io
import pickle
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from bytewax.recovery import init_db_dir

from dataflows.runtime.recovery_progress import Resumed
from operators.feature_step import StateKeeper
from operators.mark import TradeMark
from operators.rules.episode_state import EpisodeMark
from sources.errors import DamagedError, TickwaxError
from sources.placement import shard, shard_names
from sources.tape.resumable_source import read_state

T = TypeVar("T")

_SHAPE = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
_NEWEST = "SELECT step_id, state_key, MAX(snap_epoch), ser_change FROM snaps GROUP BY step_id, state_key"
_WORKERS = 1 << 16  # more than any cluster has
_ANEW = "start anew with an empty recovery directory"
_SHORTEST = 256  # bytes of a state that stands in the store itself

Snaps = dict[str, dict[str, bytes]]  # content by key, by the last part of the step's name


def check_form(files: list[Path], alone: bool) -> None:
    """Hold each file of a store against a new one.

    Args:
        alone: no other process has parts of the store.

    Raises:
        DamagedError: a file is damaged, or one is missing.
    """
    counts = set()
    for file in files:
        try:
            with closing(sqlite3.connect(file)) as db:
                (state,), *_ = db.execute("PRAGMA integrity_check(1)").fetchall()
                if state != "ok" or _form(db) != _new_form():
                    raise _damaged(file)
                parts = db.execute("SELECT part_index, part_count FROM parts").fetchall()
                workers = db.execute("SELECT MAX(worker_count) FROM exs").fetchone()[0]
        except (sqlite3.Error, ValueError, OverflowError) as e:
            raise _damaged(file, f": {e}") from None
        if [f"part-{index}.sqlite3" for index, _ in parts] != [file.name] or (workers or 0) > _WORKERS:
            raise _damaged(file)
        counts.add(parts[0][1])
    if len(counts) > 1 or (files and alone and counts != {len(files)}):
        of = " or ".join(map(str, sorted(counts)))
        raise DamagedError(f"-r: {files[0].parent}: has {len(files)} parts of {of}; {_ANEW}")


def check_epochs(files: list[Path], resume_epoch: int) -> None:
    """Refuse a part that has forgotten what the others would go on from.

    Raises:
        DamagedError: that is so.
    """
    for file in files:
        with closing(sqlite3.connect(file)) as db:
            newest = db.execute("SELECT MAX(commit_epoch) FROM commits").fetchone()[0]
        if newest is not None and newest > resume_epoch:
            raise _damaged(file, f": it is of epoch {newest}, and the others are of epoch {resume_epoch}")


def newest_states(files: list[Path], flow: str) -> Snaps:
    """What Bytewax would hand to each step, once later epochs are forgotten.

    Raises:
        DamagedError: something else than bytes is pickled.
    """
    found: Snaps = {}
    epochs: dict[tuple[str, str], int] = {}
    for file in files:
        with closing(sqlite3.connect(file)) as db:
            rows = db.execute(_NEWEST).fetchall()
        for step, key, epoch, content in rows:
            if not step.startswith(f"{flow}."):
                raise _damaged(file, f": it has a step {step!r}")
            name = step.removeprefix(f"{flow}.")
            value = _unpickled(content, file)
            if epoch > epochs.get((name, key), -1):
                epochs[name, key] = epoch
                found.setdefault(name, {}).pop(key, None)
                if value is not None:
                    found[name][key] = value
    return found


def check_states(store: Path, found: Snaps, states: StateKeeper, resumed: Resumed) -> dict[str, Any]:
    """Hold against each other how far source, states and sinks have come with every instrument.

    Returns:
        What the states say of it, by instrument.

    Raises:
        DamagedError: they have not come equally far, or one of them is damaged.
    """
    parts = set(shard_names())
    for step in resumed.sets if resumed.run is None else ("tape", *resumed.sets):
        if strange := set(found.get(step, ())) - parts:
            raise _apart(store, f"{step} has a state of {min(strange)!r}")
    progress = resumed.progress
    marks = {key: progress.mark(_state(store, key, kept, states)) for key, kept in found.get(progress.step, {}).items()}
    if resumed.run is not None:
        read: dict[str, int] = {}
        for part, kept in found.get("tape", {}).items():
            for key, ordinal in _of(store, read_state, kept, resumed.run).items():
                if shard(key) != int(part):
                    raise _apart(store, f"the source reads {key} elsewhere")
                read[key] = ordinal
        for key in sorted({*read, *marks}):
            reached = marks[key].next_ordinal if key in marks else 0
            if read.get(key, 0) != reached:
                raise _apart(store, f"of {key} the source has read up to {read.get(key, 0)}, its state is of {reached}")
    for step, root in resumed.sets.items():
        for part in parts:
            state = found.get(step, {}).get(part)
            rows = _of(store, progress.written, root, part, state) if state is not None else {}
            if rows is None:
                continue
            mine = {key: mark for key, mark in marks.items() if shard(key) == int(part)}
            for key in sorted({*rows, *mine}):
                if rows.get(key) != progress.given(mine.get(key), step, key):
                    raise _apart(store, f"the rows of {key} in {root} are not those that its state has given")
    return marks


def check_episodes(store: Path, trading: Mapping[str, TradeMark], episodes: Mapping[str, EpisodeMark]) -> None:
    """Whether episodes were told of all that was traded, and of no more.

    Raises:
        DamagedError: they were not.
    """
    for key in sorted({*trading, *episodes}):
        traded = trading[key].equity if key in trading else 0
        told = episodes[key].equity if key in episodes else 0
        if traded != told:
            raise _apart(store, f"of {key} {traded} rows of equity were given, and episodes made of {told}")


def _of(store: Path, read: Callable[..., T], *arguments: Any) -> T:
    """Read what is kept; a refusal names the store, too."""
    try:
        return read(*arguments)
    except TickwaxError as e:
        raise type(e)(f"{e} ({store})") from None


def _state(store: Path, key: str, kept: bytes, states: StateKeeper) -> bytes:
    data = states.load(key, kept)
    if len(data) < _SHORTEST:
        raise _apart(store, f"the state of {key} is none")
    return data


class _OnlyBytes(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "bytes"):
            return bytes
        raise pickle.UnpicklingError(f"{module}.{name}")


def _unpickled(content: bytes | None, file: Path) -> bytes | None:
    if content is None:
        return None
    try:
        value = _OnlyBytes(io.BytesIO(content)).load()
    except Exception:  # whatever a damaged pickle makes of itself
        raise _damaged(file, ": a state in it cannot be read") from None
    if not isinstance(value, bytes | None):
        raise _damaged(file, ": a state in it is something else")
    return value


def _form(db: sqlite3.Connection) -> tuple[Any, ...]:
    return db.execute("PRAGMA user_version").fetchone(), *db.execute(_SHAPE).fetchall()


@cache
def _new_form() -> tuple[Any, ...]:
    with tempfile.TemporaryDirectory() as folder:
        init_db_dir(Path(folder), 1)
        with closing(sqlite3.connect(Path(folder) / "part-0.sqlite3")) as db:
            return _form(db)


def _damaged(file: Path, why: str = "") -> DamagedError:
    return DamagedError(f"-r: {file}: is damaged{why}; {_ANEW}")


def _apart(store: Path, why: str) -> DamagedError:
    return DamagedError(f"-r: {store}: is damaged: {why}; {_ANEW}")
