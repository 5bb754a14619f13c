"""One instrument's messages of a recording, each once, onto its tape."""

from sources.builder import TapeBuilder
from sources.feed import Feed
from sources.importers.overlap import Recorded
from sources.importers.prints import Prints
from sources.messages import BookMessage, TradeMessage

REPEATED = "repeated book messages"


class RecordedFeed(Feed):
    """A feed that leaves out what it was told already, and says what that is counted as."""

    def __init__(self, sequencer: Recorded, builder: TapeBuilder) -> None:
        super().__init__(sequencer, builder)
        self.recorded = sequencer
        self.prints = Prints()

    def take(self, message: BookMessage | TradeMessage) -> str:
        """Record a message; what it is counted as if it tells nothing new, otherwise nothing."""
        if isinstance(message, TradeMessage):
            label = self.prints.judge(message)
            if not label:
                self.trade(message)
            return label
        before = self.recorded.repeated
        self.book(message)
        return (message.beside or REPEATED) if self.recorded.repeated > before else ""
