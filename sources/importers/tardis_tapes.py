"""Messages of Tardis.dev's files onto the tapes of their instruments, as many at once as continue one another."""

from collections.abc import Iterator

import numpy as np

from sources.errors import BadName, TickwaxError
from sources.importers.bulk import at_most
from sources.importers.prints import REPEATED, Prints
from sources.importers.run import FindTail
from sources.importers.stats import ImportStats
from sources.importers.tardis_instruments import Instruments
from sources.importers.tardis_messages import Messages
from sources.importers.tardis_series import numbers
from sources.instrument import Instrument
from sources.messages import TradeMessage
from sources.tape.batch import DELTA, SNAPSHOT, TRADE, InstrumentBatch, Int64s, TapeBatch
from sources.tape.builder import TapeBuilder, TapeTail
from sources.tape.collected import Levels
from sources.venues.contracts import NoContract, check_contract

EXCHANGES = {"binance-futures": "binance_futures", "binance": "binance_spot", "bybit": "bybit_linear"}
_STREAM = "trade"


class Tapes:
    """The tapes of all instruments that were met."""

    def __init__(self, instruments: Instruments, find_tail: FindTail, stats: ImportStats) -> None:
        """``instruments``: their numbers in messages."""
        self._instruments = instruments
        self._find_tail = find_tail
        self._stats = stats
        self._recorders: dict[int, _Recorder | BadName | None] = {}

    @property
    def any(self) -> bool:
        """Whether a message of a known exchange was met."""
        return any(self._recorders.values())

    def record(self, messages: Messages) -> None:
        """Record messages, in order.

        Raises:
            TickwaxError: a later message of an instrument has been recorded from another file.
        """
        self._stats.frames += len(messages.part)
        for number in numbers(messages.instrument):
            mine = messages.instrument == number
            self._record(number, messages if mine.all() else messages.only(mine))

    def take(self) -> Iterator[InstrumentBatch]:
        """The rows collected since the last call."""
        for number, recorder in self._recorders.items():
            if isinstance(recorder, _Recorder):
                yield from recorder.take(self._instruments.cut_levels(number))

    def _record(self, number: int, messages: Messages) -> None:
        exchange, symbol = self._instruments.names[number]
        if number not in self._recorders:
            self._recorders[number] = self._recorder(exchange, symbol)
        recorder = self._recorders[number]
        count = len(messages.part)
        if isinstance(recorder, NoContract):
            for _ in range(count):
                self._stats.leave_out(symbol.upper(), recorder)
        elif isinstance(recorder, BadName):
            for message in range(count):
                self._stats.report_bad(messages.where(message, 0), str(recorder), "")
        elif recorder is None:
            self._stats.ignored["repeated headers" if exchange == "exchange" else f"exchange {exchange}"] += count
        else:
            recorder.record(messages)

    def _recorder(self, exchange: str, symbol: str) -> "_Recorder | BadName | None":
        venue = EXCHANGES.get(exchange)
        if venue is None:
            return None
        try:
            instrument = Instrument.parse(f"{venue}:{symbol.upper()}")
            check_contract(instrument)
            return _Recorder(instrument, self._find_tail(instrument), self._stats)
        except BadName as e:  # costs no other instrument
            return e


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

    def record(self, messages: Messages) -> None:
        """Record messages; a bad row costs its whole message, and the book if it is of one.

        Raises:
            TickwaxError: a later message of the instrument has been recorded from another file.
        """
        if messages.arrival[0] < self._arrival:
            raise TickwaxError(
                f"{messages.where(0, 0)}: {self._instrument} of another file is merged beyond this row's "
                f"local_timestamp; sort the file by it, or split it by instrument"
            )
        self._arrival = int(messages.arrival[-1])
        count = len(messages.part)
        self._stats.frames += count
        starts = messages.row[:-1]
        prints = messages.trade & (messages.rows.side[starts] != 0) & (messages.rows.size[starts] > 0.0)
        plain = ~messages.bad & (prints | ~messages.trade)
        odd = np.append(np.flatnonzero(~plain), count)
        books = np.flatnonzero(plain & ~messages.trade)
        snapshots = np.flatnonzero(plain & messages.snapshot)
        deltas = np.flatnonzero(plain & ~messages.trade & ~messages.snapshot)
        at = 0
        while at < count:
            stop = int(odd[np.searchsorted(odd, at)])
            stop = self._continued(at, stop, books, snapshots, deltas)
            stop = self._fresh(messages, at, stop)
            if stop > at:
                self._extend(messages, at, stop)
            if stop < count:
                self._single(messages, stop)
            at = stop + 1

    def take(self, cut_levels: int) -> Iterator[InstrumentBatch]:
        """The rows collected since the last call; ``cut_levels``: as of `InstrumentBatch`."""
        batch = self._builder.take()
        self._stats.resets = self._builder.resets
        if batch is not None:
            self._stats.add(batch)
            yield InstrumentBatch(self._instrument, batch, cut_levels=cut_levels)

    def _continued(self, at: int, stop: int, books: Int64s, snapshots: Int64s, deltas: Int64s) -> int:
        """Before which message the book is continued by each one from ``at`` on: it is known, and none begins it anew.

        A snapshot behind a delta does.
        """
        if not self._known:
            return min(stop, at_most(stop, books, int(np.searchsorted(books, at))))
        changed = at if self._changed else at_most(stop, deltas, int(np.searchsorted(deltas, at)))
        return min(stop, at_most(stop, snapshots, int(np.searchsorted(snapshots, changed))))

    def _fresh(self, messages: Messages, at: int, stop: int) -> int:
        """Before which message all prints from ``at`` on are new; these are taken."""
        prints = np.flatnonzero(messages.trade[at:stop]) + at
        if len(prints) == 0:
            return stop
        rows = messages.row[prints]
        named = messages.rows.trade_id[rows] < 0
        same = at_most(len(prints), np.flatnonzero(named != named[0]), 0)
        rows = rows[:same]
        if named[0]:
            count = self._prints.take_named(_STREAM, messages.rows.name[rows])
        else:
            number = messages.rows.trade_id[rows]
            count = self._prints.fresh(_STREAM, number)
            number, time = number[:count], messages.exchange_ts[prints[:count]]
            self._prints.take(_STREAM, number, np.full(count, -1), time)
        return min(stop, at_most(stop, prints, count))

    def _extend(self, messages: Messages, at: int, stop: int) -> None:
        """Record messages that continue the book, and new prints among them."""
        start, end = int(messages.row[at]), int(messages.row[stop])
        lengths = np.diff(messages.row[at : stop + 1])
        trade, snapshot = messages.trade[at:stop], messages.snapshot[at:stop]
        number = self._number + np.cumsum(~trade)
        books = int((~trade).sum())
        rows = messages.rows.slice(start, end)
        last = np.zeros(end - start, np.bool_)
        last[np.cumsum(lengths) - 1] = True
        kind = np.where(trade, TRADE, np.where(snapshot, SNAPSHOT, DELTA)).astype(np.int8)
        sequence = np.where(rows.trade, np.maximum(rows.trade_id, 0), np.repeat(number, lengths))
        batch = TapeBatch(
            ordinal=sequence,
            exchange_ts=np.repeat(messages.exchange_ts[at:stop], lengths),
            receive_ts=np.repeat(messages.receive_ts[at:stop], lengths),
            sequence=sequence,
            kind=np.repeat(kind, lengths),
            side=rows.side,
            price=rows.price,
            size=rows.size,
            last=last,
        )
        self._builder.extend(batch, int(number[-1]) if books else None)
        self._number += books
        self._stats.books += books
        self._stats.trades += len(trade) - books
        self._stats.snapshots += int((snapshot & ~trade).sum())
        self._changed |= bool((~trade & ~snapshot).any())
        self._note(int(messages.earlier[at:stop].sum()))

    def _single(self, messages: Messages, at: int) -> None:
        """Record a message that does not merely continue the ones before."""
        exchange_ts, receive_ts = int(messages.exchange_ts[at]), int(messages.receive_ts[at])
        start, stop = int(messages.row[at]), int(messages.row[at + 1])
        rows = messages.rows
        if messages.bad[at]:
            for where, what in messages.faults(at):
                self._stats.report_bad(self._all.report_bad(where, what, ""), not messages.trade[at])
            if not messages.trade[at]:
                self._known = self._changed = False
                self._builder.reset(int(rows.receive_ts[start]))
        elif messages.trade[at]:
            self._print(messages, at)
        else:
            self._note(int(messages.earlier[at]))
            levels = Levels(rows.side[start:stop], rows.price[start:stop], rows.size[start:stop])
            self._number += 1
            self._stats.books += 1
            if not messages.snapshot[at]:
                self._stats.dropped += 1
                return
            if self._changed:  # the recording was interrupted, and began anew
                self._stats.gaps += 1
                self._builder.reset(receive_ts)
            self._known, self._changed = True, False
            self._stats.snapshots += 1
            self._builder.snapshot(exchange_ts, receive_ts, self._number, levels)

    def _print(self, messages: Messages, at: int) -> None:
        """Record a print that may be none, or repeat one, or be numbered anew."""
        row, rows = int(messages.row[at]), messages.rows
        side, size = int(rows.side[row]), float(rows.size[row])
        if side == 0 or size == 0.0:
            self._all.ignored["trade of unknown side" if side == 0 else "print of size 0"] += 1
            return
        times = int(rows.exchange_ts[row]), int(rows.receive_ts[row])
        trade_id, price = int(rows.trade_id[row]), float(rows.price[row])
        if trade_id < 0:
            label = "" if self._prints.take_named(_STREAM, rows.name[row : row + 1]) else REPEATED
        else:
            label = self._prints.judge(TradeMessage("", *times, trade_id, side, price, size, stream=_STREAM))
        if label:
            self._all.ignored[label] += 1
            return
        self._stats.trades += 1
        self._builder.trade(*times, max(trade_id, 0), side, price, size)

    def _note(self, earlier: int) -> None:
        if earlier:
            self._all.notes["rows with the latest exchange time of their snapshot, not their own"] += earlier
