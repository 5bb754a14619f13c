"""A book that becomes known again by subscribing to it: its snapshot comes in the stream itself."""

import asyncio

from sources.live.instrument_state import InstrumentState
from sources.messages import BookMessage
from sources.sequencer import Outcome


class Resubscription:
    """`sources.live.resync.Resync` by subscribing again."""

    movable = True

    def __init__(self, state: InstrumentState) -> None:
        self._state = state
        self._time = asyncio.get_running_loop().time

    def apply(self, message: BookMessage) -> Outcome:
        """Judge and record a message of the book's stream."""
        return self._state.handler.book(message)

    def request(self, waited: bool = False) -> None:
        """Subscribe to the book again, unless that has just been done; after the trades, so that none are missing
        behind the snapshot."""
        s = self._state
        if s.book_known or s.overflowed or not (s.trade.ready and s.book.ready):
            return
        if s.may_ask(self._time(), waited):
            s.book.resubscribe()
            self.asked()

    def asked(self) -> None:
        """The snapshot has been asked for."""
        self._state.ask(self._time())

    def subscribed(self) -> None:
        """The snapshot is due from now on."""
        self._state.asked_at = self._time()

    def lost(self) -> None:
        """Nothing waits that could be lost."""

    def cancel(self) -> None:
        """Nothing is under way."""
