"""Bybit's public order book archive: V5 frames, one a line, in a zip or as its member alone.

An archive has no receive times: a frame's ``ts``, the time at which the exchange sent it, stands for that. The archives
of spot and linear contracts have the same names and topics. Spot has books of 200 levels and linear ones of 500, later
of 200, too; so only the category that the user names tells for sure.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sources.errors import TickwaxError
from sources.importers.archive import archive_blocks
from sources.importers.files import Progress
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.messages import NS_PER_MS, Frame, Millis, bad_frame
from sources.tape.batch import InstrumentBatch
from sources.venues.bybit_linear.decoder import looks_like_spot
from sources.venues.registry import venue

CATEGORIES = ("linear", "spot")
_SHARED = 200  # levels of archives of either market
_DEPTH = re.compile(rb'"topic" ?: ?"orderbook\.(\d+)\.')
_ZIP_MAGIC = b"PK"


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
    """Rows of every instrument in consecutive archives.

    Args:
        paths: zip files, or members of such, in the order of time.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        salvage: take what stands before the damage of a damaged file.
        category: the market that the files are of; None lets the frames tell, as far as they can.

    Raises:
        TickwaxError: a file cannot be read, is of another market or may be, or has no book and no trade.
    """
    check_category(category)
    linear = venue("bybit_linear")
    run = ImportRun(linear, linear.decoder(), find_tail, stats, salvage=salvage)
    receive_ts = 0  # of the last good line; there is no book to lose before one
    for path in paths:
        before = run.met.total()
        number = 0
        judged = False
        with run.reading(path):
            for block in archive_blocks(path, progress, stats, "frames", _begins_like_a_frame, salvage):
                frames: list[Frame] = []
                places: list[int] = []
                for line in block.splitlines():
                    number += 1
                    if not line:
                        continue
                    if not judged:
                        judged = _judge(path, line, category)
                    try:
                        receive_ts = _sent.decode(line).ts * NS_PER_MS
                    except (ValueError, RecursionError) as e:
                        _add(run, frames, places, path)
                        stats.frames += 1
                        bad = bad_frame(0, (receive_ts, line), None, True, str(e))
                        run.bad(bad, f"{path}:{number}")
                        continue
                    frames.append((receive_ts, line))
                    places.append(number)
                _add(run, frames, places, path)
                yield from run.take()
        yield from run.take()
        if run.met.total() == before:
            raise TickwaxError(f"{path}: nothing to import: no order book and no trades of Bybit V5")
    run.finish()


def check_category(category: str | None) -> None:
    """Refuse a market that is not imported.

    Raises:
        TickwaxError: that is so.
    """
    if category not in (None, "linear"):
        known = "" if category in CATEGORIES else f"; the categories are {', '.join(CATEGORIES)}"
        raise TickwaxError(f"--category: {category!r} is not imported, only linear is{known}")


def _add(run: ImportRun, frames: list[Frame], places: list[int], path: Path) -> None:
    run.add(frames, lambda place: f"{path}:{places[place]}")
    frames.clear()
    places.clear()


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
