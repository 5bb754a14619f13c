"""Bybit's public order book archive: V5 frames, one a line, in a zip or as its member alone; trades beside it.

An archive has no receive times: a frame's ``ts``, the time at which the exchange sent it, stands for that. The archives
of spot and linear contracts have the same names and topics. Spot has books of 200 levels and linear ones of 500, later
of 200, too; so only the category that the user names tells for sure.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from sources.errors import TickwaxError
from sources.importers import bybit_trades
from sources.importers.archive import archive_blocks
from sources.importers.files import DamagedFile, Progress, text_blocks
from sources.importers.merging import record_in_order
from sources.importers.public_csv import ahead
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.messages import NS_PER_MS, BadFrame, Frame, Message, Millis, bad_frame
from sources.tape.batch import InstrumentBatch, Int64s
from sources.venues.bybit_linear.decoder import looks_like_spot
from sources.venues.registry import venue

CATEGORIES = ("linear", "spot")
_SHARED = 200  # levels of archives of either market
_DEPTH = re.compile(rb'"topic" ?: ?"orderbook\.(\d+)\.')


class _Sent(msgspec.Struct):
    ts: Millis


_sent = msgspec.json.Decoder(_Sent)


def read(
    paths: Sequence[Path],
    find_tail: FindTail,
    stats: ImportStats,
    progress: Progress,
    salvage: bool = False,
    category: str | None = None,
) -> Iterator[InstrumentBatch]:
    """Rows of every instrument in consecutive archives of books, and in archives of trades, merged by time.

    Args:
        paths: of books zip files, or members of such, in the order of time; of trades as of `bybit_trades.read`.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        salvage: take what stands before and behind the damage of a damaged file.
        category: the market that the books are of; None lets the frames tell, as far as they can.

    Raises:
        TickwaxError: a file cannot be read, is of another market or may be, or has no book and no trade.
    """
    check_category(category)
    linear = venue("bybit_linear")
    run = ImportRun(linear, linear.decoder(), find_tail, stats, salvage=salvage)
    trades = [path for path in paths if _is_csv(path)]
    books = [path for path in paths if path not in trades]
    files: list[Iterator[Books | bybit_trades.Part]] = [_books(books, run, progress, category)]
    files += ahead([bybit_trades.parts(path, run, progress) for path in trades])
    yield from record_in_order(files, run)


def check_category(category: str | None) -> None:
    """Refuse a market that is not imported.

    Raises:
        TickwaxError: that is so.
    """
    if category not in (None, "linear"):
        known = "" if category in CATEGORIES else f"; the categories are {', '.join(CATEGORIES)}"
        raise TickwaxError(f"--category: {category!r} is not imported, only linear is{known}")


class Books(NamedTuple):
    """Messages of consecutive frames of an archive; or, without any, that it is damaged behind the ones before."""

    run: ImportRun
    path: Path
    key: Int64s  # ns, the latest time of the archives up to each message
    messages: list[Message]
    lines: list[int]  # of the frames
    damage: DamagedFile | None = None

    def record(self, start: int, stop: int) -> None:
        """Record the messages ``start:stop``."""
        if self.damage is not None:
            self.run.end(self.damage)
            return
        if start == 0:
            self.run.stats.frames += len(self.lines)
        self.run.apply(self.messages[start:stop], lambda place: f"{self.path}:{self.lines[place]}")


def _books(paths: Sequence[Path], run: ImportRun, progress: Progress, category: str | None) -> Iterator[Books]:
    """The messages of consecutive archives.

    Raises:
        TickwaxError: as of `read`.
    """
    time = 0  # of the last good line; there is no book to lose before one
    latest = 0
    for path in paths:
        number = good = 0
        judged = False
        run.open(path)
        try:
            for block in archive_blocks(path, progress, run.stats, "frames", _begins_like_a_frame, run.salvage):
                if isinstance(block, DamagedFile):
                    yield Books(run, path, np.array([latest]), [], [], block)
                    continue
                frames: list[Frame] = []
                lines: list[int] = []
                torn: dict[int, str] = {}  # by place among the frames, why
                for line in block.splitlines():
                    number += 1
                    if not line:
                        continue
                    if not judged:
                        judged = _judge(path, line, category)
                    try:
                        time = _sent.decode(line).ts * NS_PER_MS
                    except (ValueError, RecursionError) as e:
                        torn[len(frames)] = str(e)
                    frames.append((time, line))
                    lines.append(number)
                messages = _messages(run, frames, torn)
                good += sum(not isinstance(message, BadFrame) for message in messages)
                if messages:
                    key = np.fromiter((message.receive_ts for message in messages), np.int64, len(messages))
                    np.maximum(np.maximum.accumulate(key), latest, out=key)
                    latest = int(key[-1])
                    yield Books(run, path, key, messages, lines)
                else:
                    run.stats.frames += len(lines)
        except DamagedFile as e:
            yield Books(run, path, np.array([latest]), [], [], e)
        else:
            if not good:
                raise TickwaxError(f"{path}: nothing to import: no order book and no trades of Bybit V5")


def _messages(run: ImportRun, frames: list[Frame], torn: dict[int, str]) -> list[Message]:
    """What frames say, in their order; those that are torn are bad."""
    out: list[Message] = []
    begin = 0
    for stop in [*torn, len(frames)]:
        out += (
            message._replace(place=message.place + begin) if isinstance(message, BadFrame) else message
            for message in run.decode(frames[begin:stop])
        )
        if stop in torn:
            out.append(bad_frame(stop, frames[stop], None, True, torn[stop]))
        begin = stop + 1
    return out


def _is_csv(path: Path) -> bool:
    """Whether a file is no archive of frames, but may be one of rows."""
    with suppress(TickwaxError):
        blocks = archive_blocks(path, lambda _: None, ImportStats(), "", lambda head: b"{" in head or b"," in head)
        with closing(blocks):
            for block in text_blocks(blocks):
                return not _begins_like_a_frame(block) and b"," in block.partition(b"\n")[0]
    return False


def _judge(path: Path, line: bytes, category: str | None) -> bool:
    """Whether the line tells the market.

    Raises:
        TickwaxError: it is of spot, or may be and the category was not named.
    """
    depth = _DEPTH.search(line)
    if depth is None:
        return False
    if looks_like_spot(line):
        raise TickwaxError(
            f"{path}: frames of Bybit's spot market (`ts` stands before `type`); only linear is imported"
        )
    if category is None and int(depth[1]) == _SHARED:
        topic = f"orderbook.{int(depth[1])}"
        raise TickwaxError(f"{path}: {topic} is in archives of spot and of linear contracts; say --category linear")
    return True


def _begins_like_a_frame(head: bytes) -> bool:
    return head.lstrip().startswith(b"{")
