"""Tardis.dev CSV files onto tapes: books and trades of an instrument merged by the time of arrival.

There are no sequence numbers in these files: a running message number stands for them, and a hole in the recording
shows only as a new snapshot behind deltas, which a ``reset`` precedes. Rows of a snapshot that share the exchange's
time are one message, though they may have arrived apart. In ``book_snapshot_N`` files every row is a snapshot. Times
that run back are recorded as they are: the order of a file's rows is that of arrival.
"""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.disorder import check_order
from sources.importers.files import DamagedFile, Progress
from sources.importers.public_csv import ahead
from sources.importers.run import FindTail
from sources.importers.stats import ImportStats
from sources.importers.tardis_block import Block
from sources.importers.tardis_csv import intact_blocks, read_blocks
from sources.importers.tardis_instruments import Instruments
from sources.importers.tardis_messages import messages
from sources.importers.tardis_series import Series, SourceFile
from sources.importers.tardis_tapes import EXCHANGES, Tapes
from sources.tape.batch import InstrumentBatch

_LOOK_BYTES = 1 << 16  # a bad row's times may be those of a row behind it, so that then the whole block is read


def read(
    paths: Sequence[Path], find_tail: FindTail, stats: ImportStats, progress: Progress, salvage: bool = False
) -> Iterator[InstrumentBatch]:
    """Rows of every instrument in the files.

    Files of the same kind and instrument follow one another; different ones are merged by ``local_timestamp``, a book
    before a trade of the same time.

    Args:
        paths: ``incremental_book_L2``, ``book_snapshot_N`` and ``trades`` files, in any order.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        salvage: take what stands before and behind the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty or has another header; no row is of a known exchange.
    """
    instruments = Instruments()
    files = [_peek(path, instruments, salvage) for path in paths]
    series: dict[tuple[bool, str, str], list[SourceFile]] = {}
    for file in sorted(files, key=lambda f: (f.first_ts, f.path)):
        series.setdefault(file.series, []).append(file)
    # Books sort before trades: on a tie of times the first series comes first.
    blocks = ahead([_blocks(series[key], instruments, progress, stats, salvage) for key in sorted(series)])
    readers = [Series(of_one) for of_one in blocks]
    tapes = Tapes(instruments, find_tail, stats)
    while readers:
        cut = min(reader.known_until for reader in readers)
        parts = [part for reader in readers for part in reader.before(cut)]
        readers = [reader for reader in readers if not reader.done]
        if parts:
            tapes.record(messages(parts))
        yield from tapes.take()
    if stats.salvaged and not salvage:
        raise stats.salvaged[0]
    if not tapes.any:
        there = ", ".join(sorted({exchange for exchange, _ in instruments.names} - {"exchange"}))
        raise TickwaxError(f"{paths[0]}: exchange {there}: expected one of {', '.join(EXCHANGES)}")


def _peek(path: Path, instruments: Instruments, salvage: bool) -> SourceFile:
    for begin in (_LOOK_BYTES, None):
        block = next(_rows(path, instruments, salvage, begin), None)
        if block is not None and (begin is None or block.fault[0] == 0):
            series = (bool(block.trade[0]), *instruments.names[int(block.instrument[0])])
            return SourceFile(path, series, int(block.receive_ts[0]))
    raise TickwaxError(f"{path}: is empty")


def _rows(path: Path, instruments: Instruments, salvage: bool, begin: int | None) -> Iterator[Block]:
    blocks = read_blocks(path, instruments, lambda _: None, ImportStats(), salvage, begin)
    return (block for block in blocks if not isinstance(block, DamagedFile) and block.rows)


def _blocks(
    files: Sequence[SourceFile], instruments: Instruments, progress: Progress, stats: ImportStats, salvage: bool
) -> Generator[tuple[Path, Block], None, None]:
    for file in files:
        for block in intact_blocks(file.path, instruments, progress, stats, salvage):
            good = block.fault == 0
            check_order(file.path, block.number[good], block.receive_ts[good], "local_timestamp")
            yield file.path, block
