"""Recorded tapes as CSV files of Tardis."""

from collections.abc import Sequence
from pathlib import Path

from dataflows.assembly.export_files import Behind, Exported, file_set, rows_of_range, times_of
from dataflows.assembly.exporting import Progress
from sinks.tardis_csv import BOOK, TRADES, TardisWriter, file_name
from sources.errors import TickwaxError
from sources.importers.tardis_tapes import EXCHANGES
from sources.instrument import Instrument
from sources.tape.earliest import EarliestTimes
from sources.tape.layout import date_text
from sources.tape.reader import TapeReader

_NAMES = {venue: exchange for exchange, venue in EXCHANGES.items()}
_NOT_IN_CSV = frozenset(',"')


def export_csv(readers: Sequence[TapeReader], out: Path, *, overwrite: bool, progress: Progress) -> Exported:
    """Write each instrument's days as Tardis' ``incremental_book_L2`` and ``trades``, all files or none.

    Raises:
        TickwaxError: an instrument has no name at Tardis; the folder cannot be written to or is of another kind, a file
            is there; a tape row breaks the rules.
    """
    for reader in readers:
        _check_named(reader.instrument)
    all_times = times_of(readers)
    exported = Exported(out)
    there = [file for reader, times in all_times.items() for file in _days_there(out, reader.instrument, times)]
    with file_set(out, "csv", there, overwrite) as files:
        for reader, times in all_times.items():
            venue, symbol = reader.instrument
            writer = TardisWriter(files.place, _NAMES[venue], symbol)
            try:
                with Behind() as behind:
                    for batch in rows_of_range(reader, times, progress):
                        behind(writer.write, batch)
                writer.close()
            except BaseException:
                writer.abort()
                raise
            exported.rows_written += writer.rows
            lost = {
                "resets have no place in these files; a reader sees each only by the next snapshot": writer.resets,
                "messages have both times of the one before; a reader takes them for one": writer.joined,
                "trades are of the microsecond of the book message behind; a reader puts it before them": writer.passed,
            }
            exported.notes += [f"{reader.instrument}: {count:,} {what}" for what, count in lost.items() if count]
        exported.files = files.commit(there)
    return exported


def _check_named(instrument: Instrument) -> None:
    venue, symbol = instrument
    if venue not in _NAMES:
        those = ", ".join(sorted(_NAMES))
        raise TickwaxError(f"symbols: {instrument}: CSV files are written of {those}, of which they can be imported")
    if symbol != symbol.upper() or _NOT_IN_CSV & set(symbol):
        raise TickwaxError(f"symbols: {instrument}: a symbol with small letters, commas or quotes has no CSV files")


def _days_there(out: Path, instrument: Instrument, times: EarliestTimes) -> list[Path]:
    """Files that there are of the days from the first row to the last."""
    venue, symbol = instrument
    first, last = (date_text(ts) for ts in (times.of_all.receive_ts, times.last_receive_ts))
    return [
        file
        for kind in (BOOK, TRADES)
        for file in sorted(out.glob(file_name(_NAMES[venue], kind, "????-??-??", symbol)))
        if file_name(_NAMES[venue], kind, first, symbol) <= file.name <= file_name(_NAMES[venue], kind, last, symbol)
    ]
