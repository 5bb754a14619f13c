"""How often a log may repeat itself: the first line of a kind at once, then counts."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

Key = tuple[str, ...]  # the event first, then what tells its occurrences apart: venue, instrument, …

_INTERVAL = 10.0  # seconds until an event that goes on is told of again; doubled with every line
_LONGEST = 600.0
_KEYS = 256


@dataclass
class _Event:
    interval: float
    next_at: float  # no line before
    untold: int = 0  # occurrences since the last line


class LogLimiter:
    """Decides which occurrences of an event become a line of the log; safe to call from several threads.

    What occurs all the time costs a line after 10 s, 20 s, 40 s …, at most one every 10 minutes. The number of keys is
    bounded: beyond it, occurrences of an event are told apart no more.
    """

    def __init__(
        self, time: Callable[[], float], interval: float = _INTERVAL, longest: float = _LONGEST, keys: int = _KEYS
    ) -> None:
        """``time``: seconds of a clock that never steps back; ``longest``: bound of the doubled ``interval``."""
        self._time = time
        self._interval = interval
        self._longest = longest
        self._keys = keys
        self._events: dict[Key, _Event] = {}
        self._lock = threading.Lock()

    def admit(self, *key: str) -> int | None:
        """Count an occurrence; gives how many were not told of before it, or None when it becomes no line itself."""
        with self._lock:
            now = self._time()
            if key not in self._events and len(self._events) >= self._keys:
                self._forget(now)
                if len(self._events) >= self._keys:
                    key = key[:1]
            event = self._events.get(key)
            if event is None:
                self._events[key] = _Event(self._interval, now + self._interval)
                return 0
            if now < event.next_at:
                event.untold += 1
                return None
            quiet = not event.untold and now - event.next_at >= event.interval
            return self._tell(event, now, self._interval if quiet else event.interval * 2.0)

    def untold(self, due_only: bool = True) -> list[tuple[Key, int]]:
        """Occurrences that no line tells of, by key, which count as told from now on.

        ``due_only``: only those whose next line is due; false at the end of a run.
        """
        with self._lock:
            now = self._time()
            return [
                (key, self._tell(event, now, event.interval * 2.0))
                for key, event in self._events.items()
                if event.untold and (not due_only or now >= event.next_at)
            ]

    def _tell(self, event: _Event, now: float, interval: float) -> int:
        event.interval = min(interval, self._longest)
        event.next_at = now + event.interval
        untold, event.untold = event.untold, 0
        return untold

    def _forget(self, now: float) -> None:
        """Drop events that have been over for as long as they are limited."""
        over = [k for k, e in self._events.items() if not e.untold and now - e.next_at >= e.interval]
        for key in over:
            del self._events[key]
