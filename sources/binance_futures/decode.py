"""Frames of Binance USD-M futures.

Exchange documentation, "Diff. Book Depth Streams": ``T`` matching time and ``E`` send time in ms, ``U`` and ``u`` first
and final update number, ``pu`` the final number of the event before, ``b`` and ``a`` levels as decimal strings in no
promised order; "Order Book": ``GET /fapi/v1/depth`` replies ``lastUpdateId,E,T,bids,asks``.
"""

import msgspec

from sources.binance import BinanceDecoder
from sources.clock import ClockBound
from sources.messages import Id, Millis


class DepthEvent(
    msgspec.Struct,
    gc=False,
    rename={"time": "T", "symbol": "s", "first": "U", "final": "u", "previous": "pu", "bids": "b", "asks": "a"},
):
    """``@depth``, ``@depth@0ms``, ``@depth@100ms``, ``@depth@500ms``."""

    time: Millis
    symbol: str
    first: Id
    final: Id
    previous: Id
    bids: msgspec.Raw
    asks: msgspec.Raw


class RestBook(msgspec.Struct, gc=False, rename={"time": "T", "number": "lastUpdateId"}):
    """``GET /fapi/v1/depth``."""

    time: Millis
    number: Id
    bids: msgspec.Raw
    asks: msgspec.Raw


def decoder(snapshot_symbol: str | None = None, clock: ClockBound | None = None) -> BinanceDecoder:
    """A decoder of one connection; ``snapshot_symbol`` owns the REST books found among the frames of a capture."""
    return BinanceDecoder(DepthEvent, RestBook, snapshot_symbol, clock)
