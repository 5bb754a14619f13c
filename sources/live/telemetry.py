"""What the live connectors tell about themselves: state changes and counts, never a line a message."""

from collections.abc import Callable, Mapping, Sequence

from sources.instrument import Instrument


class Telemetry:
    """Tells nobody; a subclass that does is called on the connectors' own thread, must be quick and must not raise."""

    def frames(self, venue: str, stream: str, count: int, size: int) -> None:
        """``count`` frames of ``size`` bytes came; ``stream`` is the name of a `sources.live.stream.StreamKind`."""

    def waiting(self, venue: str, url: str, reason: str) -> None:
        """The start waits for an address, which has not answered, or has refused for ``reason``."""

    def connected(self, venue: str, url: str, streams: int) -> None:
        """A connection is open and about to ask for ``streams`` streams."""

    def disconnected(self, venue: str, url: str, reason: str) -> None:
        """A connection was lost, or could not be opened; it is tried again."""

    def handed_over(self, venue: str, url: str, forced: int) -> None:
        """A connection was replaced by a new one; ``forced`` books could not be joined and are fetched anew."""

    def refused(self, venue: str, what: str, reason: str) -> None:
        """The exchange refused a subscription or a request."""

    def throttled(self, venue: str, status: int, seconds: float) -> None:
        """The exchange answered 403, 418 or 429: nothing is requested for ``seconds``."""

    def gap(self, instrument: Instrument, stream: str) -> None:
        """Messages of a ``book`` or ``trade`` stream are missing."""

    def lost(self, instrument: Instrument, reason: str) -> None:
        """A known book is unknown from now on: a ``reset`` was recorded."""

    def synced(self, instrument: Instrument, seconds: float, first: bool) -> None:
        """The book is known, ``seconds`` after it was lost, or after the start if it is the ``first`` time."""

    def refreshed(self, instrument: Instrument, seconds: float) -> None:
        """A new snapshot was joined into the chain of a known book, whose changes waited for ``seconds``."""

    def stale(self, instrument: Instrument, stream: str, seconds: float) -> None:
        """A stream said nothing for ``seconds``; it is asked for again unless it stands beside the book."""

    def repeated(self, instrument: Instrument) -> None:
        """A trade came a second time and was dropped."""

    def off_book(self, instrument: Instrument, what: str) -> None:
        """A print that is not from the book came and was dropped; ``what`` says why it is none."""

    def ignored(self, venue: str, what: str, count: int) -> None:
        """``count`` frames came that are not recorded; ``what`` names the event or stream."""

    def closing(self, venue: str, url: str) -> None:
        """The exchange has announced that it will close a connection, which is handed over early."""

    def unknown(self, venue: str, field: str, counts: Mapping[str, int]) -> None:
        """What a venue lists has words in ``field`` that are not known, so it is left out; told once a word."""

    def clock(self, venue: str, url: str, ahead_ns: int) -> None:
        """A connection's exchange times are usually ``ahead_ns`` ahead of their receive times; told once, and when that
        has changed by seconds."""

    def offsets(self, venue: str, ahead_ns: Sequence[int]) -> None:
        """Exchange time less receive time of some frames, each in ns."""

    def bad_frame(self, venue: str, symbol: str | None, reason: str, excerpt: str) -> None:
        """A frame could not be understood; ``excerpt`` is its beginning."""

    def overflowed(self, instrument: Instrument) -> None:
        """The buffer is full: the instrument's messages are dropped until there is room."""

    def buffer(self, rows: Callable[[], int]) -> None:
        """There is a buffer; ``rows`` tells how many tape rows wait in it, at any time, from any thread."""

    def stopped(self) -> None:
        """The feeds of a worker are being closed: it takes what has come, and no more."""

    def buffered(self, rows: int) -> None:
        """``rows`` tape rows wait in the buffer, which is about to be drained; called on the dataflow's thread."""

    def left_out(self, instrument: Instrument, reason: str) -> None:
        """An instrument is not followed in this run, because of what was recorded of it before."""

    def listed(self, instrument: Instrument) -> None:
        """An instrument began to trade and is followed from now on."""

    def delisted(self, instrument: Instrument) -> None:
        """An instrument no longer trades and is not followed any more."""
