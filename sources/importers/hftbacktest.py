"""Raw captures of Binance's streams: a line is ``<receive time> <JSON>`` (hftbacktest's collector).

The receive time is in nanoseconds or microseconds, told apart by its digits. The JSON is a frame of a combined stream,
the data of a frame alone, or a REST book of the captured symbol. Of several diff streams of the symbol, and of
``@trade`` and ``@aggTrade``, each update and trade is taken from the one that tells it first. A capture without diffs,
but with partial books (``@depth20``), is one of books of known depth: each of them is a snapshot.
A REST book names no symbol. In a capture of several, the symbol's own diffs must tell that it is theirs (`rest_books`).
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from sources.errors import TickwaxError
from sources.importers import bybit_capture
from sources.importers.archive import capture_blocks
from sources.importers.bulk import message, record
from sources.importers.capture_look import PARTIAL, look
from sources.importers.files import DamagedFile, Progress, read_ahead
from sources.importers.frames import AGGREGATE, DEPTH, OTHER, PRINT, Spans, parse_frames
from sources.importers.lines import Lines, StreamTable, index_lines, stream_table
from sources.importers.overlap import RepeatedBooks
from sources.importers.run import FindTail, ImportRun
from sources.importers.sniff import venue_of
from sources.importers.stats import ImportStats
from sources.importers.venues import BINANCE, CAPTURED
from sources.instrument import Instrument, shown
from sources.messages import BookMessage, bad_frame
from sources.sequencer import UNNUMBERED, DiffSequencer
from sources.tape.batch import InstrumentBatch, Int64s
from sources.venues.binance.decoder import BinanceDecoder
from sources.venues.binance.routing import DIFF
from sources.venues.binance_futures.decoder import decoder as futures_decoder
from sources.venues.binance_spot.decoder import decoder as spot_decoder
from sources.venues.registry import venue

_PRINTS = {"trade": PRINT, "aggTrade": AGGREGATE}
_UNWANTED = -1
_OTHERS = "other symbols"
_RIVAL_FRAMES = 8
_NAMED = 10  # symbols that an error lists


def read(
    paths: Sequence[Path],
    find_tail: FindTail,
    stats: ImportStats,
    progress: Progress,
    instrument: Instrument,
    salvage: bool = False,
) -> Iterator[InstrumentBatch]:
    """Rows of one instrument from consecutive captures.

    Args:
        paths: files, plain, gzip or zip, in the order of time; the chain of the book goes on from one to the next.
        find_tail: what the rows are appended to.
        stats: counts what is met.
        progress: told about every part of the files that was read, in bytes.
        instrument: what to import; a capture may hold other symbols too.
        salvage: take what stands before and behind the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty, or has nothing for the instrument; the venue is none of Binance.
    """
    if instrument.venue == "bybit_linear":
        yield from bybit_capture.read(paths, find_tail, stats, progress, instrument, salvage)
        return
    if instrument.venue not in BINANCE:
        raise TickwaxError(f"venue {instrument.venue!r}: expected one of {', '.join(CAPTURED)}")
    spot = instrument.venue == "binance_spot"
    begins = look(paths[0], instrument.symbol, salvage)
    if begins.bare and begins.several:
        raise TickwaxError(f"{paths[0]}: its books name no symbol, and it is a capture of several")
    decoder = (spot_decoder if spot else futures_decoder)(instrument.symbol, begins.partial, merge=True)
    of = venue(instrument.venue)
    sequencer = partial(RepeatedBooks, UNNUMBERED) if begins.partial or begins.bare else None
    run = ImportRun(of, decoder, find_tail, stats, instrument.symbol, salvage, sequencer, begins.cut_levels)
    run.rivals.several = begins.several
    for path in paths:
        capture = _Capture(path, instrument.symbol, spot, decoder, run)
        with run.reading(path), closing(read_ahead(capture.indexed(progress))) as blocks:
            for lines in blocks:
                if isinstance(lines, DamagedFile):
                    run.end(lines)
                else:
                    capture.add(lines)
                yield from run.take()
        capture.check()
        yield from run.take()
    run.finish()


class _Capture:
    """One file: which of its streams are wanted, and where in it we are."""

    def __init__(self, path: Path, symbol: str, spot: bool, decoder: BinanceDecoder, run: ImportRun) -> None:
        self._path = path
        self._symbol = symbol
        self._spot = spot
        self._decoder = decoder
        self._run = run
        self._table: StreamTable = stream_table()
        self._labels: list[str | None] = []  # by stream: what its frames are counted as if they are not wanted
        self._whats: list[int] = []  # by stream: what its frames are
        self._beside: list[str] = [""]  # by stream, last for `UNKNOWN`: what its diffs are if they tell nothing new
        self._met: set[int] = set()  # streams that have spoken
        self._first_line = 1  # of the block
        self._time: int | None = None  # receive time of the last good line of the blocks before
        self._before = self._streamed()
        self._bad_before = run.stats.bad

    def indexed(self, progress: Progress) -> Generator[Lines | DamagedFile, None, None]:
        """The blocks of the file with their lines found, and what is damaged between them."""
        for block in capture_blocks(self._path, progress, self._run.stats, self._run.salvage):
            yield block if isinstance(block, DamagedFile) else index_lines(block, self._table)

    def add(self, lines: Lines) -> None:
        """Record the wanted frames of a block."""
        good = np.flatnonzero(lines.receive_ts >= 0)
        if len(good):
            self._run.begin(int(lines.receive_ts[good[0]]))
        what = self._what()[lines.stream]
        unwanted = what == _UNWANTED
        self._meet(lines)
        torn = unwanted & ~lines.closed
        self._count(lines.stream[unwanted & ~torn])
        rows = np.flatnonzero(~unwanted | torn)
        what[torn | (lines.receive_ts < 0)] = OTHER
        self._frames(lines, rows, what[rows])
        if len(good):
            self._time = int(lines.receive_ts[good[-1]])
        self._first_line += lines.lines

    def _meet(self, lines: Lines) -> None:
        """Note streams of other symbols, and their first diffs: a REST book may be theirs."""
        for place in np.flatnonzero(np.bincount(lines.stream + 1)[1:]).tolist():
            if place in self._met:
                continue
            self._met.add(place)
            if self._labels[place] != _OTHERS:
                continue
            self._run.rivals.several = True
            if DIFF.fullmatch(self._table.name(place).partition("@")[2]):
                first = np.flatnonzero(lines.stream == place)[:_RIVAL_FRAMES]
                frames = [(int(lines.receive_ts[i]), lines.text[lines.start[i] : lines.stop[i]]) for i in first]
                for other in (spot_decoder if self._spot else futures_decoder)().decode(frames):
                    if isinstance(other, BookMessage):
                        self._run.rivals.add(other)

    def check(self) -> None:
        """Raises TickwaxError if the file had nothing for the symbol."""
        if self._first_line == 1:
            raise TickwaxError(f"{self._path}: is empty")
        names = [self._table.name(i) for i in range(int(self._table.used[0]))]
        symbols = sorted({name.partition("@")[0].upper() for name in names if "@" in name and name[0] != "!"})
        only_book = not symbols and self._run.met[self._symbol] > 0
        # Frames that are bad are judged, and told of, when all files are read.
        if self._streamed() > self._before or only_book or self._run.stats.bad > self._bad_before:
            return
        there = ", ".join(symbols[:_NAMED]) + (", …" if len(symbols) > _NAMED else "")
        others = sorted(symbol for symbol in self._run.met if symbol not in symbols)
        if self._symbol in symbols:
            there += f", but of {self._symbol} no depth and no trades"
            there += f": their frames name {', '.join(map(shown, others[:_NAMED]))}" if others else ""
        if not symbols and (other := venue_of(self._path, self._run.venue)):
            there = f"frames of {other}: --venue {other}"
        raise TickwaxError(f"{self._path}: nothing to import for {self._symbol}; it holds {there or 'no streams'}")

    def _streamed(self) -> int:
        """Messages of the symbol so far, but for REST books, which do not tell whose they are."""
        return self._run.met[self._symbol] - self._decoder.bare_books

    def _what(self) -> Int64s:
        """By stream, and last for `UNKNOWN`: what its frames are."""
        for place in range(len(self._labels), int(self._table.used[0])):
            name = self._table.name(place)
            symbol, _, kind = name.partition("@")
            ours = symbol.upper() == self._symbol or not kind  # of no symbol: an event of the connection
            of_all = kind and name.startswith("!")  # `!ticker@arr`
            label = name[1:] if of_all else self._decoder.ignores(name) if ours else _OTHERS
            self._labels.append(label)
            what = OTHER if PARTIAL.fullmatch(kind) else _PRINTS.get(kind, DEPTH)
            self._beside.insert(place, self._decoder.beside(name) if label is None else "")
            self._whats.append(_UNWANTED if label is not None else what)
        return np.array([*self._whats, OTHER])

    def _count(self, streams: Int64s) -> None:
        counts = Counter[str]()
        for label, count in zip(self._labels, np.bincount(streams, minlength=len(self._labels)), strict=True):
            if label is not None and count:
                counts[label] += int(count)
        self._run.stats.ignored.update(counts)
        self._run.stats.frames += len(streams)

    def _frames(self, lines: Lines, rows: Int64s, what: Int64s) -> None:
        handler = self._run.handler(self._symbol)
        assert handler is not None
        if not isinstance(handler.sequencer, DiffSequencer):  # partial books, and prints among them
            self._slow(lines, rows)
            return
        spans = Spans(lines.start[rows], lines.stop[rows], lines.receive_ts[rows], what)
        frames = parse_frames(lines.text, spans, self._symbol, self._spot)
        self._run.stats.frames += int(frames.good.sum())

        def apply(start: int, stop: int) -> None:
            besides = [self._beside[stream] for stream in lines.stream[rows[start:stop]]]
            messages = [message(frames, start + n, self._symbol, beside) for n, beside in enumerate(besides)]
            self._run.apply(messages, lambda n: self._where(lines, int(rows[start + n])))

        counts = record(
            handler, handler.sequencer, frames, lambda start, stop: self._slow(lines, rows[start:stop]), apply
        )
        self._run.count(self._symbol, *counts)

    def _slow(self, lines: Lines, rows: Int64s) -> None:
        """Frames that are out of the ordinary, through the decoder."""
        broken = (lines.receive_ts[rows] < 0) | (self._what()[lines.stream[rows]] == _UNWANTED)
        begin = 0
        for stop in [*np.flatnonzero(broken), len(rows)]:
            part = rows[begin:stop].tolist()
            frames = [(int(lines.receive_ts[i]), lines.text[lines.start[i] : lines.stop[i]]) for i in part]
            self._run.add(frames, partial(self._where_of, lines, part))
            if stop < len(rows):
                self._broken(lines, int(rows[stop]))
            begin = stop + 1

    def _broken(self, lines: Lines, row: int) -> None:
        """A line without a receive time may have been anything; a torn one of an unwanted stream costs no book."""
        timeless = lines.receive_ts[row] < 0
        reason = "a line that begins with no receive time (16 or 19 digits)" if timeless else "a torn line"
        raw = lines.text[lines.start[row] : lines.stop[row]]
        time = self._time_before(lines, row)
        bad = bad_frame(0, (time or 0, raw), None, bool(timeless) and time is not None, reason)
        self._run.stats.frames += 1
        self._run.bad(bad, self._where(lines, row))

    def _time_before(self, lines: Lines, row: int) -> int | None:
        """Receive time of the last good line before ``row``; None when there is none, and so no book to lose."""
        good = lines.receive_ts[:row]
        good = good[good >= 0]
        return int(good[-1]) if len(good) else self._time

    def _where_of(self, lines: Lines, rows: list[int], place: int) -> str:
        return self._where(lines, rows[place])

    def _where(self, lines: Lines, row: int) -> str:
        return f"{self._path}:{self._first_line + int(lines.number[row])}"
