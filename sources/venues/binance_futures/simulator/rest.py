"""REST of Binance USD-M futures: books and the universe, under a budget of request weight.

Exchange documentation, "General Info": 2400 weight a minute and address, told by ``X-MBX-USED-WEIGHT-1M``; beyond it
429 with ``Retry-After``, and 418, a ban, for those who do not stop; "Order Book": weight 2, 5, 10, 20 for up to 50,
100, 500 and 1000 levels.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from simulator.damage import PAGE, damaged_body
from simulator.faults import REST_KINDS, Fault
from simulator.feed import Feed
from simulator.topic import Outlet
from simulator.venue import Listing
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from sources.venues.binance_futures.simulator.playback import PlaybackFeed
from sources.venues.binance_futures.simulator.topics import BINANCE

_MINUTE_NS = 60_000_000_000
_INTEREST_PATH, _FUNDING_PATH = "/fapi/v1/openInterest", "/fapi/v1/fundingInfo"
_DEPTH_PATH, _INFO_PATH = "/fapi/v1/depth", "/fapi/v1/exchangeInfo"
_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
_DEFAULT_LEVELS = 500
_TRADIFI = ("XAU", "XAG", "CL", "TSLA", "NVDA")
_OF_A_LIST = ("rest_status", "rest_delay", "rest_truncate", "rest_huge", "rest_loop")


class Budget:
    """Request weight of one address."""

    def __init__(self, limits: BinanceLimits) -> None:
        self._limits = limits
        self._minute = 0
        self._banned_until = 0
        self._refused = 0
        self.used = 0

    def charge(self, weight: int, now_ns: int) -> tuple[int, int]:
        """Use ``weight``; returns the status of the reply and, unless that is 200, the seconds to wait."""
        minute = now_ns // _MINUTE_NS
        if minute != self._minute:
            self._minute, self.used, self._refused = minute, 0, 0
        if now_ns < self._banned_until:
            return 418, -(-(self._banned_until - now_ns) // 10**9)
        self.used += weight
        if self.used <= self._limits.weight_per_minute:
            return 200, 0
        self._refused += 1
        if self._refused > self._limits.refusals_before_ban:
            self._banned_until = now_ns + self._limits.ban_s * 10**9
            return 418, self._limits.ban_s
        return 429, -(-((minute + 1) * _MINUTE_NS - now_ns) // 10**9)


class BinanceRest:
    """The endpoints that market data needs."""

    def __init__(
        self,
        feeds: Mapping[str, Feed],
        outlet: Outlet,
        limits: BinanceLimits,
        snapshot_levels: int,
        listing: Listing,
    ) -> None:
        """``feeds``: by symbol; ``snapshot_levels``: most levels a side of a book."""
        self._strange_names = listing.strange_names
        self._contract_types = listing.contract_types
        self._feeds = feeds
        self._outlet = outlet
        self._levels = snapshot_levels
        self.budget = Budget(limits)
        self.requests = 0

    def routes(self) -> list[web.RouteDef]:
        """Where this listens."""
        return [
            web.get(_DEPTH_PATH, self._depth),
            web.get(_INFO_PATH, self._info),
            web.get("/fapi/v1/ping", self._ping),
            web.get(_INTEREST_PATH, self._open_interest),
            web.get(_FUNDING_PATH, self._funding),
        ]

    async def _depth(self, request: web.Request) -> web.Response:
        symbol = request.query.get("symbol")
        text = request.query.get("limit", str(_DEFAULT_LEVELS))
        weight = _WEIGHTS.get(int(text) if text.isdecimal() else 0, 1)
        fault, refusal = self._enter(request, symbol, weight)
        if refusal is not None:
            return refusal
        if symbol is None:
            return self._error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        if not text.isdecimal() or int(text) not in _WEIGHTS:
            return self._error(-4021, f"'{text}' is not valid depth limit.")
        feed = self._feeds.get(symbol)
        if feed is None or not feed.trading:
            return self._error(-1121, "Invalid symbol.")
        levels = min(int(text), self._levels)
        if fault is not None and fault.kind == "rest_stale":
            return self._reply(stale_book(feed, levels, fault.age, self._outlet.now_ms))
        body = book_reply(feed, levels, self._outlet.now_ms)
        if fault is not None and fault.kind == "rest_delay":
            await asyncio.sleep(fault.delay)
        return self._reply(damaged_body(fault, body))

    async def _info(self, request: web.Request) -> web.Response:
        fault, refusal = self._enter(request, None, 1, _OF_A_LIST)
        if refusal is not None:
            return refusal
        if fault is not None and fault.kind == "rest_delay":
            await asyncio.sleep(fault.delay)
        now_ms = self._outlet.now_ms
        symbols = [self._listing(feed) for feed in self._feeds.values()]
        some = next(iter(self._feeds.values()), None)
        if some is not None:  # entries of a real universe that are no perpetual that trades
            entry = self._listing(some)
            symbols.append({**entry, "symbol": "OLDUSDT", "pair": "OLDUSDT", "status": "SETTLING"})
            symbols.append({**entry, "symbol": "BTCUSDT_270326", "contractType": "CURRENT_QUARTER"})
            symbols.append({**entry, "symbol": "SOONUSDT", "pair": "SOONUSDT", "status": "PENDING_TRADING"})
            symbols += [{**entry, "symbol": name, "pair": name} for name in self._strange_names]
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}]
        info = {
            "timezone": "UTC",
            "serverTime": now_ms,
            "futuresType": "U_MARGINED",
            "rateLimits": limits,
            "exchangeFilters": [],
            "assets": [],
            "symbols": symbols,
        }
        body = msgspec.json.encode(info)
        return self._reply(damaged_body(fault, body))

    async def _open_interest(self, request: web.Request) -> web.Response:
        symbol = request.query.get("symbol")
        _, refusal = self._enter(request, symbol, 1, ("rest_status",))
        if refusal is not None:
            return refusal
        feed = self._feeds.get(symbol or "")
        if feed is None or not feed.trading or isinstance(feed, PlaybackFeed):
            return self._error(-1121, "Invalid symbol.")
        text = f"{feed.derivatives.model.open_interest:.{feed.parameters.size_digits}f}"
        return self._reply(msgspec.json.encode({"symbol": symbol, "openInterest": text, "time": self._outlet.now_ms}))

    async def _funding(self, request: web.Request) -> web.Response:
        _, refusal = self._enter(request, None, 0, ("rest_status",))
        body = [{"symbol": "FOURUSDT", "fundingIntervalHours": 4, "disclaimer": False}]
        return refusal or self._reply(msgspec.json.encode(body))

    async def _ping(self, request: web.Request) -> web.Response:
        _, refusal = self._enter(request, None, 1, ("rest_status",))
        return refusal or self._reply(b"{}")

    def _listing(self, feed: Feed) -> dict[str, Any]:
        instrument = feed.instrument
        return _entry(feed, self._contract_types.get(instrument) or _contract_type(instrument.symbol))

    def _enter(
        self, request: web.Request, symbol: str | None, weight: int, kinds: tuple[str, ...] = REST_KINDS
    ) -> tuple[Fault | None, web.Response | None]:
        """Count a request; the fault that it meets, and the reply if there is nothing more to do."""
        outlet = self._outlet
        outlet.look()
        self.requests += 1
        status, wait = self.budget.charge(weight, outlet.now_ns)
        if status != 200:
            return None, self._refuse(status, wait)
        fault = outlet.faults.take(kinds, BINANCE, symbol, request.path, outlet.now_ns)
        if fault is not None and fault.kind == "rest_status":
            wait = fault.retry_after if fault.retry_after is not None else 1
            if fault.page:
                return fault, web.Response(status=fault.status, text=PAGE, content_type="text/html")
            return fault, self._refuse(fault.status, wait)
        if fault is not None and fault.kind == "rest_loop":
            return fault, web.Response(status=302, headers={"Location": request.path_qs})
        return fault, None

    def _refuse(self, status: int, wait: int) -> web.Response:
        if status not in (418, 429):
            return web.Response(status=status, text="<html><body>error</body></html>", content_type="text/html")
        until = self._outlet.now_ms + wait * 1000
        text = {
            429: "Too many requests; current limit of IP is 2400 requests per minute.",
            418: f"Way too many requests; IP banned until {until}.",
        }[status]
        reply = self._error(-1003, text, status)
        reply.headers["Retry-After"] = str(wait)
        return reply

    def _error(self, code: int, text: str, status: int = 400) -> web.Response:
        return self._reply(msgspec.json.encode({"code": code, "msg": text}), status)

    def _reply(self, body: bytes, status: int = 200) -> web.Response:
        headers = {"X-MBX-USED-WEIGHT-1M": str(self.budget.used)}
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _contract_type(symbol: str) -> str:
    """As the exchange has it: perpetuals on metals, oil and shares have a type of their own."""
    return "TRADIFI_PERPETUAL" if symbol.removesuffix("USDT") in _TRADIFI else "PERPETUAL"


def _entry(feed: Feed, contract_type: str) -> dict[str, Any]:
    """One entry of ``symbols``; the tick size is not the price's precision."""
    p, symbol = feed.parameters, feed.instrument.symbol
    tick = f"{10.0**-p.price_digits:.{p.price_digits + 1}f}"
    lot = f"{10.0**-p.size_digits:.{p.size_digits}f}"
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": contract_type,
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING" if feed.trading else "SETTLING",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": p.price_digits + 1,
        "quantityPrecision": p.size_digits,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "stepSize": lot, "minQty": lot},
        ],
    }


def book_reply(feed: Feed, levels: int, now_ms: int) -> bytes:
    """``GET /fapi/v1/depth`` with the book of this moment; of a recorded one the recorded reply, until playback has
    passed it."""
    if isinstance(feed, PlaybackFeed) and (recorded := feed.recorded_reply) is not None:
        return recorded
    book = feed.book()
    bids, asks = book.top(levels)
    return _book(book.update_id, now_ms, book.time_ms, bids, asks)


def stale_book(feed: Feed, levels: int, age_s: float, now_ms: int) -> bytes:
    """The same as of ``age_s`` ago, or as old as is remembered."""
    before = feed.book_before(age_s, levels)
    if before is None:
        return book_reply(feed, levels, now_ms)
    update_id, then_ms, bids, asks = before
    return _book(update_id, then_ms, then_ms, bids, asks)


def _book(update_id: int, sent_ms: int, time_ms: int, bids: list[bytes], asks: list[bytes]) -> bytes:
    return b'{"lastUpdateId":%d,"E":%d,"T":%d,"bids":[%b],"asks":[%b]}' % (
        *(update_id, sent_ms, time_ms, b",".join(bids), b",".join(asks)),
    )
