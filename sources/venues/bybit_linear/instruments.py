"""The perpetuals of Bybit V5 linear that are settled in USDT.

Exchange documentation: "Enums Definitions" (contractType, status), "Get Instruments Info" (settleCoin).
"""

import msgspec

from sources.json_decoder import json_decoder
from sources.live.instruments import MISSING, Listing, entries, listing, whole
from sources.live.rest import Rest, RestError
from sources.live.words import Unknown, Words

_CONTRACTS = Words(
    "contractType",
    frozenset(("LinearPerpetual",)),
    frozenset(("LinearFutures", "InversePerpetual", "InverseFutures")),
)
_STATUS = Words("status", frozenset(("Trading",)), frozenset(("PreLaunch", "Delivering", "Closed", "Settling")))
_COINS = Words("settleCoin", frozenset(("USDT",)), frozenset(("USDC",)))
_MOST_PAGES = 100
_PAGE = "1000"


class _PriceFilter(msgspec.Struct):
    tickSize: str


class _LotSizeFilter(msgspec.Struct, frozen=True):
    qtyStep: str = ""
    minOrderQty: str = ""


class _Instrument(msgspec.Struct):
    symbol: str
    priceFilter: _PriceFilter
    lotSizeFilter: _LotSizeFilter = _LotSizeFilter()
    status: str = MISSING
    contractType: str = MISSING
    settleCoin: str = MISSING


class _Page(msgspec.Struct):
    list: list[msgspec.Raw]
    nextPageCursor: str = ""


class _InstrumentsInfo(msgspec.Struct):
    retCode: int
    retMsg: str
    result: msgspec.Raw = msgspec.Raw(b"{}")


async def instruments(rest: Rest, unknown: Unknown) -> list[Listing]:
    """Perpetuals of ``GET /v5/market/instruments-info``, page by page, that are trading and settled in USDT.

    Contracts before their launch are listed with another status; they have no feed.

    Raises:
        RestError: no reply, or one that cannot be understood.
    """
    out: list[Listing] = []
    cursor = ""
    seen: set[str] = set()
    while True:
        query = {"category": "linear", "status": "Trading", "limit": _PAGE}
        await rest.reserve(1)
        body = await rest.get("/v5/market/instruments-info", query | ({"cursor": cursor} if cursor else {}))
        try:
            reply = json_decoder(_InstrumentsInfo).decode(body)
            if reply.retCode != 0:
                raise ValueError(f"retCode {reply.retCode} {reply.retMsg}")
            page = json_decoder(_Page).decode(reply.result)
        except ValueError as e:
            raise RestError(f"{rest.url}: instruments-info cannot be read: {e}") from e
        for s in entries(page.list, _Instrument, unknown):
            perpetual = unknown.wants(_CONTRACTS, s.contractType)
            if perpetual and unknown.wants(_COINS, s.settleCoin) and unknown.wants(_STATUS, s.status):
                lot = s.lotSizeFilter
                out += listing("bybit_linear", s.symbol, s.priceFilter.tickSize, unknown, lot.qtyStep, lot.minOrderQty)
        if not page.nextPageCursor or page.nextPageCursor == cursor:
            return whole(rest, "instruments-info", out, unknown)
        seen.add(cursor)
        cursor = page.nextPageCursor
        if cursor in seen or len(seen) >= _MOST_PAGES:
            raise RestError(
                f"{rest.url}: instruments-info does not end: cursor {cursor[:60]!r} after {len(seen)} pages"
            )
