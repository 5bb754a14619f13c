"""Which instruments trade now, by each venue's own list."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.rest import Rest, RestError
from sources.live.words import Unknown, Words

T = TypeVar("T")

# Exchange documentation: Binance, "Public Endpoints Info" (contract type and status; TRADIFI_PERPETUAL is on metals,
# oil and shares, and the type of a contract that has been delivered is empty); Bybit, "Enums Definitions"
# (contractType, status) and "Get Instruments Info" (settleCoin).
_MISSING = "(missing)"
_BINANCE_CONTRACTS = Words(
    "contractType",
    frozenset(("PERPETUAL", "TRADIFI_PERPETUAL")),
    frozenset(("CURRENT_MONTH", "NEXT_MONTH", "CURRENT_QUARTER", "NEXT_QUARTER", "PERPETUAL_DELIVERING",
               "CURRENT_QUARTER DELIVERING", "NEXT_QUARTER DELIVERING", "")),
)  # fmt: skip
_BINANCE_STATUS = Words(
    "status",
    frozenset(("TRADING",)),
    frozenset(("PENDING_TRADING", "PRE_DELIVERING", "DELIVERING", "DELIVERED", "PRE_SETTLE", "SETTLING", "CLOSE")),
)
_BYBIT_CONTRACTS = Words(
    "contractType",
    frozenset(("LinearPerpetual",)),
    frozenset(("LinearFutures", "InversePerpetual", "InverseFutures")),
)
_BYBIT_STATUS = Words("status", frozenset(("Trading",)), frozenset(("PreLaunch", "Delivering", "Closed", "Settling")))
_BYBIT_COINS = Words("settleCoin", frozenset(("USDT",)), frozenset(("USDC",)))
_MOST_PAGES = 100
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
    filters: list[_Filter]
    status: str = _MISSING
    contractType: str = _MISSING


class _ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]


class _PriceFilter(msgspec.Struct):
    tickSize: str


class _BybitInstrument(msgspec.Struct):
    symbol: str
    priceFilter: _PriceFilter
    status: str = _MISSING
    contractType: str = _MISSING
    settleCoin: str = _MISSING


class _BybitPage(msgspec.Struct):
    list: list[msgspec.Raw]
    nextPageCursor: str = ""


class _InstrumentsInfo(msgspec.Struct):
    retCode: int
    retMsg: str
    result: msgspec.Raw = msgspec.Raw(b"{}")


async def binance_futures(rest: Rest, unknown: Unknown) -> list[Listing]:
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
    out = []
    for s in _entries(symbols, _BinanceSymbol, unknown):
        if unknown.wants(_BINANCE_CONTRACTS, s.contractType) and unknown.wants(_BINANCE_STATUS, s.status):
            out += _listing("binance_futures", s.symbol, _tick_size(s.filters), unknown)
    return _whole(rest, "exchangeInfo", out, unknown)


async def bybit_linear(rest: Rest, unknown: Unknown) -> list[Listing]:
    """Perpetuals of ``GET /v5/market/instruments-info``, page by page, that are trading and settled in USDT.

    Contracts before their launch are listed with another status; they have no feed.

    Raises:
        RestError: no reply, or one that cannot be understood.
    """
    out: list[Listing] = []
    cursor = ""
    seen: set[str] = set()
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
        for s in _entries(page.list, _BybitInstrument, unknown):
            perpetual = unknown.wants(_BYBIT_CONTRACTS, s.contractType)
            if perpetual and unknown.wants(_BYBIT_COINS, s.settleCoin) and unknown.wants(_BYBIT_STATUS, s.status):
                out += _listing("bybit_linear", s.symbol, s.priceFilter.tickSize, unknown)
        if not page.nextPageCursor or page.nextPageCursor == cursor:
            return _whole(rest, "instruments-info", out, unknown)
        seen.add(cursor)
        cursor = page.nextPageCursor
        if cursor in seen or len(seen) >= _MOST_PAGES:
            raise RestError(
                f"{rest.url}: instruments-info does not end: cursor {cursor[:60]!r} after {len(seen)} pages"
            )


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


def _entries(raw: Iterable[msgspec.Raw], kind: type[T], unknown: Unknown) -> Iterator[T]:
    """The entries of a list; one that has another shape costs no other."""
    for entry in raw:
        try:
            yield msgspec.json.decode(entry, type=kind)
        except ValueError as e:
            unknown.add("an entry", str(e))


def _listing(venue: str, symbol: str, tick_size: str, unknown: Unknown) -> list[Listing]:
    """A perpetual; none if its symbol cannot name a folder of the tape."""
    try:
        return [Listing(Instrument.parse(f"{venue}:{symbol}"), tick_size)]
    except TickwaxError:
        unknown.add("symbol", symbol)
        return []


def _whole(rest: Rest, name: str, listed: list[Listing], unknown: Unknown) -> list[Listing]:
    """The list, once told of what is not known in it.

    Raises:
        RestError: nothing in it is known, as when a field has been renamed: that is no market without perpetuals.
    """
    lost = bool(unknown) and not listed
    kept = unknown.without_twins([listing.instrument for listing in listed])
    listed = [listing for listing in listed if listing.instrument in kept]
    unknown.tell()
    if lost:
        raise RestError(f"{rest.url}: {name} lists no perpetual that trades, and what it lists is not known")
    return listed
