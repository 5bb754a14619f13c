"""Frames of Binance spot.

Exchange documentation, "Diff. Depth Stream": ``E`` send time in ms (there is no matching time), ``U`` and ``u`` first
and final update number, no ``pu``; "Order book": ``GET /api/v3/depth`` replies ``lastUpdateId,bids,asks`` without any
time.
"""

from typing import ClassVar

import msgspec

from sources.binance import BinanceDecoder
from sources.clock import ClockBound
from sources.messages import Id, Millis


class DepthEvent(
    msgspec.Struct,
    gc=False,
    rename={"time": "E", "symbol": "s", "first": "U", "final": "u", "bids": "b", "asks": "a"},
):
    """``@depth``, ``@depth@100ms``."""

    time: Millis
    symbol: str
    first: Id
    final: Id
    bids: msgspec.Raw
    asks: msgspec.Raw
    previous: ClassVar[int] = -1


class RestBook(msgspec.Struct, gc=False, rename={"number": "lastUpdateId"}):
    """``GET /api/v3/depth``."""

    number: Id
    bids: msgspec.Raw
    asks: msgspec.Raw
    time: ClassVar[None] = None


def decoder(snapshot_symbol: str | None = None, clock: ClockBound | None = None) -> BinanceDecoder:
    """A decoder of one connection; ``snapshot_symbol`` owns the REST books found among the frames of a capture."""
    return BinanceDecoder(DepthEvent, RestBook, snapshot_symbol, clock)
