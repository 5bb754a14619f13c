"""The offset between the exchange's clock and ours, as one connection shows it."""

from array import array
from collections.abc import Callable, Sequence

from sources.clock import MAX_AHEAD_NS, ClockBound
from sources.tape.bounds import END_OF_TIME, check_time

_GROUP = 16  # frames whose median tells the offset
_BLOCK = 1024  # frames whose offsets are handed on together
_ROOM_NS = 5_000_000_000  # beyond the usual offset


class ConnectionClock(ClockBound):
    """Learns how far ahead of the receive times a connection's exchange times usually are, and bounds them by that.

    The usual offset is the highest median of a few consecutive frames. It is not lowered: frames that were held up are
    further behind, which says nothing of the clocks. When frame after frame is refused it is a clock that was set, not
    the frames that are wrong, and the offset is learned anew.
    """

    def __init__(self, told: Callable[[int], None], counted: Callable[[Sequence[int]], None]) -> None:
        """Args:
        told: of the usual offset in ns, positive where the exchange's clock is ahead; once, and again when it was set.
        counted: of the offsets of frames that were believed, some at a time.
        """
        super().__init__()
        self._told = told
        self._counted = counted
        self._usual_ns: int | None = None
        self._group: list[int] = []
        self._refused: list[int] = []  # in a row
        self._block = array("q")

    def check(self, exchange_ts: int, receive_ts: int) -> None:
        """As `ClockBound.check`."""
        if not 0 < exchange_ts < END_OF_TIME:  # else it would be learned from
            check_time("exchange time", exchange_ts)
        ahead = exchange_ts - receive_ts
        if ahead > self.limit_ns:
            self._refuse(ahead)
            super().check(exchange_ts, receive_ts)
        elif self._refused:
            self._refused.clear()
        self._group.append(ahead)
        if len(self._group) == _GROUP:
            self._learn()

    def flush(self) -> None:
        """Hand on what has been seen so far."""
        self._block.extend(self._group)
        self._group.clear()
        if self._block:
            self._counted(self._block)
            self._block = array("q")

    def _learn(self) -> None:
        usual = _median(self._group)
        if self._usual_ns is None:
            self._set(usual)
        elif usual > self._usual_ns:
            self._usual_ns = usual
            self._bound()
        self._block.extend(self._group)
        self._group.clear()
        if len(self._block) >= _BLOCK:
            self.flush()

    def _refuse(self, ahead: int) -> None:
        self._refused.append(ahead)
        if len(self._refused) == _GROUP:
            self._set(_median(self._refused))
            self._refused.clear()

    def _set(self, usual_ns: int) -> None:
        news = self._usual_ns is None or abs(usual_ns - self._usual_ns) > _ROOM_NS
        self._usual_ns = usual_ns
        self._bound()
        if news:
            self._told(usual_ns)

    def _bound(self) -> None:
        assert self._usual_ns is not None
        self.limit_ns = min(MAX_AHEAD_NS, self._usual_ns + _ROOM_NS)


def _median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]
