"""Through which proxy a connection goes: HTTP CONNECT (RFC 9110, 9.3.6) or SOCKS5 (RFC 1928)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SCHEMES = ("http", "https", "socks5", "socks5h", "socks4")
_AS_HTTP = {"wss": "https", "ws": "http"}


@dataclass(frozen=True)
class Proxies:
    """Proxies by the scheme of an address, in the terms of the usual environment variables."""

    by_scheme: Mapping[str, str] = field(default_factory=dict)  # `http`, `https`, `all`
    bypass: str = ""  # hosts that are reached without one, as in NO_PROXY

    def of(self, url: str) -> str | None:
        """The proxy for an address; None to connect directly.

        >>> proxies = Proxies({"https": "http://proxy:3128", "all": "socks5://proxy:1080"}, "local.example,127.0.0.1")
        >>> proxies.of("wss://stream.example/ws"), proxies.of("http://rest.example/"), proxies.of("ws://127.0.0.1:9000/")
        ('http://proxy:3128', 'socks5h://proxy:1080', None)
        """
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # slow to load

        parts = urlsplit(url)
        if self.bypass and proxy_bypass_environment(parts.netloc.rpartition("@")[2], {"no": self.bypass}):
            return None
        proxy = self.by_scheme.get(_AS_HTTP.get(parts.scheme, parts.scheme)) or self.by_scheme.get("all")
        # Names are resolved by the proxy: behind one there may be nobody else to ask.
        return proxy and re.sub("^socks5://", "socks5h://", proxy)
