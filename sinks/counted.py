"""What the recovery state of a resumable sink counts, held against the journals that it counts on."""

from pathlib import Path

import msgspec

from operators.row_batch import TS
from sinks.row_format import described_schema
from sources.errors import DamagedError
from sources.tape.journal_format import Journal
from sources.tape.layout import beside

FOLDER = "resume"  # beside the data set


class CountedRows(msgspec.Struct):
    """State of one partition."""

    position: int  # bytes of the journal that count
    rows: int


def counted(path: Path, state: CountedRows) -> Journal:
    """What a state counts of a partition's journal.

    Raises:
        DamagedError: not all of it can be read.
    """
    if not path.exists() or path.stat().st_size < state.position:
        raise DamagedError(
            f"{path}: rows are missing that the recovery directory counts on; start anew with an empty one"
        )
    journal = Journal(path, state.position)
    found = int(journal.rows.sum())
    if journal.damage or journal.end != state.position or found != state.rows:
        raise DamagedError(
            f"{path}: {found:,} rows can be read of the {state.rows:,} that the recovery directory counts: it is "
            "damaged; start anew with an empty recovery directory, and replace the rows"
        )
    return journal


def counted_rows(root: Path, part: str, data: bytes) -> dict[str, int] | None:
    """Rows of each instrument that a partition's state counts; None: it is complete.

    Raises:
        DamagedError: the state or the journal is damaged.
    """
    if _complete(root, part):
        return None
    journal = _journal(root, part, data)
    return {} if journal is None else {key: int(journal.rows[items].sum()) for key, items in journal.by_key()}


def newest_rows(root: Path, part: str, data: bytes) -> dict[str, tuple[int, int]] | None:
    """Time and ordinal of the newest row of each instrument that a partition's state counts; None: it is complete.

    Raises:
        DamagedError: the state or the journal is damaged.
        ValueError: the data set has no ordinals.
    """
    if _complete(root, part):
        return None
    journal = _journal(root, part, data)
    if journal is None or journal.description is None:
        return {}
    ordinal = described_schema(journal.description).column("ordinal")
    if ordinal is None:
        raise ValueError(f"{root}: its rows have no ordinals to hold against those of the features")
    newest = ((key, journal.read(items[-1:], "integer")[:, -1]) for key, items in journal.by_key())
    return {key: (int(integer[TS]), int(integer[ordinal.row])) for key, integer in newest}


def _complete(root: Path, part: str) -> bool:
    return (beside(root, FOLDER) / f"{part}.done").exists()


def _journal(root: Path, part: str, data: bytes) -> Journal | None:
    """What a partition's state counts; None: nothing."""
    state = read_counted(data)
    return counted(beside(root, FOLDER) / f"{part}.journal", state) if state.position else None


def read_counted(data: bytes) -> CountedRows:
    """A partition's state.

    Raises:
        DamagedError: it is none.
    """
    try:
        state = msgspec.json.decode(data, type=CountedRows)
    except msgspec.DecodeError:
        state = CountedRows(-1, -1)
    if state.position < 0 or state.rows < 0 or (state.position == 0) != (state.rows == 0):
        raise DamagedError("-r: the recovery store holds something else than the state of rows")
    return state
