"""Budgets of requests: how much may be asked of an exchange in a span of time."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from itertools import count


class RateLimiter:
    """At most ``limit`` units in any ``span`` seconds, by a sliding window.

    A token bucket that starts full would let twice the limit through in its first span, which an exchange that counts
    by the calendar minute does not forgive. The exchange's own count, which others on the same address also fill, is
    believed where it is higher. Those who wait are served by priority, lowest first, then in order.
    """

    def __init__(self, limit: int, span: float, time: Callable[[], float]) -> None:
        self._limit = limit
        self._span = span
        self._time = time
        self._taken: deque[tuple[float, int]] = deque()
        self._used = 0
        self._paused_until = 0.0
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def used(self) -> int:
        """Units taken in the last span."""
        self._expire()
        return self._used

    @property
    def paused_for(self) -> float:
        """Seconds until a pause ends; 0 when there is none."""
        return max(0.0, self._paused_until - self._time())

    async def take(self, units: int, priority: int = 0) -> None:
        """Wait until ``units`` may be spent, and spend them."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._number), units, future))
        self._serve()
        await future

    def reported(self, used: int) -> None:
        """The exchange says that ``used`` units of the current span are gone."""
        self._expire()
        if used > self._used:
            self._spend(used - self._used)

    def pause(self, seconds: float) -> bool:
        """Spend nothing for ``seconds``; tells whether that is news, not the answer to requests of the same moment."""
        before = self._paused_until
        self._paused_until = max(before, self._time() + seconds)
        return self._paused_until - before > 0.5 * seconds

    def _spend(self, units: int) -> None:
        self._taken.append((self._time(), units))
        self._used += units

    def _expire(self) -> None:
        begin = self._time() - self._span
        while self._taken and self._taken[0][0] <= begin:
            self._used -= self._taken.popleft()[1]

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            _, _, units, future = self._waiting[0]
            if future.done():  # whoever waited was cancelled
                heapq.heappop(self._waiting)
                continue
            wait = self._wait(units)
            if wait > 0.0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._serve)
                return
            heapq.heappop(self._waiting)
            self._spend(units)
            future.set_result(None)

    def _wait(self, units: int) -> float:
        """Seconds until ``units`` may be spent."""
        now = self._time()
        if now < self._paused_until:
            return self._paused_until - now
        self._expire()
        free = self._limit - self._used
        for at, taken in self._taken:
            if free >= units:
                break
            free += taken
            if free >= units:
                return max(at + self._span - now, 0.001)
        return 0.0
