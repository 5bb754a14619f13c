"""One connection's frames: decoded, counted, and asked what they tell beside the market."""

from collections.abc import Callable
from typing import NamedTuple

from sources.clock import ClockBound
from sources.live.clock import ConnectionClock
from sources.live.telemetry import Telemetry
from sources.live.websocket import Websocket
from sources.messages import Decoder, Frame, Message


class VenueFrames(NamedTuple):
    """What there is to know of a venue's frames."""

    venue: str
    decoder: Callable[[ClockBound], Decoder]
    stream_kind: Callable[[bytes], str]  # what a frame is counted as


class ConnectionDecoder:
    """The decoder of one connection, with the clock that its exchange times are held against."""

    def __init__(self, frames: VenueFrames, socket: Websocket, telemetry: Telemetry) -> None:
        venue, url = frames.venue, socket.url
        self._frames = frames
        self._socket = socket
        self._telemetry = telemetry
        self._clock = ConnectionClock(
            lambda ahead: telemetry.clock(venue, url, ahead), lambda offsets: telemetry.offsets(venue, offsets)
        )
        self._decoder = frames.decoder(self._clock)

    def decode(self, frames: list[bytes], receive_ts: int) -> list[Message]:
        """The messages of frames that were read together."""
        self._count(frames)
        batch: list[Frame] = [(receive_ts, raw) for raw in frames]
        messages = self._decoder.decode(batch)
        if self._decoder.ignored:
            self._note_ignored()
        return messages

    def close(self) -> None:
        """The connection has ended."""
        self._clock.flush()

    def _note_ignored(self) -> None:
        decoder = self._decoder
        for what, count in decoder.ignored.items():
            self._telemetry.ignored(self._frames.venue, what, count)
        decoder.ignored.clear()
        if decoder.closing:
            decoder.closing = False
            self._socket.announce_end()

    def _count(self, frames: list[bytes]) -> None:
        kinds: dict[str, tuple[int, int]] = {}
        stream_kind = self._frames.stream_kind
        for raw in frames:
            kind = stream_kind(raw)
            count, size = kinds.get(kind, (0, 0))
            kinds[kind] = (count + 1, size + len(raw))
        for kind, (count, size) in kinds.items():
            self._telemetry.frames(self._frames.venue, kind, count, size)
