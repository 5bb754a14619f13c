"""What is whole of a tape's damaged journal, with a ``reset`` where rows are missing."""

from functools import partial
from pathlib import Path

from sinks.dataset import DatasetWriter
from sources.instrument import is_instrument
from sources.tape.holes import HolePart
from sources.tape.journal_format import Journal
from sources.tape.journal_reader import TapeJournals
from sources.tape.layout import instruments
from sources.tape.reader import tape_files
from sources.tape.schema import to_arrow


def stage_around_holes(root: Path, writer: DatasetWriter, journal: Journal, row_group_rows: int) -> int:
    """Hand a journal's rows to a writer, and the resets of all holes in the tape; returns how many rows.

    Rows keep their ordinals, which features that are written already refer to. What lies on both sides of a hole may be
    in files, in this journal and in later ones, so all of the tape is looked at.

    Raises:
        TickwaxError: a file of the tape cannot be read, the disk is full, or the folder cannot be written to.
    """
    journals = TapeJournals(root)
    rows = 0
    for instrument in sorted(journals.instruments.union(instruments(root))):
        if not is_instrument(str(instrument)):
            continue
        for file in tape_files(root, instrument, journals, but=f"{journal.path.stem}-"):
            if file.path != journal.path and not isinstance(file, HolePart):
                writer.end_file(instrument)  # the rows of a file lie in no other's range
                continue
            for batch in file.read(row_group_rows):
                writer.write(instrument, batch.receive_ts, partial(to_arrow, batch))
                rows += batch.rows
            rows -= isinstance(file, HolePart)
        writer.end_file(instrument)
    return rows
