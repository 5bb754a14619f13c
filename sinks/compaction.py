"""Turns a journal into Parquet files, one an instrument and date; killed at any moment, it can be done again.

The files have names that the journal's content decides, are written aside, and only then renamed into place; the
journal goes last. Doing it again puts the same rows into the same names, so that nothing is lost and nothing appears
twice. Memory is bounded: one instrument after the other, one row group at a time.

A damaged journal is kept as ``….journal.damaged``, which nothing reads: only what is whole in it appears, and in a tape
a ``reset`` in every hole. For that the rows behind a hole must be known, which may be in a later journal, so it is done
when nobody writes.
"""

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sinks.dataset import DatasetWriter
from sinks.disk import cannot_write, sync
from sinks.format import Form
from sinks.identity import Identity, data_set_of
from sinks.row_format import FORMER_ROWS, described_schema, row_form
from sinks.salvage import stage_around_holes
from sinks.store_commit import settle
from sinks.tape import tape_form
from sources.errors import TickwaxError
from sources.instrument import Instrument, is_instrument, shown
from sources.parquet import read_schema
from sources.tape.journal_format import Journal, NoJournalError
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import DAMAGED, data_files, free_name, instruments, journal_files


class Damage(NamedTuple):
    """What could not be read of journals."""

    journals: int = 0
    bytes: int = 0
    rows: int = 0  # at the most


class Compacted(NamedTuple):
    """What has appeared of a journal, and what has not."""

    rows: int
    files: list[Path]
    cut_off: int = 0  # bytes of a write at the journal's end that a crash cut off
    damage: Damage = Damage()
    line: str = ""  # tells of the damage


class Recovered(NamedTuple):
    """What has appeared of all journals."""

    rows: int
    damage: Damage


NOTHING = Compacted(0, [])

_WORTH_A_WORD = 50  # MB whose recovery takes long enough to be announced


def form_of(description: dict[str, Any]) -> Form[Any]:
    """The form that a journal was written with."""
    if description["data_set"] == "tape":
        return tape_form(description["compression"])
    found = description.get("identity")  # journals of older versions have none
    identity = Identity.from_json(found) if found else None
    return row_form(described_schema(description), description["compression"], identity)


def stage(writer: DatasetWriter, journal: Journal, form: Form[Any], stop: Callable[[], bool] = lambda: False) -> int:
    """Hand a journal's rows to a writer; returns how many. Ends early when told to ``stop``.

    Rows of names that no folder can have are passed over.

    Raises:
        TickwaxError: the disk is full, or the folder cannot be written to.
    """
    rows = 0
    for key, items in journal.by_key():
        if not is_instrument(key):
            continue
        instrument = Instrument.parse(key)
        for part in journal.parts(items, form.file.row_group_rows):
            if stop():
                return rows
            columns = {field.name: journal.read(part, field.name) for field in form.fields}
            writer.write(instrument, form.ts(columns), partial(form.arrow, columns))
        rows += int(journal.rows[items].sum())
        writer.end_file(instrument)
    return rows


