"""The end of a recorded tape: what must be known to append to it."""

from pathlib import Path

import numpy as np

from sources.instrument import Instrument
from sources.tape.batch import RESET, TapeBatch, is_book
from sources.tape.builder import TapeTail
from sources.tape.journal_reader import TapeJournals
from sources.tape.reader import tape_files

_NAMES = ("ordinal", "exchange_ts", "sequence", "kind", "last")


def find_tail(root: Path, instrument: Instrument, journals: TapeJournals | None = None) -> TapeTail:
    """Tail of an instrument's tape under ``root``; that of an empty tape if there is none.

    Only footers are read to find the newest rows (by ``ordinal``: a file's name and date need not tell), then rows
    backwards until one that is no trade.

    Args:
        journals: those of ``root``, if they have been opened already.

    Raises:
        TickwaxError: a file is no tape file.
    """
    files = tape_files(root, instrument, journals)
    tail = TapeTail(receive_ts=max((file.last_receive_ts for file in files), default=None))
    for file in reversed(files):
        for rows in file.backwards(_NAMES):
            if tail.exchange_ts is None:
                tail.next_ordinal = int(rows.ordinal[-1]) + 1
                tail.exchange_ts = int(rows.exchange_ts[-1])
                tail.torn = not rows.last[-1]
            book = np.flatnonzero(is_book(rows.kind))
            if len(book):
                tail.book_sequence = int(rows.sequence[book[-1]])
                tail.book_known = bool(rows.kind[book[-1]] != RESET)
                return tail
    return tail


def since_reset(root: Path, instrument: Instrument, journals: TapeJournals | None = None) -> list[TapeBatch]:
    """The rows of an instrument's tape from the last ``reset`` on, in order; all of them if there is none.

    Arguments and errors are those of `find_tail`.
    """
    out: list[TapeBatch] = []
    for file in reversed(tape_files(root, instrument, journals)):
        for rows in file.backwards():
            resets = np.flatnonzero(rows.kind == RESET)
            if len(resets):
                return [rows.slice(int(resets[-1]), rows.rows), *reversed(out)]
            out.append(rows)
    return out[::-1]
