"""How far an exchange time may lie ahead of the receive time before a frame is not believed."""

MAX_AHEAD_NS = 60_000_000_000


class ClockBound:
    """The outer bound: no clock is a minute wrong. What follows a connection's own offset may bound it closer."""

    def __init__(self) -> None:
        self.limit_ns = MAX_AHEAD_NS

    def check(self, exchange_ts: int, receive_ts: int) -> None:
        """Refuse an exchange time that is too far ahead of the receive time, both in nanoseconds.

        Raises:
            ValueError: it is further ahead than ``limit_ns``.
        """
        if exchange_ts - receive_ts > self.limit_ns:
            raise ValueError(f"exchange time is {(exchange_ts - receive_ts) / 1e9:.0f} s ahead of the receive time")
