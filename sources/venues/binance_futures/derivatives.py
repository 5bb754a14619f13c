"""Mark prices, funding, open interest and liquidations of Binance USD-M futures.

Exchange documentation, "Mark Price Stream": ``E`` time in ms, ``p`` mark price, ``i`` index price, ``r`` funding rate,
``T`` next funding time in ms; ``r`` is empty and ``T`` 0 for contracts without funding. "Liquidation Order Streams":
the order stands in ``o``, ``S`` its own side (``SELL`` closes a long), ``ap`` mean price, ``z`` filled size, ``T``
time; at most one a second and symbol is told, the largest. "Open Interest" and "Get Funding Rate Info" are of REST: the
latter names the symbols whose funding interval is not 8 hours.
"""

from collections.abc import Callable

import msgspec

from sources.clock import ClockBound
from sources.json_decoder import json_decoder
from sources.messages import NS_PER_MS, DerivativeMessage, Millis, Price, Size
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST
from sources.tape.bounds import is_rate
from sources.venues.binance.events import Envelope, check_market

EVENTS = {"markPriceUpdate": "markPrice", "forceOrder": "forceOrder"}  # `e` and the stream that carries it
_USUAL_HOURS = 8.0
_SIDES = {"BUY": 1, "SELL": -1}


class _MarkPrice(msgspec.Struct, gc=False):
    E: Millis
    s: str
    p: Price
    i: str = ""
    r: str = ""
    T: Millis = 0
    st: int = 1


class _Order(msgspec.Struct, gc=False):
    s: str
    S: str
    ap: Size
    z: Size
    T: Millis
    st: int = 1


class _ForceOrder(msgspec.Struct, gc=False):
    o: _Order


class _OpenInterest(msgspec.Struct):
    openInterest: Size
    time: Millis


class _Interval(msgspec.Struct):
    symbol: str
    fundingIntervalHours: Size


class FundingHours:
    """Hours between two fundings, once the exchange's list has been read; 0 before."""

    def __init__(self) -> None:
        self._other: dict[str, float] | None = None

    def of(self, symbol: str) -> float:
        """Those of a symbol."""
        return 0.0 if self._other is None else self._other.get(symbol, _USUAL_HOURS)

    def take(self, raw: bytes) -> None:
        """Read ``GET /fapi/v1/fundingInfo``.

        Raises:
            ValueError: it cannot be understood.
        """
        listed = json_decoder(list[_Interval]).decode(raw)
        self._other = {entry.symbol: entry.fundingIntervalHours for entry in listed}


class Derivatives:
    """Reads the data of ``@markPrice`` and ``@forceOrder``; prices come as strings."""

    def __init__(self, hours: FundingHours | None = None) -> None:
        self._hours = hours or FundingHours()
        self._mark = json_decoder(Envelope[_MarkPrice], strict=False)
        self._order = json_decoder(Envelope[_ForceOrder], strict=False)
        self._bare_mark = json_decoder(_MarkPrice, strict=False)
        self._bare_order = json_decoder(_ForceOrder, strict=False)

    def decode(
        self, kind: str, receive_ts: int, raw: bytes, bare: bool, check: Callable[[int, int], None]
    ) -> list[DerivativeMessage]:
        """The messages of a frame.

        Args:
            kind: ``markPrice`` or ``forceOrder``.
            receive_ts: ns.
            bare: the data stands alone, not below the name of its stream.
            check: raises ValueError for an exchange time that is not believed, both in ns.

        Raises:
            ValueError: the frame cannot be understood or believed.
        """
        if kind == "markPrice":
            d = self._bare_mark.decode(raw) if bare else self._mark.decode(raw).data
            return self._marked(d, receive_ts, check)
        o = (self._bare_order.decode(raw) if bare else self._order.decode(raw).data).o
        check_market(o.st)
        check(o.T * NS_PER_MS, receive_ts)
        if o.S not in _SIDES:
            raise ValueError(f"a liquidation of side {o.S!r}")
        if o.ap == 0.0 or o.z == 0.0:  # an order of which nothing was filled
            return []
        row = (_SIDES[o.S], o.ap, o.z)
        return [DerivativeMessage("liquidation", o.s, LIQUIDATION, o.T * NS_PER_MS, receive_ts, 0, *row)]

    def _marked(self, d: _MarkPrice, receive_ts: int, check: Callable[[int, int], None]) -> list[DerivativeMessage]:
        check_market(d.st)
        exchange_ts = d.E * NS_PER_MS
        check(exchange_ts, receive_ts)
        index = number(d.i)
        times = exchange_ts, receive_ts
        out = [DerivativeMessage("ticker", d.s, MARK, *times, 0, 0, d.p, index if index > 0.0 else 0.0)]
        if d.r:
            hours = self._hours.of(d.s)
            out.append(DerivativeMessage("ticker", d.s, FUNDING, *times, d.T, 0, number(d.r), hours))
        return out


def number(text: str) -> float:
    """A decimal string; an empty one is 0.

    Raises:
        ValueError: it is no number, or none that a tape may hold.
    """
    value = float(text) if text else 0.0
    if not is_rate(value):
        raise ValueError(f"a number {text!r}")
    return value


def open_interest(symbol: str, receive_ts: int, raw: bytes) -> DerivativeMessage:
    """The reply to ``GET /fapi/v1/openInterest``; ``receive_ts`` in ns.

    Raises:
        ValueError: it cannot be understood or believed.
    """
    reply = json_decoder(_OpenInterest, strict=False).decode(raw)
    exchange_ts = reply.time * NS_PER_MS
    ClockBound().check(exchange_ts, receive_ts)
    return DerivativeMessage(
        "open_interest", symbol, OPEN_INTEREST, exchange_ts, receive_ts, 0, 0, 0.0, reply.openInterest
    )
