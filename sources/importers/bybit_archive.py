"""Bybit's public order book archive: a zip whose one member has a V5 frame a line.

An archive has no receive times: a frame's ``ts``, the time at which the exchange sent it, stands for that.
"""

import io
import zipfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import msgspec

from sources.errors import TickwaxError
from sources.events import InstrumentBatch
from sources.importers.files import Progress, cut_lines, opened
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.messages import NS_PER_MS, Frame, Millis, bad_frame
from sources.venues import venue


class _Sent(msgspec.Struct):
    ts: Millis


_sent = msgspec.json.Decoder(_Sent)


def read(
    paths: Sequence[Path], find_tail: FindTail, stats: ImportStats, progress: Progress, salvage: bool = False
) -> Iterator[InstrumentBatch]:
    """Rows of every instrument in consecutive archives.

    Args:
        paths: zip files in the order of time.
        find_tail: what an instrument's rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        salvage: take the intact part of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is no zip archive, or has no book and no trade.
    """
    linear = venue("bybit_linear")
    run = ImportRun(linear, linear.decoder(), find_tail, stats)
    receive_ts = 0  # of the last good line; there is no book to lose before one
    for path in paths:
        before = run.met.total()
        number = 0
        for block in _blocks(path, progress):
            frames: list[Frame] = []
            places: list[int] = []
            for line in block.splitlines():
                number += 1
                if not line:
                    continue
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
        if run.met.total() == before:
            raise TickwaxError(f"{path}: nothing to import: no order book and no trades of Bybit V5")
    run.finish()


def _add(run: ImportRun, frames: list[Frame], places: list[int], path: Path) -> None:
    run.add(frames, lambda place: f"{path}:{places[place]}")
    frames.clear()
    places.clear()


def _blocks(path: Path, progress: Progress) -> Generator[bytes, None, None]:
    with opened(path) as file:
        try:
            with zipfile.ZipFile(io.BufferedReader(file)) as archive:
                for member in archive.infolist():
                    with archive.open(member) as stream:
                        yield from cut_lines(path, stream, file.tell, progress)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as e:
            raise TickwaxError(f"{path}: is no readable zip archive: {e}") from e
