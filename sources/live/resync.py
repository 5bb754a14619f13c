"""How an unknown book becomes known again: what every policy does."""

from typing import Protocol

from sources.messages import BookMessage
from sources.sequencer import Outcome


class Resync(Protocol):
    """The policy of one instrument; its methods are called on the loop, with the row buffer's lock held."""

    @property
    def movable(self) -> bool:
        """Whether a hand-over between connections may join the book now."""
        ...

    def apply(self, message: BookMessage) -> Outcome:
        """Judge and record a message of the book's stream."""
        ...

    def request(self, waited: bool = False) -> None:
        """Ask for the book if it is unknown; called whenever that may have become possible.

        ``waited``: as in `InstrumentState.may_ask`.
        """
        ...

    def asked(self) -> None:
        """The book's stream has been asked for."""
        ...

    def subscribed(self) -> None:
        """The exchange has acknowledged the book's stream."""
        ...

    def lost(self) -> None:
        """The book's continuity is lost."""
        ...

    def cancel(self) -> None:
        """End what is under way: the instrument is not followed any more."""
        ...
