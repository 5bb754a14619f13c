"""Frames of one venue, file after file, onto the tapes of their instruments."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sources.errors import BadName, TickwaxError
from sources.importers.feed_handler import RecordedFeedHandler
from sources.importers.files import DamagedFile
from sources.importers.names import Bits
from sources.importers.overlap import SEQUENCERS, Recorded
from sources.importers.prints import REPEATED
from sources.importers.rest_books import Rivals, Undecided
from sources.importers.sniff import other_venue
from sources.importers.stats import ImportStats, utc_millis
from sources.instrument import Instrument
from sources.messages import BadFrame, BookMessage, Decoder, DerivativeMessage, Frame, Message, TradeMessage, tally
from sources.tape.batch import InstrumentBatch, TapeBatch
from sources.tape.builder import TapeBuilder, TapeTail
from sources.venues.contracts import NoContract, check_contract
from sources.venues.registry import Venue

FindTail = Callable[[Instrument], TapeTail]


class ImportRun:
    """One decoder and a handler per instrument; the chain of a book goes on across files."""

    def __init__(
        self,
        venue: Venue,
        decoder: Decoder,
        find_tail: FindTail,
        stats: ImportStats,
        symbol: str | None = None,
        salvage: bool = False,
        sequencer: Callable[[], Recorded] | None = None,
        cut_levels: int = 0,
    ) -> None:
        """Args:
        find_tail: what an instrument's rows are appended to.
        symbol: import no other.
        salvage: take what stands before and behind the damage of a damaged file.
        sequencer: of an instrument's book; by default that of the venue.
        cut_levels: as of `InstrumentBatch`.
        """
        self._sequencer = sequencer or SEQUENCERS[venue.name]
        self.stats = stats
        self._venue = venue
        self._decoder = decoder
        self._find_tail = find_tail
        self._symbol = symbol
        self.salvage = salvage
        self._cut_levels = cut_levels
        self._handlers: dict[str, RecordedFeedHandler] = {}
        self._instruments: dict[str, Instrument] = {}
        self.met: Counter[str] = Counter()  # messages by symbol, those not imported too
        self._repeated: Counter[str] = Counter()  # of these, those that told nothing new
        self.venue = venue.name
        self._books: Counter[str] = Counter()  # of these, those of the book
        self.rivals = Rivals()
        self._path: Path | None = None  # of the file that is read
        self._unbegun: Path | None = None  # the file that is read, until its first time is known
        self._begun: tuple[int, Path] | None = None  # when the file before begins, and its name

    def add(self, frames: Sequence[Frame], where: Callable[[int], str]) -> None:
        """Decode and record frames; ``where`` gives the file and line of the one at a place among them."""
        self.stats.frames += len(frames)
        self.apply(self.decode(frames), where)

    def decode(self, frames: Sequence[Frame]) -> list[Message]:
        """What the next frames say, to be recorded in this order."""
        if frames:
            self.begin(frames[0][0])
        messages = self._decoder.decode(frames)
        if not self.stats.hint:
            self._look_elsewhere(frames, messages)
        return messages

    def open(self, path: Path) -> None:
        """A file is read from now on."""
        self._unbegun = self._path = path

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Inside, a file is read. Salvaging, a damaged one ends there, and every book is unknown from then on."""
        self.open(path)
        try:
            yield
        except DamagedFile as e:
            self.end(e)

    def end(self, damage: DamagedFile) -> None:
        """End a damaged file here: every book is unknown from now on.

        Raises:
            DamagedFile: nothing of it is to be taken.
        """
        if not self.salvage or not damage.salvageable:
            raise damage
        self.stats.salvaged.append(damage)
        for symbol, handler in self._handlers.items():
            times = (self.stats.of(self._instruments[symbol]).last_receive_ts, handler.builder.received)
            if any(time is not None for time in times):
                handler.lost(max(time for time in times if time is not None))

    def begin(self, receive_ts: int) -> None:
        """Tell the first receive time of the file that is read; later calls say nothing.

        Raises:
            TickwaxError: the file before begins later.
        """
        path, self._unbegun = self._unbegun, None
        if path is None:
            return
        if self._begun is not None and receive_ts < self._begun[0]:
            when, before = self._begun
            raise TickwaxError(
                f"{path}: begins at {utc_millis(receive_ts)}, before {before}, which begins at {utc_millis(when)} and "
                f"is named first; name files in the order of time"
            )
        self._begun = receive_ts, path

    def handler(self, symbol: str) -> RecordedFeedHandler | None:
        """The handler of a symbol; None when it is not to be imported.

        Raises:
            BadName: it cannot name an instrument, or is no contract of the venue.
        """
        if self._symbol not in (None, symbol):
            return None
        if symbol not in self._handlers:
            instrument = Instrument.parse(f"{self._venue.name}:{symbol}")
            check_contract(instrument)
            self._handlers[symbol] = RecordedFeedHandler(
                self._sequencer(), TapeBuilder(self._find_tail(instrument)), self.rivals
            )
            self._instruments[symbol] = instrument
        return self._handlers[symbol]

    def add_snapshot(self, symbol: str, frame: Frame, where: str) -> None:
        """Record a book fetched by REST."""
        self.stats.frames += 1
        self.apply([self._decoder.snapshot(symbol, *frame)], lambda _: where)

    def bad(self, bad: BadFrame, where: str) -> None:
        """Count a bad frame; if it may have been a book's, that book is unknown from here on."""
        text = self.stats.report_bad(where, bad.reason, bad.excerpt)
        for symbol, handler in self._handlers.items():
            if bad.symbol in (None, symbol):
                self.stats.of(self._instruments[symbol]).report_bad(text, bad.may_be_book)
                if bad.may_be_book:
                    # What is not believed has no say in when: a garbled line may begin with any time.
                    handler.lost(max(bad.receive_ts, handler.builder.received or 0))

    def take(self) -> Iterator[InstrumentBatch]:
        """The rows collected since the last call."""
        for symbol, handler in self._handlers.items():
            batch = handler.builder.take()
            if batch is not None:
                instrument = self._instruments[symbol]
                self.stats.of(instrument).add(batch)
                yield InstrumentBatch(instrument, batch, cut_levels=self._cut_levels)

    def finish(self) -> None:
        """Bring the counts up to date; deltas that still wait for a snapshot are dropped."""
        self.stats.ignored.update(self._decoder.ignored)
        self._decoder.ignored.clear()
        for symbol, handler in self._handlers.items():
            stats = self.stats.of(self._instruments[symbol])
            stats.frames = self.met[symbol] - self._repeated[symbol]
            stats.books = self._books[symbol]
            stats.unusable = handler.sequencer.snapshots_unusable
            stats.trades, stats.snapshots = handler.trades, handler.snapshots
            stats.derivatives = handler.derivatives
            stats.gaps, stats.resets = handler.sequencer.gaps, handler.builder.resets
            stats.dropped = handler.sequencer.dropped + handler.sequencer.held
            unused = {
                "snapshot of a known book": handler.sequencer.snapshots_ignored,
                "REST book of another symbol": handler.foreign,
                "REST book that no diff of the symbol reaches": handler.undecided,
                "snapshot too old to join": handler.sequencer.snapshots_unusable,
            }
            self.stats.ignored.update({label: count for label, count in unused.items() if count})

    def apply(self, messages: Sequence[Message], where: Callable[[int], str]) -> None:
        """Record messages in order; ``where`` as in `add`."""
        for message in messages:
            if isinstance(message, BadFrame):
                self.bad(message, where(message.place))
                continue
            try:
                handler = self.handler(message.symbol)
            except NoContract as e:  # costs no other instrument
                self.met[message.symbol] += 1
                self.stats.leave_out(message.symbol, e)
                continue
            except BadName as e:
                self.stats.report_bad("a frame", str(e), "")
                continue
            if handler is not None and isinstance(message, TradeMessage) and message.off_book:
                tally(self.stats.ignored, message.off_book)
                continue
            self.met[message.symbol] += 1
            if handler is None:
                self.stats.ignored["other symbols"] += 1
                if isinstance(message, BookMessage):  # in its turn: what comes later tells nothing of what is applied
                    self.rivals.add(message)
            elif label := self._take(handler, message):
                self._repeated[message.symbol] += 1
                self.stats.ignored[label] += 1
            elif isinstance(message, BookMessage):
                self._books[message.symbol] += 1

    def add_prints(self, symbol: str, rows: TapeBatch, start: int, stop: int, names: Bits | None) -> None:
        """Record consecutive prints of a symbol, whose numbers are none; a repeated one is left out.

        Args:
            symbol: theirs.
            rows: a row each; ordinals are not read, and none may be changed.
            start: the first of them.
            stop: and the one behind the last.
            names: of the venue's ids, one for each of ``rows``; None where it gives none.
        """
        handler: RecordedFeedHandler | None = None
        with suppress(BadName):
            handler = self.handler(symbol)
        if handler is None:
            for at in range(start, stop):
                time, side = int(rows.exchange_ts[at]), int(rows.side[at])
                price, size = float(rows.price[at]), float(rows.size[at])
                self.apply([TradeMessage(symbol, time, time, 0, side, price, size)], lambda _: "")
            return
        at = start
        while at < stop:
            end = stop if names is None else at + handler.prints.take_named("", names[at:stop])
            if end > at:
                handler.builder.prints(rows, at, end)
                handler.trades += end - at
                self.count(symbol, end - at, 0)
            if end < stop:  # it has been met
                self.met[symbol] += 1
                self._repeated[symbol] += 1
                self.stats.ignored[REPEATED] += 1
                end += 1
            at = end

    def count(self, symbol: str, messages: int, books: int) -> None:
        """Count good messages that were recorded, and those of the book among them."""
        self.met[symbol] += messages
        self._books[symbol] += books

    def _take(self, handler: RecordedFeedHandler, message: BookMessage | TradeMessage | DerivativeMessage) -> str:
        try:
            return handler.take(message)
        except Undecided as e:
            raise TickwaxError(f"{self._path}: {e}") from e

    def _look_elsewhere(self, frames: Sequence[Frame], messages: Sequence[Message]) -> None:
        """Find out whether the first bad book frame is a good one of another venue."""
        for message in messages:
            if isinstance(message, BadFrame) and message.may_be_book:
                self.stats.hint = other_venue(self.venue, frames[message.place]) or ""
                return