def compact(
    root: Path, path: Path, stop: Callable[[], bool] = lambda: False, at_rest: bool = False, broken: bool = False
) -> Compacted:
    """Let the rows of one journal appear in the data set, then remove it; nothing happens when told to ``stop``.

    Args:
        at_rest: whether nobody writes to the data set. Only then does what is whole of a damaged journal appear;
            otherwise the journal stays as it is, for the next start.
        broken: whether rows may be missing between the journals of a tape.

    Raises:
        TickwaxError: the disk is full, the folder cannot be written to, or the file is a journal of another version.
    """
    try:
        if not path.is_file():  # a pipe would keep the reader waiting for ever
            return _kept(path, at_rest, NOTHING, Damage(1), f"{path}: is no file")
        # A power cut must not leave less of the journal than of the files that are made from it.
        sync(path)
        try:
            journal = Journal(path)
        except NoJournalError as e:
            return _kept(path, at_rest, NOTHING, Damage(1, path.stat().st_size), str(e))
        if journal.description is None and not journal.damage:
            path.unlink()
            return NOTHING._replace(cut_off=journal.cut_off)
        damage = Damage(1, journal.damaged_bytes, journal.lost_rows) if journal.damage else Damage()
        done = NOTHING
        if journal.description is not None and (at_rest or not journal.damage):
            form = form_of(journal.description)
            if at_rest and _is_of_another(root, form):
                line = f"{path}: is the journal of another data set: its rows are of {form.data_set}"
                return _kept(path, at_rest, NOTHING, Damage(1), line)
            writer = DatasetWriter(root, form.file, path.stem, durable=True)
            try:
                if broken and form.data_set == "tape":
                    rows = stage_around_holes(root, writer, journal, form.file.row_group_rows)
                else:
                    rows = stage(writer, journal, form, stop)
                if stop():
                    return NOTHING
                writer.finish()
                done = Compacted(rows, writer.publish(), journal.cut_off)
            finally:
                writer.abort()
            _remove_former(root, path, done.files)
        if journal.damage:
            return _kept(path, at_rest, done, damage, f"{path}: is damaged: {journal.damage}")
        if strangers := [key for key in journal.keys if not is_instrument(key)]:
            names = f"rows of {shown(strangers[0])}" + (f" and {len(strangers) - 1} more" if strangers[1:] else "")
            return _kept(path, at_rest, done, Damage(1), f"{path}: has {names}, which can be no folder")
        path.unlink()
        return done
    except OSError as e:
        raise cannot_write(root, e) from e


def _is_of_another(root: Path, form: Form[Any]) -> bool:
    """Whether the data set at ``root`` has files of another kind than these rows."""
    for instrument in instruments(root):
        with contextlib.suppress(TickwaxError):
            there = data_set_of(read_schema(data_files(root, instrument)[0]))
            if there and form.data_set != FORMER_ROWS:
                return there != form.data_set
            return (there == "tape") != (form.data_set == "tape")
    return False


def _remove_former(root: Path, path: Path, files: list[Path]) -> None:
    """An earlier attempt of another version may have cut the rows into more files."""
    for instrument in instruments(root):
        for file in data_files(root, instrument):
            if file.name.startswith(f"{path.stem}-") and file not in files:
                file.unlink()


def _kept(path: Path, at_rest: bool, done: Compacted, damage: Damage, line: str) -> Compacted:
    """Set a damaged journal aside, where nothing reads it; one of a running writer waits for the next start."""
    if at_rest:
        aside = free_name(path.with_name(f"{path.name}{DAMAGED}"))
        os.replace(path, aside)
        sync(path.parent)
        line += f"; all else is in the data set, and the file is kept as {aside.name}"
    else:
        line += "; all else will be in the data set after the next start"
    return done._replace(damage=damage, line=line)


def recover(root: Path, say: Callable[[str], None] = lambda line: None) -> Recovered:
    """Publish rows left in journals by a killed run. The caller must hold the data set's lock.

    Args:
        say: told of it, and of every journal that is damaged, in a line each.

    Raises:
        TickwaxError: as `compact`.
    """
    settle(root)
    left = journal_files(root)
    megabytes = sum(path.stat().st_size for path in left if path.is_file()) / 1e6
    if megabytes > _WORTH_A_WORD:
        say(f"{root}: recovering {megabytes:,.0f} MB of journals …")
    broken = _broken_tape(root)
    each = [compact(root, path, at_rest=True, broken=broken) for path in left]
    for done in each:
        if done.line:
            say(done.line)
    rows = sum(done.rows for done in each)
    cut = [
        f"{done.cut_off:,} bytes at the end of {path}" for path, done in zip(left, each, strict=True) if done.cut_off
    ]
    if rows or cut:
        also = f"; a write that it was at is not whole: {', '.join(cut)}" if cut else ""
        say(f"{root}: recovered {rows:,} rows of a run that did not end in order{also}")
    return Recovered(rows, Damage(*(sum(counts) for counts in zip(Damage(), *(d.damage for d in each), strict=True))))


def _broken_tape(root: Path) -> bool:
    """Whether the data set is a tape, and rows may be missing between what its journals hold."""
    try:
        return TapeJournals(root).broken
    except TickwaxError:  # a journal of rows, or of another version, as will be said
        return False
