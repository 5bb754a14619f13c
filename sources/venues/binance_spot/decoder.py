"""Frames of Binance spot.

Exchange documentation, "Diff. Depth Stream": ``E`` send time in ms (there is no matching time), ``U`` and ``u`` first
and final update number, no ``pu``; "Order book": ``GET /api/v3/depth`` replies ``lastUpdateId,bids,asks`` without any
time.
"""

from typing import Any, ClassVar

import msgspec

from sources.clock import ClockBound
from sources.messages import Id, MillisOrMicros
from sources.venues.binance.decoder import BinanceDecoder
from sources.venues.binance.events import IdOrNone


class DepthEvent(
    msgspec.Struct,
    gc=False,
    rename={"time": "E", "symbol": "s", "first": "U", "final": "u", "bids": "b", "asks": "a"},
):
    """``@depth``, ``@depth@100ms``; ``E`` is in µs where the connection asked for ``timeUnit=MICROSECOND``."""

    time: MillisOrMicros
    symbol: str
    first: Id
    final: Id
    bids: msgspec.Raw
    asks: msgspec.Raw
    pu: Any = None
    previous: ClassVar[int] = -1

    def check(self) -> None:
        """Raise ValueError for an event of another market."""
        if self.pu is not None:
            raise ValueError("an event with `pu`, which futures have and spot has not")


class RestBook(msgspec.Struct, gc=False, rename={"number": "lastUpdateId"}):
    """``GET /api/v3/depth``, and the data of the partial books ``@depth5/10/20``."""

    number: IdOrNone
    bids: msgspec.Raw
    asks: msgspec.Raw
    time: ClassVar[None] = None

    def check(self) -> None:
        """Nothing tells its market."""


def decoder(
    capture_of: str | None = None, partial: str | None = None, clock: ClockBound | None = None, merge: bool = False
) -> BinanceDecoder:
    """A decoder of one connection, or of a capture of one symbol; as `BinanceDecoder`."""
    return BinanceDecoder(DepthEvent, RestBook, RestBook, capture_of, partial, clock, merge)
