"""What a venue's frames say, in the same words for every venue."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, NamedTuple, Protocol

import msgspec

from sources.tape.bounds import LARGEST
from sources.tape.collected import Levels

Frame = tuple[int, bytes]  # receive_ts in nanoseconds, the frame's bytes as they came

NS_PER_MS = 1_000_000
NS_PER_US = 1_000
FIRST_MICROS = 10**14  # as ms the year 5138, as µs 1973
_EXCERPT_BYTES = 120
_LABEL_CHARACTERS = 48
_LABELS = 100

_LAST_MILLIS = (2**63 - 1) // NS_PER_MS  # as ns inside int64

# Field types that the decoders of every venue share.
Millis = Annotated[int, msgspec.Meta(ge=0, le=_LAST_MILLIS)]
MillisOrMicros = Annotated[int, msgspec.Meta(ge=0, le=(2**63 - 1) // NS_PER_US)]  # see `nanoseconds`
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Price = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]
Size = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
PrintPrice = Size  # a print that is not from the book may have price 0; it is dropped before the price is looked at


class BookMessage(msgspec.Struct, gc=False):
    """A snapshot or a delta of one book, with the numbers that its venue's sequence rule reads."""

    stream_kind: ClassVar[str] = "book"
    symbol: str
    kind: int  # events.SNAPSHOT or events.DELTA
    exchange_ts: int  # ns
    receive_ts: int  # ns
    first: int  # Binance `U`; elsewhere, and for a snapshot, the same as `final`
    final: int  # Binance `u` or `lastUpdateId`, Bybit `u`, OKX `seqId`
    previous: int  # Binance futures `pu`, OKX `prevSeqId`; -1 where the venue sends none
    levels: Levels
    beside: str = ""  # of a second stream of the book: what it is counted as if it tells nothing new
    unnamed: bool = False  # a REST book that does not say of which symbol it is


class TradeMessage(msgspec.Struct, gc=False):
    """One print; its number is part of the venue's count even if the print is not recorded."""

    stream_kind: ClassVar[str] = "trade"
    symbol: str
    exchange_ts: int  # ns
    receive_ts: int  # ns
    trade_id: int
    side: int  # +1 the buyer was the aggressor, -1 the seller
    price: float
    size: float
    name: str = ""  # the venue's own unique id where ``trade_id`` may repeat
    off_book: str = ""  # what the print is counted as, and not recorded, if it is not from the book; "" if it is
    # Of a capture, that may hold two streams of the same prints:
    stream: str = ""  # which kind of stream
    first: int = -1  # numbers of the first and last trade that it tells of; -1 where that is not known
    final: int = -1


class DerivativeMessage(msgspec.Struct, gc=False):
    """A mark price, a funding rate, an open interest or a liquidation, in the columns of its tape row."""

    stream_kind: str  # which kind of stream tells it
    symbol: str
    kind: int  # a code of `sources.tape.batch`, beyond RESET
    exchange_ts: int  # ns
    receive_ts: int  # ns
    sequence: int
    side: int
    price: float
    size: float


class BadFrame(NamedTuple):
    """A frame that could not be understood or is not believed."""

    place: int  # among the frames handed over
    symbol: str | None  # None: it may have concerned any instrument of the connection
    receive_ts: int  # ns
    may_be_book: bool  # then continuity is lost
    reason: str
    excerpt: str  # the frame's beginning


Message = BookMessage | TradeMessage | DerivativeMessage | BadFrame


class Decoder(Protocol):
    """Turns one connection's frames into messages."""

    ignored: Counter[str]  # frames that are not recorded, by what they are
    closing: bool  # the exchange has announced that it will close the connection

    def decode(self, frames: Sequence[Frame]) -> list[Message]:
        """Messages of ``frames``, in order; never raises on bad bytes, which become a ``BadFrame``."""
        ...

    def snapshot(self, symbol: str, receive_ts: int, raw: bytes) -> BookMessage | BadFrame:
        """A book fetched by REST."""
        ...


def bad_frame(place: int, frame: Frame, symbol: str | None, may_be_book: bool, reason: str) -> BadFrame:
    """Describe a bad frame; the reason becomes one line."""
    receive_ts, raw = frame
    excerpt = raw[:_EXCERPT_BYTES].decode("utf-8", "replace")
    return BadFrame(place, symbol, receive_ts, may_be_book, " ".join(reason.split()), excerpt)


def tally(counts: Counter[str], word: str) -> None:
    """Count what a venue sent under ``word``, which may be any text: cut, printable, and of a bounded number."""
    label = "".join(c if c.isprintable() else "\ufffd" for c in word[:_LABEL_CHARACTERS])
    counts[label if label in counts or len(counts) < _LABELS else "other"] += 1


def nanoseconds(time: int) -> int:
    """A time in ms or µs, told apart by its size, in ns.

    Raises:
        ValueError: neither can be meant.
    """
    if time <= _LAST_MILLIS:
        return time * NS_PER_MS
    if time >= FIRST_MICROS:
        return time * NS_PER_US
    raise ValueError(f"a time of {time} is neither in ms nor in µs")


def place_levels(
    messages: list[Message], places: Iterable[tuple[int, int]], parsed: Iterable[Levels | str], frames: Sequence[Frame]
) -> None:
    """Give every book message its levels; one whose levels are bad becomes a bad frame.

    Args:
        messages: changed in place.
        places: for every entry of ``parsed``, the place of its message and that of its frame.
        parsed: levels, or what is wrong with them.
        frames: the frames that ``messages`` came from.
    """
    for (at, index), levels in zip(places, parsed, strict=True):
        message = messages[at]
        if isinstance(levels, str):
            symbol = message.symbol
            messages[at] = bad_frame(index, frames[index], symbol, True, levels)
        else:
            assert isinstance(message, BookMessage)
            message.levels = levels
