"""REST requests under the exchange's limits: what it says about its load is obeyed by everyone who asks."""

import asyncio
from collections.abc import Mapping

import aiohttp

from sources.live.budget import Budget
from sources.live.socket import retry_after
from sources.live.telemetry import Telemetry

_THROTTLED = {403: 600.0, 418: 120.0, 429: 10.0}  # seconds to stay away when the reply does not say
_USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
_AT_ONCE = 8  # requests under way: what the exchange says to one must still stop the others


class RestError(Exception):
    """A request failed; ``wait`` is for how many seconds the exchange asks to stay away."""

    def __init__(self, reason: str, wait: float = 0.0, status: int = 0) -> None:
        super().__init__(reason)
        self.wait = wait
        self.status = status


class Rest:
    """One exchange's REST address."""

    def __init__(self, venue: str, url: str, timeout: float, budget: Budget, telemetry: Telemetry) -> None:
        """``budget``: units of weight, or of requests where the exchange counts those."""
        self.url = url
        self._venue = venue
        self._budget = budget
        self._telemetry = telemetry
        self._free = asyncio.Semaphore(_AT_ONCE)
        # The connections' loop owns it; nothing of the environment (proxies) is read.
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout), trust_env=False)

    async def reserve(self, weight: int, priority: int = 0) -> None:
        """Wait until a request of that weight may be sent; to be called before each."""
        await self._budget.take(weight, priority)

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a reply.

        Raises:
            RestError: no reply, or one that says no.
        """
        try:
            async with self._free:
                if self._budget.paused_for > 0.0:
                    raise RestError(f"{self.url}: paused", self._budget.paused_for)
                async with self._client.get(self.url + path, params=query) as reply:
                    body = await reply.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as e:
            raise RestError(f"{self.url}: {e or type(e).__name__}") from e
        used = reply.headers.get(_USED_WEIGHT, "")
        if used.isdigit():
            self._budget.reported(int(used))
        if reply.status in _THROTTLED:
            wait = retry_after(reply.headers.get("Retry-After"), _THROTTLED[reply.status])
            if self._budget.pause(wait):
                self._telemetry.throttled(self._venue, reply.status, wait)
            raise RestError(f"{self.url}: HTTP {reply.status}", wait, reply.status)
        if reply.status != 200:
            text = body[:120].decode("utf-8", "replace")
            raise RestError(f"{self.url}{path}: HTTP {reply.status} {' '.join(text.split())}", status=reply.status)
        return body

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
