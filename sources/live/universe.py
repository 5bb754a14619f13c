"""Which instruments trade now, by each venue's own list."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.rest import Rest, RestError

_BYBIT_PAGE = "1000"
_EXCHANGE_INFO_WEIGHT = 1


class Listing(NamedTuple):
    """A perpetual that trades; the tick size is the decimal that the venue gives."""

    instrument: Instrument
    tick_size: str


class _Filter(msgspec.Struct):
    filterType: str
    tickSize: str | None = None


class _BinanceSymbol(msgspec.Struct):
    symbol: str
    status: str
    contractType: str
    filters: list[_Filter]


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_BinanceSymbol]


class _PriceFilter(msgspec.Struct):
    tickSize: str


class _BybitInstrument(msgspec.Struct):
    symbol: str
    status: str
    contractType: str
    priceFilter: _PriceFilter


class _BybitPage(msgspec.Struct):
    list: list[_BybitInstrument]
    nextPageCursor: str = ""


class _InstrumentsInfo(msgspec.Struct):
    retCode: int
    retMsg: str
    result: msgspec.Raw = msgspec.Raw(b"{}")


async def binance_futures(rest: Rest) -> list[Listing]:
    """Perpetuals of ``GET /fapi/v1/exchangeInfo`` that are trading.

    The tick size is that of ``PRICE_FILTER``: ``pricePrecision`` is the number of digits, which may be more.

    Raises:
        RestError: no reply, or one that cannot be understood.
    """
    await rest.reserve(_EXCHANGE_INFO_WEIGHT)
    body = await rest.get("/fapi/v1/exchangeInfo", {})
    try:
        symbols = msgspec.json.decode(body, type=_ExchangeInfo).symbols
    except ValueError as e:
        raise RestError(f"{rest.url}: exchangeInfo cannot be read: {e}") from e
    return [
        Listing(Instrument("binance_futures", s.symbol), _tick_size(s.filters))
        for s in symbols
        if s.contractType == "PERPETUAL" and s.status == "TRADING" and _nameable("binance_futures", s.symbol)
    ]


async def bybit_linear(rest: Rest) -> list[Listing]:
    """Perpetuals of ``GET /v5/market/instruments-info``, page by page, that are trading and settled in USDT.

    Contracts before their launch are listed with another status; they have no feed.

    Raises:
        RestError: no reply, or one that cannot be understood.
    """
    out: list[Listing] = []
    cursor = ""
    while True:
        query = {"category": "linear", "status": "Trading", "limit": _BYBIT_PAGE}
        await rest.reserve(1)
        body = await rest.get("/v5/market/instruments-info", query | ({"cursor": cursor} if cursor else {}))
        try:
            reply = msgspec.json.decode(body, type=_InstrumentsInfo)
            if reply.retCode != 0:
                raise ValueError(f"retCode {reply.retCode} {reply.retMsg}")
            page = msgspec.json.decode(reply.result, type=_BybitPage)
        except ValueError as e:
            raise RestError(f"{rest.url}: instruments-info cannot be read: {e}") from e
        out += [
            Listing(Instrument("bybit_linear", s.symbol), s.priceFilter.tickSize)
            for s in page.list
            if s.contractType == "LinearPerpetual" and s.status == "Trading" and _nameable("bybit_linear", s.symbol)
        ]
        if not page.nextPageCursor or page.nextPageCursor == cursor:
            return out
        cursor = page.nextPageCursor


def choose(wanted: Iterable[Instrument], listed: Iterable[Listing]) -> list[Instrument]:
    """The wanted instruments of one venue that are listed; the symbol ``*`` stands for all of them."""
    names = {listing.instrument for listing in listed}
    chosen: dict[Instrument, None] = {}
    for instrument in wanted:
        if instrument.symbol == "*":
            chosen.update(dict.fromkeys(sorted(names)))
        elif instrument in names:
            chosen[instrument] = None
    return list(chosen)


def check(wanted: Iterable[Instrument], listed: Iterable[Listing]) -> None:
    """Refuse what is not listed.

    Raises:
        TickwaxError: an instrument is no perpetual that trades now; names the nearest that are.
    """
    names = sorted(listing.instrument.symbol for listing in listed)
    for instrument in wanted:
        if instrument.symbol != "*" and instrument.symbol not in names:
            near = [n for n in names if n.startswith(instrument.symbol[:3])][:3] or names[:3]
            hint = f"; there is {', '.join(near)}" if near else ""
            raise TickwaxError(f"symbols: '{instrument}' is no perpetual that trades there now{hint}")


def _tick_size(filters: list[_Filter]) -> str:
    return next((f.tickSize for f in filters if f.filterType == "PRICE_FILTER" and f.tickSize), "")


def _nameable(venue: str, symbol: str) -> bool:
    """Whether the symbol can name a folder of the tape."""
    try:
        Instrument.parse(f"{venue}:{symbol}")
    except TickwaxError:
        return False
    return True
