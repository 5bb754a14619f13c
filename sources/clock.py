"""Which exchange times are believed: those of a tape, and not too far ahead of the receive time."""

from sources.tape.bounds import END_OF_TIME, check_time

MAX_AHEAD_NS = 60_000_000_000


class ClockBound:
    """The outer bound: no clock is a minute wrong. What follows a connection's own offset may bound it closer."""

    def __init__(self) -> None:
        self.limit_ns = MAX_AHEAD_NS

    def check(self, exchange_ts: int, receive_ts: int) -> None:
        """Refuse an exchange time that is none, or too far ahead of the receive time, both in nanoseconds.

        Raises:
            ValueError: one of them is no time of a tape, or the first is further ahead than ``limit_ns``.
        """
        ahead = exchange_ts - receive_ts
        if ahead <= self.limit_ns and 0 < exchange_ts < END_OF_TIME and 0 < receive_ts < END_OF_TIME:
            return  # as all but bad frames do; calls for each would take a tenth of a frame's decoding
        check_time("exchange time", exchange_ts)
        check_time("receive time", receive_ts)
        if ahead > self.limit_ns:
            raise ValueError(f"exchange time is {ahead / 1e9:.0f} s ahead of the receive time")
