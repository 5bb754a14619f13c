"""An import from files to a tape: what is new, in which order things appear, and what a repeated one does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataflows.runtime.exit_codes import say
from sinks.disk import cannot_write
from sinks.import_ledger import SourceFile, appearing, import_name, imported, remove_leftovers
from sinks.lock import only_writer
from sinks.tape import TapeWriter
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.importers.content import content_of
from sources.importers.files import DamagedFile, Progress, sha256
from sources.importers.run import FindTail
from sources.importers.stats import ImportStats, InstrumentStats, utc_millis, utc_text
from sources.instrument import Instrument
from sources.store.path import StorePath
from sources.tape.batch import InstrumentBatch
from sources.tape.builder import TapeTail
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
    kind: str = "",
) -> ImportResult:
    """Append files to a tape: all of them appear at the end, or nothing does.

    Args:
        tape: root of the tape.
        paths: files in the order of time.
        reader: turns files into rows.
        instrument: the only one that is imported; None: all that the files hold.
        compression: codec of the Parquet files.
        progress: told how many bytes more were read.
        kind: what the reader reads; noted with the files.

    Raises:
        TickwaxError: a file is bad or has nothing to import, or the tape cannot be written.
    """
    if isinstance(tape, StorePath):  # what was imported is known by notes in the data set's folders
        raise TickwaxError(
            f"tape.path: '{tape}' is an address; only local files and folders are read and written by an import"
        )
    check_target(tape, "tape", "tape.path")
    with only_writer(tape, say):
        try:
            remove_leftovers(tape)
        except OSError as e:
            raise cannot_write(tape, e) from e
        files, skipped = _new(paths, imported(tape, instrument), reader, kind)
        stats = ImportStats()
        if files:
            _append(tape, files, reader, stats, compression, progress, kind)
    return ImportResult(stats, [file.path for file in files], skipped)


def _new(
    paths: Sequence[Path], known: dict[str, str], reader: Reader, kind: str
) -> tuple[list[SourceFile], list[Path]]:
    """Files whose content is not known, and the others.

    Raises:
        TickwaxError: a known one was imported as another kind, and is not of this one.
    """
    files: list[SourceFile] = []
    skipped: list[Path] = []
    for path in paths:
        fingerprint, content = sha256(path), content_of(path)
        match = next((of for of in (fingerprint, content) if of in known), None)
        if match is not None:
            if known[match] != kind:
                for _ in reader([path], lambda _: TapeTail(), ImportStats(), lambda _: None):
                    pass  # whatever is wrong with it for this reader is raised
            skipped.append(path)
            continue
        known |= {of: kind for of in (fingerprint, content) if of}
        files.append(SourceFile(path, path.stat().st_size, fingerprint, content))
    return files, skipped


def _append(
    tape: Path,
    files: list[SourceFile],
    reader: Reader,
    stats: ImportStats,
    compression: str,
    progress: Progress,
    kind: str,
) -> None:
    name = import_name(files)
    ends: dict[Instrument, int | None] = {}  # of the tape as it is, by instrument, ns

    def tail_of(instrument: Instrument) -> TapeTail:
        tail = find_tail(tape, instrument)
        ends[instrument] = tail.receive_ts
        return tail

    with TapeWriter(tape, name, compression) as writer:
        try:
            paths = [file.path for file in files]
            for item in reader(paths, tail_of, stats, progress):
                _refuse_the_past(paths[0], item, ends)
                writer.write(item.instrument, item.batch, item.cut_levels)
                stats.latencies.add_tape(item)
        except DamagedFile as e:
            raise TickwaxError(f"{e}; {_salvageable(e, stats)}") from e
        rows = {instrument: counts.rows for instrument, counts in stats.instruments.items() if counts.rows}
        _refuse_what_is_lost(files[0].path, stats)
        with appearing(tape, name, files, rows, kind):
            writer.commit()


def _refuse_the_past(first: Path, item: InstrumentBatch, ends: dict[Instrument, int | None]) -> None:
    """Rows that were received before the last ones of the tape: a range of it would hold what it names no longer.

    Raises:
        TickwaxError: that is so of the first rows of an instrument.
    """
    end = ends.pop(item.instrument, None)
    begin = int(item.batch.receive_ts[0])
    if end is not None and begin < end:
        raise TickwaxError(
            f"{first}: {item.instrument} begins at {utc_millis(begin)}, before the end of its tape, {utc_millis(end)}; "
            f"import in the order of time, overlapping files in one command, or into another tape (--tape)"
        )


def _salvageable(damage: DamagedFile, stats: ImportStats) -> str:
    """What a damaged file has before the damage, how far that is proved, and how to take it."""
    if damage.altered:
        if damage.salvageable:
            return f"--salvage takes what stands {damage.sides} it"
        return "--salvage takes nothing of it (gzip -dc and unzip -p unpack it as it is)"
    if not damage.salvageable:
        return "no whole line stands before that"
    frames = stats.frames - stats.bad
    times = [of.last_receive_ts for of in stats.instruments.values() if of.last_receive_ts is not None]
    if not times:
        return f"{frames:,} frames stand before that, and give no row"
    last = utc_text(max(times))
    proved = "can be read, though no checksum proves the last of them" if damage.cut else "are intact"
    return f"{frames:,} frames before that {proved}; the last is of {last} UTC: --salvage takes them"


def _refuse_what_is_lost(first: Path, stats: ImportStats) -> None:
    """An import that would keep no row, or lose most of the books or of the prints, is a mistake in the command.

    Raises:
        TickwaxError: that is so; with how many, the first bad line, its field and what is wrong with it.
    """
    hint = f"; they fit {stats.hint}: --venue {stats.hint}" if stats.hint else ""
    for instrument, counts in stats.instruments.items():
        if counts.bad_books * 2 > counts.books + counts.bad_books:
            of = f"{counts.bad_books:,} of {counts.books + counts.bad_books:,} book frames of {instrument} are bad"
            raise TickwaxError(f"{first}: {of}, the first: {counts.first_bad}{hint}")
        if counts.bad_prints * 2 > counts.trades + counts.bad_prints:
            of = f"{counts.bad_prints:,} of {counts.trades + counts.bad_prints:,} prints of {instrument} are bad"
            raise TickwaxError(f"{first}: {of}, the first: {counts.first_bad_print}{hint}")
        if counts.dropped and not counts.snapshots:
            lost = f"{counts.dropped:,} book messages of {instrument} and no snapshot that they join"
            raise TickwaxError(f"{first}: {lost}{_why(counts)}")
    if not any(counts.rows for counts in stats.instruments.values()):
        if stats.no_contract:
            raise TickwaxError(f"{first}: nothing to import: {stats.no_contract}")
        raise TickwaxError(
            f"{first}: nothing to import: no trade, and no book with its snapshot{stats.first_bad}{hint}"
        )


def _why(counts: InstrumentStats) -> str:
    """Why no snapshot was of use, as far as that is known."""
    reasons = []
    if counts.unusable:
        reasons.append(f"too old to join: {counts.unusable:,} snapshots")
    if counts.bad_books:
        reasons.append(f"bad: {counts.bad_books:,} book frames, the first: {counts.first_bad}")
    if not reasons:
        reasons.append("name all files in the order of time, from the one with the snapshot on, in one command")
    return "; " + "; ".join(reasons)
