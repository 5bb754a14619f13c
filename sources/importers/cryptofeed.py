"""Raw captures of cryptofeed (``AsyncFileCallback``): REST replies and stream frames in files of their own.

A line is ``<seconds>: <JSON>`` in a stream file and ``<address> -> <seconds>: <JSON>`` in a REST file. The files of one
capture are merged by receive time.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from sources.errors import TickwaxError
from sources.importers.archive import capture_blocks, members
from sources.importers.capture_look import look_for_partial
from sources.importers.files import DamagedFile, Progress
from sources.importers.overlap import RepeatedBooks
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.importers.venues import CAPTURED
from sources.messages import Decoder, Frame, bad_frame
from sources.sequencer import UNNUMBERED
from sources.tape.batch import InstrumentBatch
from sources.tape.bounds import is_time
from sources.venues.binance_futures.decoder import decoder as futures_decoder
from sources.venues.binance_spot.decoder import decoder as spot_decoder
from sources.venues.bybit_linear.decoder import BybitDecoder
from sources.venues.registry import Venue

_SECONDS = re.compile(rb"(\d{10})(?:\.(\d{1,9}))?")
# What the client did, not what it received: `<address> <-> <time>` a connection, `… <- <time>: …` what it sent.
_CONTROL = re.compile(rb"^wss?:|^configuration$|<-")
_BATCH = 1024  # frames decoded at once


class _Entry(NamedTuple):
    receive_ts: int  # ns
    address: str  # of a REST reply; empty for a stream's frame
    json: bytes
    where: str  # file and line
    reason: str = ""  # what is wrong with the line


def read(
    paths: Sequence[Path],
    find_tail: FindTail,
    stats: ImportStats,
    progress: Progress,
    venue: Venue,
    salvage: bool = False,
) -> Iterator[InstrumentBatch]:
    """Rows of every instrument in the files of a capture.

    Args:
        paths: stream and REST files, in any order.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        venue: whose frames they are.
        salvage: take what stands before and behind the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read or is empty; no file has a book or trade.
    """
    if venue.name not in CAPTURED:
        raise TickwaxError(f"venue {venue.name!r}: expected one of {', '.join(CAPTURED)}")
    lost: list[DamagedFile] = []  # members of zips of which nothing is taken
    kind, levels = look_for_partial(paths, salvage) or (None, 0)
    sequencer = partial(RepeatedBooks, UNNUMBERED) if kind else None
    run = ImportRun(venue, _decoder(venue.name, kind), find_tail, stats, None, salvage, sequencer, levels)
    entries = heapq.merge(*_files(paths, stats, progress, salvage, lost), key=lambda e: e.receive_ts)
    frames: list[Frame] = []
    places: list[str] = []

    def flush() -> Iterator[InstrumentBatch]:
        run.add(frames, places.__getitem__)
        frames.clear()
        places.clear()
        yield from run.take()

    for entry in entries:
        if not entry.reason and not entry.address:
            frames.append((entry.receive_ts, entry.json))
            places.append(entry.where)
            if len(frames) == _BATCH:
                yield from flush()
            continue
        yield from flush()
        if not entry.reason:
            _rest(entry, run)
        else:
            stats.frames += 1
            frame = (entry.receive_ts, entry.json)
            run.bad(bad_frame(0, frame, None, True, entry.reason), entry.where)
    yield from flush()
    for damage in lost:
        run.end(damage)
    yield from run.take()
    run.finish()
    if stats.salvaged and not salvage:
        raise stats.salvaged[0]
    if not run.met:
        raise TickwaxError(f"{paths[0]}: nothing to import: no depth and no trades{stats.first_bad}")


def _decoder(name: str, kind: str | None) -> Decoder:
    """``kind``: the stream of partial books that are taken for snapshots."""
    if name == "bybit_linear":
        return BybitDecoder()  # of several depths of a symbol the first one met
    return (spot_decoder if name == "binance_spot" else futures_decoder)(None, kind, merge=True)


def _rest(entry: _Entry, run: ImportRun) -> None:
    url = urlsplit(entry.address)
    symbol = parse_qs(url.query).get("symbol", [""])[0]
    kind = url.path.rpartition("/")[2]
    if kind == "depth" and symbol:
        run.add_snapshot(symbol, (entry.receive_ts, entry.json), entry.where)
    else:
        run.stats.frames += 1
        run.stats.ignored[f"REST {kind}"] += 1


def _files(
    paths: Sequence[Path], stats: ImportStats, progress: Progress, salvage: bool, lost: list[DamagedFile]
) -> list[Iterator[_Entry]]:
    """The lines of each file, and of each member of a zip, which is a file of its own."""
    out: list[Iterator[_Entry]] = []
    for path in paths:
        names = members(path)
        out += (_entries(path, name, len(names) > 1, stats, progress, salvage, lost) for name in names)
    return out


def _entries(
    path: Path,
    member: str | None,
    others: bool,
    stats: ImportStats,
    progress: Progress,
    salvage: bool,
    lost: list[DamagedFile],
) -> Iterator[_Entry]:
    """The lines of one file; one without a time gets that of the line before.

    Args:
        member: of a zip; None: it is none.
        others: the zip has other members.
        lost: filled with what is wrong with a member of which nothing can be taken.
    """
    number = 0
    receive_ts = 0
    try:
        for block in capture_blocks(path, progress, stats, salvage, member):
            if isinstance(block, DamagedFile):
                stats.salvaged.append(block)
                yield _Entry(receive_ts, "", b"", f"{path}:{number}", "the file is damaged behind this line")
                continue
            for line in block.splitlines():
                number += 1
                if not line:
                    continue
                head, _, json = line.partition(b": ")
                if _CONTROL.search(head):
                    stats.ignored["control lines"] += 1
                    continue
                address, _, seconds = head.rpartition(b" -> ")
                time = nanoseconds(seconds)
                if time is not None:
                    receive_ts = time
                reason = "a line without a receive time" if time is None else ""
                yield _Entry(receive_ts, address.decode("utf-8", "replace"), json, f"{path}:{number}", reason)
    except DamagedFile as e:
        if salvage and others and number == 0:
            e.all_of_it = e.salvageable = True
            lost.append(e)
            return
        if number == 0 or (salvage and not e.salvageable):
            raise
        stats.salvaged.append(e)
        yield _Entry(receive_ts, "", b"", f"{path}:{number}", "the file is damaged behind this line")
    if number == 0 and not others:
        raise TickwaxError(f"{path}: is empty")


def nanoseconds(seconds: bytes) -> int | None:
    """Decimal seconds since the epoch in nanoseconds, exactly; None for anything else.

    >>> nanoseconds(b"1626992741.06217")
    1626992741062170000
    >>> nanoseconds(b"0000000000.0") is None  # no time of a tape
    True
    """
    match = _SECONDS.fullmatch(seconds)
    if match is None:
        return None
    ns = int(match[1]) * 10**9 + int((match[2] or b"0").ljust(9, b"0"))
    return ns if is_time(ns) else None
