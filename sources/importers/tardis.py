"""Tardis.dev CSV files onto tapes: books and trades of an instrument merged by the time of arrival.

There are no sequence numbers in these files: a running message number stands for them, and a hole in the recording
shows only as a new snapshot behind deltas, which a ``reset`` precedes. Rows of a snapshot that share the exchange's
time are one message, though they may have arrived apart. In ``book_snapshot_N`` files every row is a snapshot. Times
that run back are recorded as they are: the order of a file's rows is that of arrival.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sources.errors import BadName, TickwaxError
from sources.importers.files import Progress
from sources.importers.prints import Prints
from sources.importers.run import FindTail
from sources.importers.stats import ImportStats
from sources.importers.tardis_csv import FAULTS, TORN, Block, read_blocks
from sources.importers.tardis_series import Part, Series, SourceFile, instrument_numbers
from sources.instrument import Instrument
from sources.messages import TradeMessage
from sources.tape.batch import InstrumentBatch
from sources.tape.builder import Levels, TapeBuilder, TapeTail
from sources.venues.contracts import NoContract, check_contract

EXCHANGES = {"binance-futures": "binance_futures", "binance": "binance_spot", "bybit": "bybit_linear"}


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
        salvage: take what stands before the damage of a damaged file.

    Raises:
        TickwaxError: a file cannot be read, is empty or has another header; no row is of a known exchange.
    """
    files = [_peek(path) for path in paths]
    series: dict[tuple[bool, str, str], list[SourceFile]] = {}
    for file in sorted(files, key=lambda f: (f.first_ts, f.path)):
        series.setdefault(file.series, []).append(file)
    # Books sort before trades: on a tie of times the first series comes first.
    readers = [Series(series[key], progress, stats.salvaged, salvage) for key in sorted(series)]
    recorders: dict[tuple[str, str], _Recorder | BadName | None] = {}
    while readers:
        cut = min(reader.known_until for reader in readers)
        parts = [part for reader in readers for part in reader.before(cut)]
        readers = [reader for reader in readers if not reader.done]
        yield from _record(parts, recorders, find_tail, stats)
    if stats.salvaged and not salvage:
        raise stats.salvaged[0]
    if not any(recorders.values()):
        there = ", ".join(sorted({exchange for exchange, _ in recorders} - {"exchange"}))
        raise TickwaxError(f"{paths[0]}: exchange {there}: expected one of {', '.join(EXCHANGES)}")


def _peek(path: Path) -> SourceFile:
    for block in read_blocks(path, lambda _: None):
        return SourceFile(path, (bool(block.trade[0]), block.exchange[0], block.symbol[0]), int(block.receive_ts[0]))
    raise TickwaxError(f"{path}: is empty")


def _record(
    parts: list[Part],
    recorders: "dict[tuple[str, str], _Recorder | BadName | None]",
    find_tail: FindTail,
    stats: ImportStats,
) -> Iterator[InstrumentBatch]:
    """Record rows, merged by arrival; parts come books first."""
    runs = [run for part in parts for run in _runs(part)]
    runs.sort(key=lambda run: run[0])
    for arrival, part, start, stop in runs:
        stats.frames += 1
        key = part.block.exchange[start], part.block.symbol[start]
        if key not in recorders:
            venue = EXCHANGES.get(key[0])
            try:
                instrument = Instrument.parse(f"{venue}:{key[1].upper()}") if venue else None
                if instrument:
                    check_contract(instrument)
                recorders[key] = _Recorder(instrument, find_tail(instrument), stats) if instrument else None
            except BadName as e:  # costs no other instrument
                recorders[key] = e
        recorder = recorders[key]
        if isinstance(recorder, NoContract):
            stats.leave_out(key[1].upper(), recorder)
        elif isinstance(recorder, BadName):
            stats.report_bad(f"{part.path}:{part.block.number[start]}", str(recorder), "")
        elif recorder is None:
            stats.ignored["repeated headers" if key[0] == "exchange" else f"exchange {key[0]}"] += 1
        else:
            recorder.add(part, start, stop, arrival)
    for recorder in recorders.values():
        if isinstance(recorder, _Recorder):
            yield from recorder.take()


