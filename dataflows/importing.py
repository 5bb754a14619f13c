"""An import from files to a tape: what is new, in which order things appear, and what a repeated one does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataflows.startup import say
from sinks.imports import SourceFile, appearing, import_name, imported, remove_leftovers
from sinks.lock import only_writer
from sinks.tape import TapeWriter
from sources.errors import TickwaxError
from sources.events import InstrumentBatch
from sources.importers.files import Progress, sha256
from sources.importers.run import FindTail
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.tape.tail import find_tail

Reader = Callable[[Sequence[Path], FindTail, ImportStats, Progress], Iterator[InstrumentBatch]]


@dataclass
class ImportResult:
    """What an import did."""

    stats: ImportStats
    imported: list[Path]
    skipped: list[Path]  # their content was in the tape already, or twice among the files


def import_files(
    tape: Path,
    paths: Sequence[Path],
    reader: Reader,
    instrument: Instrument | None = None,
    compression: str = "snappy",
    progress: Progress = lambda _: None,
) -> ImportResult:
    """Append files to a tape: all of them appear at the end, or nothing does.

    Args:
        tape: root of the tape.
        paths: files in the order of time.
        reader: turns files into rows.
        instrument: the only one that is imported; None: all that the files hold.
        compression: codec of the Parquet files.
        progress: told how many bytes more were read.

    Raises:
        TickwaxError: a file is bad or has nothing to import, or the tape cannot be written.
    """
    with only_writer(tape, say):
        remove_leftovers(tape)
        files, skipped = _new(paths, imported(tape, instrument))
        stats = ImportStats()
        if files:
            _append(tape, files, reader, stats, compression, progress)
    return ImportResult(stats, [file.path for file in files], skipped)


def _new(paths: Sequence[Path], known: set[str]) -> tuple[list[SourceFile], list[Path]]:
    """Files whose content is not known, and the others."""
    files: list[SourceFile] = []
    skipped: list[Path] = []
    for path in paths:
        fingerprint = sha256(path)
        if fingerprint in known:
            skipped.append(path)
            continue
        known.add(fingerprint)
        files.append(SourceFile(path, path.stat().st_size, fingerprint))
    return files, skipped


def _append(
    tape: Path, files: list[SourceFile], reader: Reader, stats: ImportStats, compression: str, progress: Progress
) -> None:
    name = import_name(files)
    with TapeWriter(tape, name, compression) as writer:
        for item in reader([file.path for file in files], lambda of: find_tail(tape, of), stats, progress):
            writer.write(item.instrument, item.batch)
            stats.latencies.add_tape(item)
        rows = {instrument: counts.rows for instrument, counts in stats.instruments.items() if counts.rows}
        _refuse_what_is_lost(files[0].path, stats)
        with appearing(tape, name, files, rows):
            writer.commit()


def _refuse_what_is_lost(first: Path, stats: ImportStats) -> None:
    """An import that would keep no row, or lose all of a book, is a mistake in the command."""
    if not any(counts.rows for counts in stats.instruments.values()):
        raise TickwaxError(f"{first}: nothing to import: no trade, and no book with its snapshot")
    for instrument, counts in stats.instruments.items():
        if counts.dropped and not counts.snapshots:
            raise TickwaxError(
                f"{first}: {counts.dropped} book messages of {instrument} and no snapshot that they join; "
                "name all files in the order of time, from the one with the snapshot on, in one command"
            )
        if counts.bad * 2 > counts.frames + counts.bad:
            excerpt = f"; the first: {stats.excerpts[0]}" if stats.excerpts else ""
            raise TickwaxError(
                f"{first}: {counts.bad} bad frames of {instrument}, most of all: another venue?{excerpt}"
            )
