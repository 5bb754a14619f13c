"""Turns a journal into Parquet files, one an instrument and date; killed at any moment, it can be done again.

The files have names that the journal's content decides, are written aside, and only then renamed into place; the
journal goes last. Doing it again puts the same rows into the same names, so that nothing is lost and nothing appears
twice. Memory is bounded: one instrument after the other, one row group at a time.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from operators.schema import Column
from sinks.dataset import DatasetWriter
from sinks.disk import cannot_write, sync
from sinks.form import Form
from sinks.identity import Identity
from sinks.rows import rows_form
from sinks.tape import tape_form
from sources.instrument import Instrument
from sources.journal import Journal
from sources.tape.layout import data_files, journal_files


class Compacted(NamedTuple):
    """What has appeared."""

    rows: int
    files: list[Path]


NOTHING = Compacted(0, [])

_WORTH_A_WORD = 50  # MB whose recovery takes long enough to be announced


def form_of(description: dict[str, Any]) -> Form[Any]:
    """The form that a journal was written with."""
    if description["data_set"] == "tape":
        return tape_form(description["compression"])
    found = description.get("identity")  # journals of older versions have none
    identity = Identity.from_json(found) if found else None
    return rows_form([Column(*column) for column in description["columns"]], description["compression"], identity)


def stage(writer: DatasetWriter, journal: Journal, form: Form[Any], stop: Callable[[], bool] = lambda: False) -> int:
    """Hand a journal's rows to a writer; returns how many. Ends early when told to ``stop``.

    Raises:
        TickwaxError: the disk is full, or the folder cannot be written to.
    """
    rows = 0
    for key, items in journal.by_key():
        instrument = Instrument.parse(key)
        for part in journal.parts(items, form.file.row_group_rows):
            if stop():
                return rows
            columns = {field.name: journal.read(part, field.name) for field in form.fields}
            writer.write(instrument, form.ts(columns), partial(form.arrow, columns))
        rows += int(journal.rows[items].sum())
        writer.end_file(instrument)
    return rows


def compact(root: Path, path: Path, stop: Callable[[], bool] = lambda: False) -> Compacted:
    """Let the rows of one journal appear in the data set, then remove it; nothing happens when told to ``stop``.

    Raises:
        TickwaxError: the disk is full, the folder cannot be written to, or the file is no journal of this version.
    """
    try:
        # A power cut must not leave less of the journal than of the files that are made from it.
        sync(path)
        journal = Journal(path)
        if journal.description is None:
            path.unlink()
            return NOTHING
        writer = DatasetWriter(root, form_of(journal.description).file, path.stem, durable=True)
        try:
            rows = stage(writer, journal, form_of(journal.description), stop)
            if stop():
                return NOTHING
            writer.finish()
            files = writer.publish()
        finally:
            writer.abort()
        # An earlier attempt of another version may have cut the rows into more files.
        for instrument in map(Instrument.parse, journal.keys):
            for file in data_files(root, instrument):
                if file.name.startswith(f"{path.stem}-") and file not in files:
                    file.unlink()
        path.unlink()
        return Compacted(rows, files)
    except OSError as e:
        raise cannot_write(root, e) from e


def recover(root: Path, say: Callable[[str], None] = lambda line: None) -> int:
    """Let the rows appear that a killed run left in journals; returns how many. Only for who holds the data set's lock.

    Raises:
        TickwaxError: as `compact`.
    """
    left = journal_files(root)
    megabytes = sum(path.stat().st_size for path in left) / 1e6
    if megabytes > _WORTH_A_WORD:
        say(f"{root}: recovering {megabytes:,.0f} MB of journals …")
    rows = sum(compact(root, path).rows for path in left)
    if rows:
        say(f"{root}: recovered {rows:,} rows of a run that did not end in order")
    return rows
