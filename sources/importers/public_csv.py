"""Rows of the exchanges' public CSV archives as messages, file by file, merged by the exchange's time.

The archives have no times of arrival: the exchange's time stands for that.
"""

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sources.errors import TickwaxError
from sources.importers.archive import archive_blocks
from sources.importers.files import Progress
from sources.importers.run import ImportRun
from sources.importers.stats import ImportStats
from sources.messages import BadFrame, BookMessage, TradeMessage
from sources.tape.batch import InstrumentBatch
from sources.tape.bounds import check_time, is_price, is_size

Row = list[str]
Entry = tuple[int, str, BookMessage | TradeMessage | BadFrame]  # exchange time (ns), file and line, what it says
# Gives the message that a row completes, None when it is not complete; after the last row it is called with None.
RowReader = Callable[[Row | None], BookMessage | TradeMessage | None]


class Opened(NamedTuple):
    """How a file is read."""

    reader: RowReader
    headed: bool  # its first row names the columns
    book: bool  # a bad row costs the book


Opener = Callable[[Path, Row], Opened]  # judges a file by its first row

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)
_EXCERPT = 80
_BATCH = 50_000  # messages


def read_rows(
    paths: Sequence[Path], open_file: Opener, run: ImportRun, stats: ImportStats, progress: Progress
) -> Iterator[InstrumentBatch]:
    """Rows of the files onto their tapes.

    Raises:
        TickwaxError: a file cannot be read, is empty or is refused by ``open_file``.
    """
    files = [_entries(path, open_file, run, stats, progress) for path in paths]
    for count, (_, where, message) in enumerate(heapq.merge(*files, key=lambda entry: entry[0]), 1):
        _record(run, stats, where, message)
        if count % _BATCH == 0:
            yield from run.take()
    yield from run.take()
    run.finish()


def natural(text: str, name: str) -> int:
    """An integer of at least 0.

    Raises:
        ValueError: it is none.
    """
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{name} is no integer of at least 0")
    return int(text)


def decimal(text: str, name: str, allow_zero: bool = True) -> float:
    """A decimal that a tape may hold, the nearest float64.

    Raises:
        ValueError: it is none.
    """
    value = float(text) if _DECIMAL.fullmatch(text) else -1.0
    if not (is_size(value) if allow_zero else is_price(value)):
        raise ValueError(f"{name} is no decimal {'of at least' if allow_zero else 'above'} 0")
    return value


def word(text: str, name: str, words: dict[str, int]) -> int:
    """The number that a word stands for.

    Raises:
        ValueError: it is another word.
    """
    if text not in words:
        raise ValueError(f"{name} is none of {', '.join(words)}")
    return words[text]


def _entries(path: Path, open_file: Opener, run: ImportRun, stats: ImportStats, progress: Progress) -> Iterator[Entry]:
    file: Opened | None = None
    header: Row | None = None
    number = time = 0

    def entry(row: Row | None, line: bytes) -> Entry | None:
        nonlocal time
        if file is None:
            raise TickwaxError(f"{path}: is empty")
        try:
            message = file.reader(row)
            if message is not None:
                check_time("time", message.exchange_ts)
        except ValueError as e:
            excerpt = line[:_EXCERPT].decode("utf-8", "replace")
            return time, f"{path}:{number}", BadFrame(0, None, time, file.book, str(e), excerpt)
        if message is None:
            return None
        time = message.exchange_ts
        return time, f"{path}:{number}", message

    with run.reading(path):
        for block in archive_blocks(path, progress, stats, "rows", lambda head: b"," in head, run.salvage):
            for line in block.splitlines():
                number += 1
                if not line:
                    continue
                row = line.decode("utf-8", "replace").split(",")
                if file is None:
                    file = open_file(path, row)
                    if file.headed:
                        header = row
                        continue
                elif row == header:
                    stats.ignored["repeated headers"] += 1
                    continue
                if made := entry(row, line):
                    yield made
    if made := entry(None, b""):
        yield made


def _record(run: ImportRun, stats: ImportStats, where: str, message: BookMessage | TradeMessage | BadFrame) -> None:
    stats.frames += 1
    if isinstance(message, TradeMessage) and message.size == 0.0:
        stats.ignored["print of size 0"] += 1
        return
    run.apply([message], lambda _: where)
