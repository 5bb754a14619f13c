"""How often something may happen, and what a venue allows."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What every venue limits, with its own figures; tests make them small."""

    connects: int = 300  # in 5 minutes
    lifetime_s: float = 86_400.0
    send_buffer_bytes: int = 64 << 20  # a client that leaves more unread is cut off


class Window:
    """At most ``most`` events in any ``span_s`` seconds."""

    def __init__(self, most: int, span_s: float) -> None:
        self._most = most
        self._span_ns = int(span_s * 1e9)
        self._times: deque[int] = deque()

    def admit(self, now_ns: int) -> bool:
        """Count an event; False if it is one too many."""
        times = self._times
        while times and times[0] <= now_ns - self._span_ns:
            times.popleft()
        times.append(now_ns)
        if len(times) > self._most:
            times.popleft()  # the window stays bounded, and full
            return False
        return True