def _runs(part: Part) -> list[tuple[int, Part, int, int]]:
    """Messages of a part, each with its arrival; a trade is one by itself.

    Rows of a message have the same instrument, snapshot flag and both times; a snapshot's have one of the times in
    common.
    """
    block, rows = part.block, slice(part.start, part.stop)
    change = np.ones(part.stop - part.start, np.bool_)
    if not block.trade[part.start]:
        snapshot, good = block.snapshot[rows], block.fault[rows] == 0
        name = instrument_numbers(block.exchange[rows], block.symbol[rows])
        arrived = np.diff(block.receive_ts[rows]) != 0
        matched = (np.diff(block.exchange_ts[rows]) != 0) & good[1:] & good[:-1]  # at another time
        later = np.where(snapshot[1:], arrived & ~block.continues[rows][1:], arrived | matched)
        torn = snapshot[1:] & (block.fault[rows][1:] == TORN)
        change[1:] = later | torn | (snapshot[1:] != snapshot[:-1]) | (np.diff(name) != 0)
    starts = (np.flatnonzero(change) + part.start).tolist()
    return [(int(part.key[a]), part, a, b) for a, b in zip(starts, [*starts[1:], part.stop], strict=True)]


class _Recorder:
    """One instrument's messages onto its tape."""

    def __init__(self, instrument: Instrument, tail: TapeTail, stats: ImportStats) -> None:
        self._instrument = instrument
        self._builder = TapeBuilder(tail)
        self._known = False  # a snapshot has come in these files
        self._changed = False  # and a delta behind it: in files of snapshots alone each one replaces the one before
        self._number = tail.book_sequence
        self._prints = Prints()
        self._arrival = 0  # of the last message, as it is merged
        self._all = stats
        self._stats = stats.of(instrument)

    def add(self, part: Part, start: int, stop: int, arrival: int) -> None:
        """Record one message; a bad row costs its whole message, and the book if it is of one.

        Raises:
            TickwaxError: a later message of the instrument has been recorded from another file.
        """
        block = part.block
        if arrival < self._arrival:
            raise TickwaxError(
                f"{part.path}:{block.number[start]}: {self._instrument} of another file is merged beyond this row's "
                f"local_timestamp; sort the file by it, or split it by instrument"
            )
        self._arrival = arrival
        self._stats.frames += 1
        if block.fault[start:stop].any():
            self._bad(part, start, stop)
        elif block.trade[start]:
            self._trade(block, start)
        else:
            self._book(block, start, stop)

    def take(self) -> Iterator[InstrumentBatch]:
        """The rows collected since the last call."""
        batch = self._builder.take()
        self._stats.resets = self._builder.resets
        if batch is not None:
            self._stats.add(batch)
            yield InstrumentBatch(self._instrument, batch)

    def _trade(self, block: Block, row: int) -> None:
        side = int(block.side[row])
        if side == 0 or block.size[row] == 0.0:
            self._all.ignored["trade of unknown side" if side == 0 else "print of size 0"] += 1
            return
        at = int(block.exchange_ts[row]), int(block.receive_ts[row]), int(block.trade_id[row])
        of = side, float(block.price[row]), float(block.size[row])
        name = block.trade_name[row]
        if label := self._prints.judge(TradeMessage("", *at, *of, name, stream="trade")):
            self._all.ignored[label] += 1
            return
        self._stats.trades += 1
        self._builder.trade(*at, *of)

    def _book(self, block: Block, start: int, stop: int) -> None:
        receive_ts = int(block.receive_ts[start:stop].max())
        exchange_ts = int(block.exchange_ts[start:stop].max())
        if (earlier := int((block.exchange_ts[start:stop] != exchange_ts).sum())) > 0:
            self._all.notes["rows with the latest exchange time of their snapshot, not their own"] += earlier
        levels = Levels(block.side[start:stop], block.price[start:stop], block.size[start:stop])
        self._number += 1
        self._stats.books += 1
        if block.snapshot[start]:
            if self._changed:  # the recording was interrupted, and began anew
                self._stats.gaps += 1
                self._builder.reset(receive_ts)
            self._known, self._changed = True, False
            self._stats.snapshots += 1
            self._builder.snapshot(exchange_ts, receive_ts, self._number, levels)
        elif self._known:
            self._changed = True
            self._builder.delta(exchange_ts, receive_ts, self._number, levels)
        else:
            self._stats.dropped += 1

    def _bad(self, part: Part, start: int, stop: int) -> None:
        block = part.block
        for row in np.flatnonzero(block.fault[start:stop]) + start:
            text = self._all.report_bad(f"{part.path}:{block.number[row]}", FAULTS[block.fault[row]], "")
            self._stats.report_bad(text, not block.trade[row])
        if not block.trade[start]:
            self._known = self._changed = False
            self._builder.reset(int(block.receive_ts[start]))
