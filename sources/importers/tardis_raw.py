"""Lines of Tardis.dev's raw replay: ``<ISO 8601 time> <JSON>``, the frames of one venue as they came.

Tardis documentation, "HTTP API": the time is that of arrival, in UTC with up to 7 decimals. The stream
``<symbol>@depthSnapshot`` is not the exchange's: it holds the REST book that Tardis fetched (``"generated":true``).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.archive import capture_blocks
from sources.importers.capture_look import look_for_partial
from sources.importers.files import DamagedFile, Progress, read_ahead
from sources.importers.overlap import RepeatedBooks
from sources.importers.run import FindTail, ImportRun
from sources.importers.stats import ImportStats
from sources.importers.venues import CAPTURED
from sources.instrument import Instrument
from sources.messages import Decoder, Frame, bad_frame
from sources.sequencer import UNNUMBERED
from sources.tape.batch import InstrumentBatch
from sources.tape.bounds import is_time
from sources.venues.binance_futures.decoder import decoder as futures_decoder
from sources.venues.binance_spot.decoder import decoder as spot_decoder
from sources.venues.bybit_linear.decoder import BybitDecoder
from sources.venues.registry import venue

_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z (.*)", re.DOTALL)


def read(
    paths: Sequence[Path],
    find_tail: FindTail,
    stats: ImportStats,
    progress: Progress,
    instrument: Instrument,
    salvage: bool = False,
) -> Iterator[InstrumentBatch]:
    """Rows of one instrument from consecutive files, plain, gzip or zip; arguments as of `hftbacktest.read`.

    Raises:
        TickwaxError: the venue has no captures; else as there.
    """
    if instrument.venue not in CAPTURED:
        raise TickwaxError(f"venue {instrument.venue!r}: expected one of {', '.join(CAPTURED)}")
    symbol = instrument.symbol
    kind, levels = look_for_partial(paths[:1], salvage, symbol) or (None, 0)
    sequencer = partial(RepeatedBooks, UNNUMBERED) if kind else None
    decoder = _decoder(instrument, kind)
    run = ImportRun(venue(instrument.venue), decoder, find_tail, stats, symbol, salvage, sequencer, levels)
    receive_ts = 0  # of the last good line
    for path in paths:
        before, bad = run.met[symbol], stats.bad
        number = 0
        with run.reading(path), closing(read_ahead(capture_blocks(path, progress, stats, salvage))) as blocks:
            for block in blocks:
                if isinstance(block, DamagedFile):
                    run.end(block)
                    continue
                frames: list[Frame] = []
                places: list[str] = []
                for line in block.splitlines():
                    number += 1
                    if not line:
                        continue
                    where = f"{path}:{number}"
                    match = _LINE.fullmatch(line)
                    time = nanoseconds(match) if match else None
                    if match is None or time is None:
                        run.add(frames, places.__getitem__)
                        frames, places = [], []
                        stats.frames += 1
                        run.bad(bad_frame(0, (receive_ts, line), None, True, "a line that begins with no time"), where)
                        continue
                    receive_ts = time
                    frames.append((receive_ts, match[3]))
                    places.append(where)
                run.add(frames, places.__getitem__)
                yield from run.take()
        yield from run.take()
        if number == 0:
            raise TickwaxError(f"{path}: is empty")
        if run.met[symbol] == before and stats.bad == bad:
            there = ", ".join(sorted(run.met)[:10]) or "no depth and no trades"
            raise TickwaxError(f"{path}: nothing to import for {symbol}; it holds {there}")
    run.finish()


def _decoder(instrument: Instrument, kind: str | None) -> Decoder:
    """``kind``: the stream of partial books that are taken for snapshots."""
    if instrument.venue == "bybit_linear":
        return BybitDecoder()
    made = spot_decoder if instrument.venue == "binance_spot" else futures_decoder
    return made(instrument.symbol, kind, merge=True)


def nanoseconds(match: re.Match[bytes]) -> int | None:
    """The time that a line begins with; None for a date that does not exist, or not on a tape."""
    try:
        second = datetime.fromisoformat(match[1].decode()).replace(tzinfo=UTC)
    except ValueError:
        return None
    ns = int(second.timestamp()) * 10**9 + int((match[2] or b"0").ljust(9, b"0"))
    return ns if is_time(ns) else None
