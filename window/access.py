"""Who may see the page: programs of this machine, or who has the token; and never a page of somebody else.

A browser lets any page open a websocket to any address and tells only its `Origin` (RFC 6455, 10.2), so the origin is
held against the host that was asked for. A hostile name may resolve to this machine (DNS rebinding): bound to loopback,
only the names of loopback are answered.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

HEADERS = {
    # Everything from here, nothing inline, no frame around it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.com")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Decides for every request."""

    def __init__(self, host: str) -> None:
        """``host``: what the server is bound to."""
        self._local = is_loopback(host)
        self.token = "" if self._local else secrets.token_urlsafe(18)

    def refusal(self, headers: Mapping[str, str], token: str, *, stream: bool = False) -> str:
        """Why a request is refused, in words for whoever sent it; empty if it is not.

        Args:
            stream: it asks for the websocket, which only a page of ours may open.
        """
        host = headers.get("Host", "")
        if self._local and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return f"Host: {host!r} is not this machine"
        origin = headers.get("Origin")
        if stream and origin is None:
            return "Origin: missing; a browser sends it"
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return f"Origin: {origin!r} is not {host!r}"
        if self.token and not hmac.compare_digest(token.encode(), self.token.encode()):
            return "token: missing or wrong; the line that the run began with has the whole address"
        return ""
