"""When a stream that should speak has been silent for too long."""


class Staleness:
    """Watches one stream on the loop's clock, in seconds.

    Quiet markets are no fault, and an exchange acknowledges a stream that it will never send. So the patience grows to
    a few times the longest silence that ended by itself, and doubles with every complaint that changed nothing.
    """

    __slots__ = ("_base", "_complaints", "_last", "_longest")

    _TIMES = 4.0
    _MAX_DOUBLINGS = 10

    def __init__(self, patience: float) -> None:
        self._base = patience
        self._longest = 0.0
        self._complaints = 0
        self._last: float | None = None

    @property
    def patience(self) -> float:
        """Seconds of silence from which on the stream is overdue."""
        longest: float = max(self._base, self._TIMES * self._longest)
        return longest * 2.0 ** min(self._complaints, self._MAX_DOUBLINGS)

    def start(self, now: float) -> None:
        """The stream is due from now on."""
        self._last = now

    def stop(self) -> None:
        """The stream is not asked for, so it is never overdue."""
        self._last = None

    def heard(self, now: float) -> None:
        """A frame came."""
        if self._last is not None and now - self._last > self._longest:
            self._longest = now - self._last
        self._last = now
        self._complaints = 0

    def overdue(self, now: float) -> bool:
        """Whether to complain."""
        return self._last is not None and now - self._last > self.patience

    def complain(self, now: float) -> float:
        """Seconds of silence so far; the wait begins anew, with more patience."""
        assert self._last is not None
        silent = now - self._last
        self._complaints += 1
        self._last = now
        return silent
