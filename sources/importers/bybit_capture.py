"""Raw captures of Bybit V5: a line is ``<receive time> <JSON>``, as hftbacktest's collector writes it.

A capture may hold topics of several depths of a symbol, which are numbered apart. The deepest one that has a snapshot
is taken.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from sources.errors import TickwaxError
from sources.importers.archive import capture_blocks
from sources.importers.files import DamagedFile, Progress, read_ahead, text_blocks
from sources.importers.lines import Lines, index_lines, stream_table
from sources.importers.run import FindTail, ImportRun
from sources.importers.sniff import venue_of
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from sources.messages import Frame, bad_frame
from sources.tape.batch import InstrumentBatch
from sources.venues.bybit_linear.decoder import BybitDecoder
from sources.venues.registry import venue

_LOOK_BLOCKS = 8  # of a capture, at its beginning: every topic sends its snapshot there


def read(
    paths: Sequence[Path],
    find_tail: FindTail,
    stats: ImportStats,
    progress: Progress,
    instrument: Instrument,
    salvage: bool = False,
) -> Iterator[InstrumentBatch]:
    """Rows of one instrument from consecutive captures; arguments and errors as of `hftbacktest.read`."""
    symbol = instrument.symbol
    decoder = BybitDecoder(_deepest(paths[0], symbol, salvage))
    run = ImportRun(venue(instrument.venue), decoder, find_tail, stats, symbol, salvage)
    for path in paths:
        before = run.met[symbol]
        first_line = 1
        with run.reading(path), closing(read_ahead(capture_blocks(path, progress, stats, salvage))) as blocks:
            for block in blocks:
                if isinstance(block, DamagedFile):
                    run.end(block)
                    continue
                lines = index_lines(block, stream_table())
                _add(run, path, first_line, lines)
                first_line += lines.lines
                yield from run.take()
        yield from run.take()
        if first_line == 1:
            raise TickwaxError(f"{path}: is empty")
        if run.met[symbol] == before:
            there = ", ".join(sorted(run.met)[:10])
            if not there:
                other = venue_of(path, instrument.venue)
                there = f"frames of {other}: --venue {other}" if other else "no topics of Bybit V5"
            raise TickwaxError(f"{path}: nothing to import for {symbol}; it holds {there}{stats.first_bad}")
    run.finish()


def _add(run: ImportRun, path: Path, first_line: int, lines: Lines) -> None:
    """Record the frames of a block; a line without a receive time may have been of any book."""
    frames: list[Frame] = []
    places: list[str] = []

    def flush() -> None:
        run.add(frames, places.__getitem__)
        frames.clear()
        places.clear()

    receive_ts = 0
    for row in range(len(lines.start)):
        raw = lines.text[lines.start[row] : lines.stop[row]]
        where = f"{path}:{first_line + int(lines.number[row])}"
        if lines.receive_ts[row] < 0:
            flush()
            run.stats.frames += 1
            reason = "a line that begins with no receive time (16 or 19 digits)"
            run.bad(bad_frame(0, (receive_ts, raw), None, True, reason), where)
            continue
        receive_ts = int(lines.receive_ts[row])
        frames.append((receive_ts, raw))
        places.append(where)
    flush()


def _deepest(path: Path, symbol: str, salvage: bool) -> dict[str, str]:
    """The topic of the symbol's book by symbol, if a capture begins with a snapshot of one."""
    topic = re.compile(rb'"topic" ?: ?"orderbook\.(\d+)\.' + re.escape(symbol.encode()) + rb'"')
    depths: set[int] = set()
    with suppress(TickwaxError), closing(capture_blocks(path, lambda _: None, ImportStats(), salvage)) as blocks:
        for block in islice(text_blocks(blocks), _LOOK_BLOCKS):
            for line in block.splitlines():
                if b'"snapshot"' in line and (found := topic.search(line)):
                    depths.add(int(found[1]))
    return {symbol: f"orderbook.{max(depths)}"} if depths else {}
