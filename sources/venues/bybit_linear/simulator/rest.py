"""REST of Bybit V5: the universe, page by page.

Exchange documentation, "Get Instruments Info": 500 entries a page unless asked for up to 1000, ``nextPageCursor``
empty on the last; "Rate limit": 600 requests in 5 s and address, then 403 for ten minutes.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from aiohttp import web

from simulator.damage import damaged_body
from simulator.feed import Feed
from simulator.limits import Window
from simulator.rest import met
from simulator.topic import Outlet
from simulator.venue import Listing
from sources.venues.bybit_linear.simulator.limits import BybitLimits
from sources.venues.bybit_linear.simulator.topics import BYBIT

_PATH = "/v5/market/instruments-info"
_DEFAULT_PAGE, _LARGEST_PAGE = 500, 1000
_BAD_REQUEST = 10001
_USDC = "BTCPERP"


class BybitRest:
    """The one endpoint that market data needs."""

    def __init__(
        self,
        feeds: Mapping[str, Feed],
        outlet: Outlet,
        limits: BybitLimits,
        listing: Listing,
    ) -> None:
        """``feeds``: by symbol."""
        self._strange_names = listing.strange_names
        self._contract_types = listing.contract_types
        self._feeds = feeds
        self._outlet = outlet
        self._limits = limits
        self._window = Window(limits.requests, 5.0)
        self._banned_until = 0
        self.requests = 0

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        return [web.get(_PATH, self._instruments)]

    async def _instruments(self, request: web.Request) -> web.Response:
        outlet = self._outlet
        outlet.look()
        self.requests += 1
        if outlet.now_ns < self._banned_until or not self._window.admit(outlet.now_ns):
            self._banned_until = max(self._banned_until, outlet.now_ns + self._limits.ban_s * 10**9)
            return web.Response(status=403, text="access too frequent")
        fault, refusal = await met(outlet, BYBIT, request)
        if refusal is not None:
            return refusal
        body = self._page(request, fault is not None and fault.kind == "rest_loop")
        return web.Response(body=damaged_body(fault, body), content_type="application/json")

    def _page(self, request: web.Request, loops: bool) -> bytes:
        query = request.query
        if query.get("category") != "linear":
            return self._reply(_BAD_REQUEST, "params error: Category is invalid", {})
        limit, first = query.get("limit", str(_DEFAULT_PAGE)), unquote(query.get("cursor", "")) or "first=0"
        if not (limit.isdecimal() and 1 <= int(limit) <= _LARGEST_PAGE):
            return self._reply(_BAD_REQUEST, "params error: limit is invalid", {})
        if not (first.startswith("first=") and first[6:].isdecimal()):
            return self._reply(_BAD_REQUEST, "params error: cursor is invalid", {})
        entries = [
            entry
            for entry in self._universe()
            if query.get("status", entry["status"]) == entry["status"]
            and query.get("symbol", entry["symbol"]) == entry["symbol"]
        ]
        begin, end = int(first[6:]), int(first[6:]) + int(limit)
        # Percent signs and all: a client has to quote it once more.
        cursor = quote(f"first={end}") if end < len(entries) else ""
        if loops:  # two pages that name each other
            cursor = quote("first=0" if begin else "first=1")
        result = {"category": "linear", "list": entries[begin:end], "nextPageCursor": cursor}
        return self._reply(0, "OK", result)

    def _universe(self) -> list[dict[str, Any]]:
        entries = [_listing(feed, self._contract_types.get(feed.instrument)) for feed in self._feeds.values()]
        if entries:  # entries of a real universe that are no perpetual that trades
            entries += [{**entries[0], "symbol": name} for name in self._strange_names]
            entries.append({**entries[0], "symbol": "SOONUSDT", "status": "PreLaunch", "isPreListing": True})
            entries.append({**entries[0], "symbol": "BTC-26MAR27", "contractType": "LinearFutures"})
            if _USDC not in self._feeds:
                entries.append({**entries[0], "symbol": _USDC, "quoteCoin": "USDC", "settleCoin": "USDC"})
        return entries

    def _reply(self, code: int, text: str, result: dict[str, Any]) -> bytes:
        now_ms = self._outlet.now_ms
        return msgspec.json.encode(
            {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_ms}
        )


def _listing(feed: Feed, contract_type: str | None) -> dict[str, Any]:
    p, symbol = feed.parameters, feed.instrument.symbol
    coin = "USDC" if symbol.endswith("PERP") else "USDT"  # as the exchange names them
    tick = f"{10.0**-p.price_digits:.{p.price_digits}f}"
    return {
        "symbol": symbol,
        "contractType": contract_type or "LinearPerpetual",
        "status": "Trading" if feed.trading else "Closed",
        "baseCoin": symbol.removesuffix("PERP").removesuffix("USDT"),
        "quoteCoin": coin,
        "settleCoin": coin,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "priceScale": str(p.price_digits),
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {"qtyStep": f"{10.0**-p.size_digits:.{p.size_digits}f}", "minOrderQty": "0.001"},
        "isPreListing": False,
    }
