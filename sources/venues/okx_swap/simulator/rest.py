"""REST of OKX: the list of swaps.

Exchange documentation, "Get instruments" (OKX API v5): ``GET /api/v5/public/instruments?instType=SWAP``, 20 requests in
2 s and address, beyond which the reply is 429 with code 50011; errors have a code in a reply of status 200.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from simulator.damage import damaged_body
from simulator.feed import Feed
from simulator.limits import Window
from simulator.rest import met
from simulator.topic import Outlet
from simulator.venue import Listing
from sources.venues.okx_swap.simulator.limits import OkxLimits
from sources.venues.okx_swap.simulator.topics import OKX, multiplier

_PATH = "/api/v5/public/instruments"


class OkxRest:
    """The one endpoint that market data needs."""

    def __init__(self, feeds: Mapping[str, Feed], outlet: Outlet, limits: OkxLimits, listing: Listing) -> None:
        """``feeds``: by symbol."""
        self._feeds = feeds
        self._outlet = outlet
        self._contract_types = listing.contract_types
        self._window = Window(limits.rest_requests, 2.0)
        self.requests = 0

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        return [web.get(_PATH, self._instruments)]

    async def _instruments(self, request: web.Request) -> web.Response:
        outlet = self._outlet
        outlet.look()
        self.requests += 1
        if not self._window.admit(outlet.now_ns):
            return _json(_reply("50011", "Too Many Requests", []), 429)
        fault, refusal = await met(outlet, OKX, request)
        if refusal is not None:
            return refusal
        if request.query.get("instType") != "SWAP":
            return _json(_reply("51000", "Parameter instType error", []))
        return _json(damaged_body(fault, _reply("0", "", self._universe())))

    def _universe(self) -> list[dict[str, str]]:
        entries = [_listing(feed, self._contract_types.get(feed.instrument)) for feed in self._feeds.values()]
        if entries:  # entries of a real list that are not followed
            inverse = {"instId": "BTC-USD-SWAP", "ctType": "inverse", "settleCcy": "BTC", "ctVal": "100"}
            entries.append({**entries[0], **inverse, "ctValCcy": "USD"})
            entries.append({**entries[0], "instId": "BTC-USDC-SWAP", "settleCcy": "USDC", "ctValCcy": "BTC"})
            entries.append({**entries[0], "instId": "SOON-USDT-SWAP", "ctValCcy": "SOON", "state": "preopen"})
        return entries


def _listing(feed: Feed, contract_type: str | None) -> dict[str, str]:
    p, symbol = feed.parameters, feed.instrument.symbol
    base = symbol.partition("-")[0]
    return {
        "instType": "SWAP",
        "instId": symbol,
        "instFamily": symbol.removesuffix("-SWAP"),
        "uly": symbol.removesuffix("-SWAP"),
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": "USDT",
        "ctVal": str(multiplier(symbol)),
        "ctMult": "1",
        "ctValCcy": base,
        "ctType": contract_type or "linear",
        "tickSz": f"{10.0**-p.price_digits:.{p.price_digits}f}",
        "lotSz": "0.01",
        "minSz": "0.01",
        "state": "live" if feed.trading else "suspend",
        "ruleType": "normal",
    }


def _reply(code: str, text: str, data: list[Any]) -> bytes:
    return msgspec.json.encode({"code": code, "msg": text, "data": data})


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
