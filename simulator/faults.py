"""What can be made to go wrong, when, and for whom."""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import msgspec

from sources.errors import TickwaxError

# Done to messages as they are sent. `drop` and `silent` send nothing, the next eight send something else in the
# message's place, `duplicate` sends it twice, and `unknown` sends another one before it.
FRAME_KINDS = (
    *("drop", "silent"),
    *("truncate", "garbage", "bad_utf8", "oversize", "future", "zero", "renumber", "retype"),
    *("duplicate", "unknown"),
)
# Done to connections that are open: TCP reset, close frame, frames held back and then sent at once.
# An announced end: the connection is closed `delay` s later.
CONNECTION_KINDS = ("reset", "close", "burst", "shutdown")
# Done to those who connect or subscribe.
CONNECT_KINDS = ("refuse",)
SUBSCRIBE_KINDS = ("ignore_subscribe", "reject_subscribe", "repeat_trades")
# Done to REST replies.
REST_KINDS = (
    *("rest_status", "rest_delay", "rest_stale", "rest_truncate"),
    *("rest_future", "rest_renumber", "rest_huge", "rest_loop"),
)
# Done to the market or its service: a real event, so the true book knows it.
MARKET_KINDS = ("cross", "restart", "resnapshot")
KINDS = FRAME_KINDS + CONNECTION_KINDS + CONNECT_KINDS + SUBSCRIBE_KINDS + REST_KINDS + MARKET_KINDS

Positive = Annotated[float, msgspec.Meta(gt=0, le=1e6)]


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One fault: what, where, how often.

    Without ``count`` and ``seconds`` it happens once; with ``seconds`` alone, every time until then, or every n-th time
    with ``every``. The fields after ``every`` belong to single kinds.
    """

    kind: str
    venue: str | None = None
    symbol: str | None = None
    stream: str | None = None  # pattern of stream names: `*@depth*`, `orderbook.*`; `*` may stand for a REST path too
    count: Annotated[int, msgspec.Meta(gt=0)] | None = None
    seconds: Positive | None = None
    every: Annotated[int, msgspec.Meta(gt=0)] = 1
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = 1001  # close
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500  # rest_status; refuse with how="status"
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | None = None  # s; rest_status
    delay: Positive = 1.0  # s; rest_delay, burst, shutdown; how long a `cross` stands
    ahead: Positive = 61.0  # s; future, rest_future: further than any clock is wrong
    back: Annotated[int, msgspec.Meta(gt=0)] = 1_000_000  # renumber, rest_renumber: how much smaller numbers get
    form: Literal["combined", "bare", "event"] = "combined"  # shutdown; how the venue words it
    age: Positive = 5.0  # s; rest_stale
    size: Annotated[int, msgspec.Meta(gt=0, le=1 << 28)] = 8 << 20  # bytes; oversize, rest_huge
    how: Literal["reset", "status", "closed", "mute"] = "reset"  # refuse: "closed" stops listening, for all venues
    page: bool = False  # rest_status, refuse with how="status": the body is a page that says why
    as_delta: bool = False  # restart: whether the frame with u = 1 says `delta`

    def matches(self, venue: str, symbol: str | None, stream: str | None) -> bool:
        """Whether it is meant for that stream; what is None here is meant for all."""
        return (
            self.venue in (None, venue)
            and (self.symbol is None or self.symbol == symbol)
            and (self.stream is None or (stream is not None and fnmatchcase(stream, self.stream)))
        )


def parse_fault(fields: bytes | dict[str, Any]) -> Fault:
    """A fault from JSON or keyword arguments.

    Raises:
        TickwaxError: an unknown kind or field, or a value out of range.
    """
    try:
        fault = msgspec.json.decode(fields, type=Fault) if isinstance(fields, bytes) else msgspec.convert(fields, Fault)
    except msgspec.DecodeError as e:  # malformed, or one of the values
        raise TickwaxError(f"fault: {e}") from None
    if fault.kind not in KINDS:
        raise TickwaxError(f"fault: kind {fault.kind!r} is not one of {', '.join(KINDS)}")
    if fault.kind == "refuse" and fault.how == "closed" and fault.seconds is None:
        raise TickwaxError(
            "fault: `seconds` is needed to stop listening; nobody could tell the simulator to begin again"
        )
    return fault


class Active:
    """A fault in force."""

    def __init__(self, fault: Fault, now_ns: int) -> None:
        self.fault = fault
        self.applied = 0
        self.since_ns = now_ns
        self._met = 0
        self._until = None if fault.seconds is None else now_ns + int(fault.seconds * 1e9)
        self._left = fault.count if fault.count or fault.seconds else 1

    def over(self, now_ns: int) -> bool:
        """Whether it has run out."""
        return self._left == 0 or (self._until is not None and now_ns >= self._until)

    def due(self) -> bool:
        """It has met an occasion: whether it takes this one."""
        self._met += 1
        return self._met % self.fault.every == 0

    def apply(self) -> Fault:
        """Use it once."""
        self.applied += 1
        if self._left is not None:
            self._left -= 1
        return self.fault


class Faults:
    """The faults in force that wait for their occasion."""

    def __init__(self) -> None:
        self._active: list[Active] = []
        self.frames = False  # whether any message could meet one: looked at for every message

    def add(self, fault: Fault, now_ns: int) -> Active:
        """Put a fault in force."""
        active = Active(fault, now_ns)
        self._active.append(active)
        self._note()
        return active

    def clear(self) -> None:
        """End all."""
        self._active.clear()
        self._note()

    def expire(self, now_ns: int) -> None:
        """Forget those that have run out."""
        if self._active:
            self._active = [a for a in self._active if not a.over(now_ns)]
            self._note()

    def take(
        self, kinds: tuple[str, ...], venue: str, symbol: str | None, stream: str | None, now_ns: int
    ) -> Fault | None:
        """The oldest fault of ``kinds`` meant for that stream, used once; or None."""
        for active in self._active:
            fault = active.fault
            meets = fault.kind in kinds and not active.over(now_ns) and fault.matches(venue, symbol, stream)
            if meets and active.due():
                return active.apply()
        return None

    def _note(self) -> None:
        self.frames = any(a.fault.kind in FRAME_KINDS for a in self._active)
