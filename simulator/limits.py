"""How often something may happen."""

from collections import deque


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
