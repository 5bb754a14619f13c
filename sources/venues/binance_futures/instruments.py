"""The perpetuals of Binance USD-M futures.

Exchange documentation, "Public Endpoints Info" (contract type and status): TRADIFI_PERPETUAL is on metals, oil and
shares, and the type of a contract that has been delivered is empty.
"""

import msgspec

from sources.json_decoder import json_decoder
from sources.live.instruments import MISSING, Listing, entries, listing, whole
from sources.live.rest import Rest, RestError
from sources.live.words import Unknown, Words

_CONTRACTS = Words(
    "contractType",
    frozenset(("PERPETUAL", "TRADIFI_PERPETUAL")),
    frozenset(("CURRENT_MONTH", "NEXT_MONTH", "CURRENT_QUARTER", "NEXT_QUARTER", "PERPETUAL_DELIVERING",
               "CURRENT_QUARTER DELIVERING", "NEXT_QUARTER DELIVERING", "")),
)  # fmt: skip
_STATUS = Words(
    "status",
    frozenset(("TRADING",)),
    frozenset(("PENDING_TRADING", "PRE_DELIVERING", "DELIVERING", "DELIVERED", "PRE_SETTLE", "SETTLING", "CLOSE")),
)
_EXCHANGE_INFO_WEIGHT = 1


class _Filter(msgspec.Struct):
    filterType: str
    tickSize: str | None = None
    stepSize: str | None = None
    minQty: str | None = None


class _Symbol(msgspec.Struct):
    symbol: str
    filters: list[_Filter]
    status: str = MISSING
    contractType: str = MISSING


class _ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]


async def instruments(rest: Rest, unknown: Unknown) -> list[Listing]:
    """Perpetuals of ``GET /fapi/v1/exchangeInfo`` that are trading.

    The tick size is that of ``PRICE_FILTER``: ``pricePrecision`` is the number of digits, which may be more. Lot and
    least size are those of ``LOT_SIZE``, for limit orders.

    Raises:
        RestError: no reply, or one that cannot be understood.
    """
    await rest.reserve(_EXCHANGE_INFO_WEIGHT)
    body = await rest.get("/fapi/v1/exchangeInfo", {})
    try:
        symbols = json_decoder(_ExchangeInfo).decode(body).symbols
    except ValueError as e:
        raise RestError(f"{rest.url}: exchangeInfo cannot be read: {e}") from e
    out = []
    for s in entries(symbols, _Symbol, unknown):
        if unknown.wants(_CONTRACTS, s.contractType) and unknown.wants(_STATUS, s.status):
            lot = _filter(s.filters, "LOT_SIZE")
            tick = _filter(s.filters, "PRICE_FILTER").tickSize or ""
            out += listing("binance_futures", s.symbol, tick, unknown, lot.stepSize or "", lot.minQty or "")
    return whole(rest, "exchangeInfo", out, unknown)


def _filter(filters: list[_Filter], kind: str) -> _Filter:
    return next((f for f in filters if f.filterType == kind), _Filter(kind))
