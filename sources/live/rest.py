"""REST requests under the exchange's limits: what it says about its load is obeyed by everyone who asks."""

import asyncio
from collections.abc import Mapping

import aiohttp

from sources.live.page import page_text
from sources.live.rate_limiter import RateLimiter
from sources.live.retry_after import retry_after
from sources.live.telemetry import Telemetry
from sources.redaction import redacted

_THROTTLED = {403: 600.0, 418: 120.0, 429: 10.0}  # seconds to stay away when the reply does not say
_USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
_MOST_BYTES = 1 << 25  # of a body, unpacked; the longest real one, a list of all instruments, is 1 MB
_REDIRECTS = (301, 302, 303, 307, 308)
_AT_ONCE = 8  # requests under way: what the exchange says to one must still stop the others


class RestError(Exception):
    """A request failed; ``wait`` is for how many seconds the exchange asks to stay away."""

    def __init__(self, reason: str, wait: float = 0.0, status: int = 0) -> None:
        super().__init__(reason)
        self.wait = wait
        self.status = status


class Rest:
    """One exchange's REST address."""

    def __init__(
        self, venue: str, url: str, timeout: float, budget: RateLimiter, telemetry: Telemetry, proxy: str | None = None
    ) -> None:
        """Args:
        budget: units of weight, or of requests where the exchange counts those.
        proxy: address of the proxy to go through.
        """
        self.url = url
        self._venue = venue
        self._proxy = proxy
        self._budget = budget
        self._telemetry = telemetry
        self._free = asyncio.Semaphore(_AT_ONCE)
        self.last_error: RestError | None = None  # of a request, until one succeeds
        # The connections' loop owns it; nothing of the environment is read.
        self._client = aiohttp.ClientSession(
            connector=_connector(proxy) if proxy else None,
            timeout=aiohttp.ClientTimeout(total=timeout),
            trust_env=False,
        )

    async def reserve(self, weight: int, priority: int = 0) -> None:
        """Wait until a request of that weight may be sent; to be called before each."""
        await self._budget.take(weight, priority)

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a reply.

        Raises:
            RestError: no reply, or one that says no.
        """
        try:
            body = await self._get(path, query)
        except RestError as e:
            self.last_error = e
            raise
        self.last_error = None
        return body

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        try:
            async with self._free:
                if self._budget.paused_for > 0.0:
                    raise RestError(f"{self.url}: paused", self._budget.paused_for)
                # A redirect is not followed: it could lead to a host that nobody has named.
                async with self._client.get(self.url + path, params=query, allow_redirects=False) as reply:
                    body = await self._body(reply)
        except TimeoutError as e:
            raise RestError(f"{self.url}: no answer within {self._client.timeout.total:g} s") from e
        except (aiohttp.ClientError, OSError, ValueError) as e:
            raise RestError(f"{self.url}: {str(e) or type(e).__name__}") from e
        except Exception as e:
            if self._proxy is None:
                raise
            raise RestError(
                f"{self.url}: proxy {redacted(self._proxy)}: {e}", status=getattr(e, "error_code", 0) or 0
            ) from e
        used = reply.headers.get(_USED_WEIGHT, "")
        if used.isdigit():
            self._budget.reported(int(used))
        if reply.status in _THROTTLED:
            wait = retry_after(reply.headers.get("Retry-After"), _THROTTLED[reply.status])
            if self._budget.pause(wait):
                self._telemetry.throttled(self._venue, reply.status, wait)
            raise RestError(self._refusal(reply.status, body), wait, reply.status)
        if reply.status in _REDIRECTS:
            to = reply.headers.get("Location", "?")[:100]
            raise RestError(f"{self.url}: HTTP {reply.status} redirects to {to!r}, which is not followed")
        if reply.status != 200:
            raise RestError(self._refusal(reply.status, body), status=reply.status)
        return body

    def _refusal(self, status: int, body: bytes) -> str:
        return f"{self.url}: HTTP {status} {page_text(body)}".rstrip()

    async def _body(self, reply: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in reply.content.iter_any():
            size += len(part)
            if size > _MOST_BYTES:
                raise RestError(f"{self.url}: a reply of more than {_MOST_BYTES >> 20} MiB")
            parts.append(part)
        return b"".join(parts)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _connector(proxy: str) -> aiohttp.BaseConnector:
    from aiohttp_socks import ProxyConnector  # which most runs need not load

    scheme, _, rest = proxy.partition("://")
    connector: aiohttp.BaseConnector = ProxyConnector.from_url(f"{scheme.removesuffix('h')}://{rest}", rdns=True)
    return connector
