"""One instrument's messages of a recording, each once, onto its tape."""

from sources.feed_handler import FeedHandler
from sources.importers.overlap import OverlappingDiffs, Recorded, RepeatedBooks
from sources.importers.prints import Prints
from sources.importers.rest_books import Rivals, Verdict, fits_prices, judge
from sources.messages import BookMessage, DerivativeMessage, TradeMessage
from sources.sequencer import AHEAD_NS, Outcome
from sources.tape.builder import TapeBuilder

REPEATED = "repeated book messages"
REPEATED_DERIVATIVES = "repeated mark prices, funding rates, open interests or liquidations"


class RecordedFeedHandler(FeedHandler):
    """A feed handler that leaves out what it was told already, and says what that is counted as."""

    def __init__(self, sequencer: Recorded, builder: TapeBuilder, rivals: Rivals) -> None:
        """``rivals``: what else the recording holds."""
        super().__init__(sequencer, builder)
        self.recorded = sequencer
        self.prints = Prints()
        self.foreign = 0  # REST books of other symbols
        self._rivals = rivals
        self._doubted: list[BookMessage] = []  # REST books that may be of another symbol

    def book(self, message: BookMessage) -> Outcome:
        """As of any; a REST book that names no symbol is recorded when the diffs have told that it is this one's.

        Raises:
            Undecided: they cannot tell.
        """
        recorded = self.recorded
        if isinstance(recorded, RepeatedBooks):
            return super().book(message)
        if message.unnamed and not recorded.synced and self._doubts(message, recorded):
            self._doubted.append(message)
            return self._decide(recorded)
        outcome = super().book(message)
        return self._decide(recorded) if self._doubted and not recorded.synced else outcome

    @property
    def undecided(self) -> int:
        """REST books of which no diff has told yet whose they are."""
        return len(self._doubted)

    def _doubts(self, book: BookMessage, recorded: OverlappingDiffs) -> bool:
        return self._rivals.several or fits_prices(book.levels, recorded.waiting) is False

    def _decide(self, recorded: OverlappingDiffs) -> Outcome:
        for book in list(self._doubted):
            if not recorded.reached(book.final):
                late = recorded.waiting and recorded.waiting[-1].receive_ts - book.receive_ts > AHEAD_NS
                verdict = Verdict.FOREIGN if late else Verdict.OPEN
            else:
                verdict = judge(book, recorded.waiting, self._rivals)
            if verdict is Verdict.OPEN:
                continue
            self._doubted.remove(book)
            if verdict is Verdict.FOREIGN:
                self.foreign += 1
            elif super().book(book) is Outcome.EMIT:
                recorded.snapshots_ignored += len(self._doubted)
                self._doubted.clear()
                return Outcome.EMIT
        return Outcome.HOLD

    def take(self, message: BookMessage | TradeMessage | DerivativeMessage) -> str:
        """Record a message; what it is counted as if it tells nothing new, otherwise nothing."""
        if isinstance(message, TradeMessage):
            label = self.prints.judge(message)
            if not label:
                self.trade(message)
            return label
        if isinstance(message, DerivativeMessage):
            return "" if self.derivative(message) else REPEATED_DERIVATIVES
        before = self.recorded.repeated
        self.book(message)
        return (message.beside or REPEATED) if self.recorded.repeated > before else ""
