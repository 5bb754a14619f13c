"""What Binance's frames say, futures and spot alike: depth events, prints, and enough of any other to name it."""

from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec

from sources.messages import Id, MillisOrMicros, PrintPrice, Size

BAD = (ValueError, RecursionError)  # of msgspec: malformed, another shape, not UTF-8; nested too deeply
DATA_EVENTS = ("depthUpdate", "trade", "aggTrade")  # `e` of frames that may be part of a book or of the prints
USD_M, _COIN_M = 1, 2  # `st`

IdOrNone = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]  # -1 before a market's first update

T = TypeVar("T")


class Depth(Protocol):
    """What a venue's depth event must offer, under these names."""

    @property
    def time(self) -> int:
        """Transaction time ``T``, in ms or µs."""

    @property
    def symbol(self) -> str:
        """Symbol ``s``."""

    @property
    def first(self) -> int:
        """Number of the first update that the event joins, ``U``."""

    @property
    def final(self) -> int:
        """Number of the last one, ``u``."""

    @property
    def previous(self) -> int:
        """``u`` of the event before, ``pu``; −1 where the venue sends none."""

    @property
    def bids(self) -> msgspec.Raw:
        """Pairs of price and size, as JSON."""

    @property
    def asks(self) -> msgspec.Raw:
        """Pairs of price and size, as JSON."""

    def check(self) -> None:
        """Refuse an event of another market.

        Raises:
            ValueError: it is one.
        """


class Book(Protocol):
    """What a venue's REST book must offer."""

    @property
    def time(self) -> int | None:
        """Transaction time ``T`` in ms; None where the reply has none."""

    @property
    def number(self) -> int:
        """``lastUpdateId``."""

    @property
    def bids(self) -> msgspec.Raw:
        """Pairs of price and size, as JSON."""

    @property
    def asks(self) -> msgspec.Raw:
        """Pairs of price and size, as JSON."""

    def check(self) -> None:
        """As `Depth.check`."""


class Trade(msgspec.Struct, gc=False, rename={"time": "T", "symbol": "s", "id": "t", "price": "p", "size": "q"}):
    """A print of ``@trade``."""

    time: MillisOrMicros
    symbol: str
    id: Id
    price: PrintPrice
    size: Size
    m: bool  # the buyer is the maker, so the seller was the aggressor
    X: str | None = None
    st: int = 1


class AggTrade(
    msgspec.Struct,
    gc=False,
    rename={"time": "T", "symbol": "s", "id": "a", "price": "p", "size": "q", "first": "f", "last": "l"},
):
    """Prints of one order at one price: ``@aggTrade``."""

    time: MillisOrMicros
    symbol: str
    id: Id
    price: PrintPrice
    size: Size
    m: bool
    X: str | None = None
    st: int = 1
    first: Any = None  # number of the first trade
    last: Any = None


class Envelope(msgspec.Struct, Generic[T], gc=False):
    """A frame of a combined stream: ``{"stream":…,"data":…}``."""

    data: T


class Probe(msgspec.Struct, rename={"number": "lastUpdateId"}):
    """Enough of any object to tell what it is."""

    stream: Any = None
    topic: Any = None  # Bybit's frames have one
    number: Any = None
    e: Any = None
    s: Any = None
    event: Any = None
    data: Any = None

    def name(self) -> str | None:
        """The event's name, wherever it stands."""
        for holder in (self.data, self.event):
            if isinstance(holder, dict) and isinstance(holder.get("e"), str):
                return str(holder["e"])
        return self.e if isinstance(self.e, str) else None


_probe = msgspec.json.Decoder(Probe)


def probed(raw: bytes) -> Probe | None:
    """Name what a whole JSON text is; None when it is not an object.

    Raises:
        ValueError: the text is not whole.
    """
    try:
        return _probe.decode(raw)
    except msgspec.ValidationError:
        msgspec.json.decode(raw)
        return None


def foreign_event(raw: bytes) -> str | None:
    """The name of the event in a stream's frame if it is one that the stream does not carry; else None."""
    try:
        probe = probed(raw)
    except BAD:
        return None
    event = probe.name() if probe else None
    return None if event in DATA_EVENTS else event


def check_market(st: int) -> None:
    """Refuse a frame of COIN-M, whose sizes are numbers of contracts.

    Args:
        st: kind of contract, 1 USD-M, 2 COIN-M.

    Raises:
        ValueError: the frame is of COIN-M.
    """
    if st == _COIN_M:
        raise ValueError("a frame of COIN-M futures (`st` 2)")
