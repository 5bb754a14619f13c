"""What exports of tapes to files of other programs share: the rows of a range, and files that appear whole."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dataflows.assembly.exporting import Progress
from dataflows.runtime.exit_codes import say
from operators.known_levels import KnownLevels
from sinks.file_set import FileSet
from sinks.lock import only_writer
from sinks.target import check_target
from sources.errors import TickwaxError
from sources.importers.files import read_ahead
from sources.tape.batch import TapeBatch, market_rows
from sources.tape.earliest import EarliestTimes
from sources.tape.reader import TapeReader


@dataclass
class Exported:
    """What has appeared.

    Attributes:
        rows_written: of all files.
        notes: sentences on what the files tell otherwise than the tape.
    """

    root: Path
    files: list[Path] = field(default_factory=list)
    rows_written: int = 0
    notes: list[str] = field(default_factory=list)


def times_of(readers: Sequence[TapeReader]) -> dict[TapeReader, EarliestTimes]:
    """The times of every tape that has rows in its range.

    Raises:
        TickwaxError: none has.
    """
    times = {reader: EarliestTimes(reader.times()) for reader in readers}
    found = {reader: of_one for reader, of_one in times.items() if of_one.last_receive_ts >= 0}
    if not found:
        raise TickwaxError("no row of the tape lies in the range")
    return found


def rows_of_range(reader: TapeReader, times: EarliestTimes, progress: Progress) -> Iterator[TapeBatch]:
    """The rows of a range, read ahead in a thread; a snapshot first, if the book is known where the range begins.

    Raises:
        TickwaxError: as `TapeReader.batches`.
    """
    levels, rows, begun = KnownLevels(), 0, reader.first_ordinal == 0
    first = times.of_all
    with closing(read_ahead(batch for batch in reader.batches())) as batches:
        for batch in batches:
            lead = max(0, min(batch.rows, reader.first_ordinal - int(batch.ordinal[0])))
            rows += batch.rows
            progress(reader.instrument, rows)
            levels.apply(batch.slice(0, lead))
            if lead == batch.rows:
                continue
            if not begun:
                begun = True
                # Before whatever follows in either time, and no quicker than the quickest row.
                exchange_ts = min(first.exchange_ts, first.receive_ts - times.latency)
                yield levels.snapshot(reader.first_ordinal - 1, exchange_ts, first.receive_ts)
            yield market_rows(batch.slice(lead, batch.rows))


@contextmanager
def file_set(out: Path, kind: str, there: Sequence[Path], overwrite: bool) -> Iterator[FileSet]:
    """Files that appear in ``out``; what the disk refuses becomes a line, and what is not committed goes.

    Args:
        kind: of the files, for messages.
        there: files that would be replaced.

    Raises:
        TickwaxError: the folder is of another kind or cannot be written to, or there are such files.
    """
    if out.exists() and not out.is_dir():
        raise TickwaxError(f"--out: {out} is not a folder")
    check_target(out, f"{kind} files", "--out")
    with only_writer(out, say):
        if there and not overwrite:
            raise TickwaxError(f"--out: {there[0]} is there already; name another folder, or replace it by --overwrite")
        files = FileSet(out, kind)
        try:
            with files.failing():
                yield files
        finally:
            files.abort()


class Behind:
    """Runs one call after the other in a thread, one call behind whoever makes them; ``with`` waits for the last."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._newest: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown()
        if failure is None and self._newest is not None:
            self._newest.result()

    def __call__(self, function: Callable[[Any], None], argument: Any) -> None:
        """Raises whatever the call before has raised."""
        if self._newest is not None:
            self._newest.result()
        self._newest = self._pool.submit(function, argument)
