"""An import from files to a tape: what is new, in which order things appear, and what a repeated one does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinks.imports import SourceFile, import_name, imported, mark_imported, remove_leftovers
from sinks.tape import TapeWriter
from sources.builder import TapeTail
from sources.errors import TickwaxError
from sources.events import InstrumentBatch
from sources.importers.files import Progress, sha256
from sources.importers.session import FindTail
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
    known = imported(tape, instrument)
    files: list[SourceFile] = []
    skipped: list[Path] = []
    for path in paths:
        fingerprint = sha256(path)
        if fingerprint in known:
            skipped.append(path)
            continue
        known.add(fingerprint)
        files.append(SourceFile(path, path.stat().st_size, fingerprint))
    stats = ImportStats()
    if not files:
        return ImportResult(stats, [], skipped)

    def tail(of: Instrument) -> TapeTail:
        remove_leftovers(tape, of)
        return find_tail(tape, of)

    name = import_name(files)
    writer = TapeWriter(tape, name, compression)
    try:
        for item, batch in reader([file.path for file in files], tail, stats, progress):
            writer.write(item, batch)
        if not any(counts.rows for counts in stats.instruments.values()):
            raise TickwaxError(f"{files[0].path}: nothing to import: no trade, and no book with its snapshot")
    except BaseException:
        writer.abort()
        raise
    writer.commit()
    mark_imported(tape, name, files, {item: counts.rows for item, counts in stats.instruments.items() if counts.rows})
    return ImportResult(stats, [file.path for file in files], skipped)
