"""From one connection to the next: whether nothing is lost when a stream is read from its successor.

The caller holds the row buffer's lock.
"""

from collections.abc import Callable

from sources.live.instrument_state import InstrumentState
from sources.live.recorder import Recorder
from sources.live.stream import Stream
from sources.messages import BadFrame, BookMessage, Message, TradeMessage


class HandOver:
    """Joins what a connection has told to what its successor tells."""

    def __init__(self, recorder: Recorder, time: Callable[[], float]) -> None:
        """``time``: seconds on the loop's clock."""
        self._recorder = recorder
        self._time = time

    def joined(self, state: InstrumentState, stream: Stream) -> bool:
        """Whether nothing is lost when the stream is read from its successor; what comes twice is told by itself."""
        if stream.beside:
            return True
        return self._trades_joined(state, stream) if stream.kind == "trade" else self._book_joined(state, stream)

    def _trades_joined(self, state: InstrumentState, stream: Stream) -> bool:
        """Whether the old connection, which may lag, has come as far as the successor's first print."""
        held = [m for m in stream.held if isinstance(m, TradeMessage)]
        if any(map(state.trades.knows, held)) or (held and state.trades.follows(held[0])):
            return True
        # A book that shares the connection and has been joined shows it too. Apart from it, nothing shows for a stream
        # that is quiet, and a print that is missing will show by its number.
        return state.book.source is stream.successor or (not held and state.book.source is not stream.source)

    def _book_joined(self, state: InstrumentState, stream: Stream) -> bool:
        """Whether the successor's book goes on where the instrument's stands, or there is none to lose."""
        if not state.book_known:
            return True
        if not state.resync.movable:
            return False
        chain = [m for m in stream.held if isinstance(m, BookMessage)]
        if not state.handler.splice(chain):
            return False
        self._recorder.recorded(state, sum(len(m.levels.price) for m in chain))
        stream.held.clear()
        return True

    def promote(self, state: InstrumentState, stream: Stream) -> None:
        """Read a stream from its successor from now on, which begins with what it has sent so far."""
        held: list[Message] = stream.promote()
        if stream.kind == "book" and not state.book_known:
            state.handler.sequencer.lost()  # what is held of the old connection is of no chain any more
        for message in held:
            assert not isinstance(message, BadFrame)
            # Both connections carry the same prints, so those that are known are nothing to tell of.
            if not (isinstance(message, TradeMessage) and state.trades.knows(message)):
                self._recorder.record(state, message)
        if stream.ready:
            stream.staleness.start(self._time())
            if not stream.beside:
                state.resync.request()
