"""Frames of Binance USD-M futures.

Exchange documentation, "Diff. Book Depth Streams": ``T`` matching time and ``E`` send time in ms, ``U`` and ``u`` first
and final update number, ``pu`` the final number of the event before, ``b`` and ``a`` levels as decimal strings in no
promised order; "Order Book": ``GET /fapi/v1/depth`` replies ``lastUpdateId,E,T,bids,asks``.
"""

import msgspec

from sources.clock import ClockBound
from sources.messages import Id, Millis
from sources.venues.binance.decoder import BinanceDecoder
from sources.venues.binance.events import USD_M, IdOrNone, check_market
from sources.venues.binance_futures.derivatives import EVENTS, Derivatives, FundingHours


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
    previous: IdOrNone  # of the first event of a new market
    bids: msgspec.Raw
    asks: msgspec.Raw
    st: int = 1

    @property
    def number(self) -> int:
        """As of a REST book."""
        return self.final

    def check(self) -> None:
        """Raise ValueError for an event of another market."""
        if self.st != USD_M:
            check_market(self.st)


class RestBook(msgspec.Struct, gc=False, rename={"time": "T", "number": "lastUpdateId"}):
    """``GET /fapi/v1/depth``."""

    number: IdOrNone
    bids: msgspec.Raw
    asks: msgspec.Raw
    time: Millis | None = None  # some captures have it without

    def check(self) -> None:
        """Nothing tells its market."""


def decoder(
    capture_of: str | None = None,
    partial: str | None = None,
    clock: ClockBound | None = None,
    merge: bool = False,
    hours: FundingHours | None = None,
) -> BinanceDecoder:
    """A decoder of one connection, or of a capture of one symbol; as `BinanceDecoder`.

    Args:
        hours: between fundings, which no stream tells.
    """
    derivatives = Derivatives(hours)
    return BinanceDecoder(DepthEvent, RestBook, DepthEvent, capture_of, partial, clock, merge, derivatives, EVENTS)
