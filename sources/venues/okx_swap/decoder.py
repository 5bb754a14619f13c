"""Frames of OKX swaps: the channels ``books`` and ``trades``.

Exchange documentation, "WS / Order book channel" and "WS / Trades channel" (OKX API v5): a frame is
``{"arg":{"channel","instId"},"action","data":[…]}``, ``action`` only of books: ``snapshot`` or ``update``. A level is
``[price, size, "0", number of orders]``, size 0 removes it; ``ts`` is the time in ms at which the book was made, of a
print that of its fill. ``checksum`` is always 0 since 2026-06-23 and is not looked at. Of trades, ``side`` is that of
the taker; the prints of one taker order at one price and source come as one, ``tradeId`` is the last of them and
``count`` how many they were, so that ids have holes that mean nothing. ``source`` 1 is a print against an order that
rests in the book though no other channel shows it: it is kept. Block trades have a channel of their own.

The sizes of both are in contracts: "Get instruments", ``ctVal`` × ``ctMult`` is what one contract is in ``ctValCcy``.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np

from sources.clock import ClockBound
from sources.json_decoder import json_decoder
from sources.messages import (
    NS_PER_MS,
    BadFrame,
    BookMessage,
    Frame,
    Id,
    Message,
    Millis,
    Price,
    PrintPrice,
    TradeMessage,
    bad_frame,
    tally,
)
from sources.multiplier import Multiplier
from sources.tape.batch import DELTA, SNAPSHOT
from sources.tape.collected import Levels

_ARG = re.compile(rb'\{"arg":\{"channel":"([^"\\]+)","instId":"([^"\\]+)"\}')
_BAD = (ValueError, RecursionError)
_BOOK, _TRADES = "books", "trades"
_SIDES = {"buy": 1, "sell": -1}
_UPGRADE = "64008"  # "The connection will soon be closed for a service upgrade. Please reconnect."


class _Level(msgspec.Struct, array_like=True, gc=False):
    price: Price
    size: str  # in contracts


class _Book(msgspec.Struct, gc=False):
    asks: list[_Level]
    bids: list[_Level]
    ts: Millis
    seqId: Id
    prevSeqId: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]


class _BookFrame(msgspec.Struct, gc=False):
    action: Literal["snapshot", "update"]
    data: tuple[_Book]


class _Trade(msgspec.Struct, gc=False):
    instId: str
    tradeId: Id
    px: PrintPrice
    sz: str  # in contracts
    side: str
    ts: Millis


class _TradeFrame(msgspec.Struct, gc=False):
    data: list[_Trade]


class _Probe(msgspec.Struct):
    arg: Any = None
    event: Any = None
    code: Any = None


class _Route(NamedTuple):
    channel: str  # "books", "trades"; "" = ignored
    symbol: str
    label: str = ""  # what an ignored frame is counted as


class OkxDecoder:
    """Frames of one connection; counts those it ignores."""

    def __init__(self, multipliers: Mapping[str, Multiplier], clock: ClockBound | None = None) -> None:
        """Args:
        multipliers: of contracts, by symbol; looked up for every frame, so a later entry counts from then on.
        clock: what exchange times are held against; the outer bound if there is none.
        """
        self._multipliers = multipliers
        self._clock = clock or ClockBound()
        self.ignored: Counter[str] = Counter()
        self.closing = False
        self._book = json_decoder(_BookFrame, strict=False)  # numbers come as strings
        self._trades = json_decoder(_TradeFrame, strict=False)
        self._probe = json_decoder(_Probe)
        self._routes: dict[bytes, _Route] = {}  # by a frame's beginning, up to the end of ``arg``
        self._units: dict[str, Multiplier] = {}  # by symbol, that of the book so far

    def decode(self, frames: Sequence[Frame]) -> list[Message]:
        """Messages of ``frames``, in order; bytes that cannot be understood become a `BadFrame`."""
        out: list[Message] = []
        for index, frame in enumerate(frames):
            receive_ts, raw = frame
            route: _Route | None = None
            try:
                route = self._routes.get(raw[: raw.find(b"}") + 1]) or self._find_route(raw)
                if route.channel == _BOOK:
                    out.append(self._book_message(route.symbol, receive_ts, raw))
                elif route.channel == _TRADES:
                    out += self._prints(route.symbol, index, frame)
                else:
                    tally(self.ignored, route.label)
            except _BAD as e:
                symbol = route.symbol if route else None
                out.append(bad_frame(index, frame, symbol, route is None or route.channel == _BOOK, str(e)))
        return out

    def snapshot(self, symbol: str, receive_ts: int, raw: bytes) -> BookMessage | BadFrame:
        """Never good: the book is read from its channel alone."""
        return bad_frame(0, (receive_ts, raw), symbol, True, "an OKX book comes from its channel, not from REST")

    def _book_message(self, symbol: str, receive_ts: int, raw: bytes) -> BookMessage:
        frame = self._book.decode(raw)
        (book,) = frame.data
        exchange_ts = book.ts * NS_PER_MS
        self._clock.check(exchange_ts, receive_ts)
        kind = SNAPSHOT if frame.action == "snapshot" else DELTA
        both = book.bids + book.asks
        size = self._unit(symbol, kind).sizes([level.size for level in both])
        side = np.ones(len(both), np.int8)
        side[len(book.bids) :] = -1
        levels = Levels(side, np.array([level.price for level in both]), np.array(size))
        return BookMessage(symbol, kind, exchange_ts, receive_ts, book.seqId, book.seqId, book.prevSeqId, levels)

    def _unit(self, symbol: str, kind: int) -> Multiplier:
        """The unit of a book's sizes; a known book has one unit, so a change of it costs the book."""
        unit = self._multiplier(symbol)
        before = self._units.get(symbol, unit)
        self._units[symbol] = unit
        if kind == DELTA and unit != before:
            raise ValueError(f"a contract was {before.value:f} and is {unit.value:f} now")
        return unit

    def _multiplier(self, symbol: str) -> Multiplier:
        unit = self._multipliers.get(symbol)
        if unit is None:
            raise ValueError(f"sizes are in contracts of {symbol}, and no multiplier is known")
        return unit

    def _prints(self, symbol: str, place: int, frame: Frame) -> list[Message]:
        """The prints of a frame; one that cannot be believed costs no other."""
        out: list[Message] = []
        receive_ts, raw = frame
        unit = self._multiplier(symbol)
        for d in self._trades.decode(raw).data:
            exchange_ts = d.ts * NS_PER_MS
            side = _SIDES.get(d.side, 0)
            try:
                (size,) = unit.sizes([d.sz])
                if size > 0.0:
                    if d.instId != symbol:
                        raise ValueError(f"a print of {d.instId!r}")
                    if not side:
                        raise ValueError(f"a print of side {d.side!r}")
                    if d.px == 0.0:
                        raise ValueError("a print of price 0")
                    self._clock.check(exchange_ts, receive_ts)
            except ValueError as e:
                out.append(bad_frame(place, frame, symbol, False, str(e)))
                continue
            off_book = "" if size > 0.0 else "print of size 0"
            name = str(d.tradeId)
            out.append(TradeMessage(symbol, exchange_ts, receive_ts, d.tradeId, side, d.px, size, name, off_book))
        return out

    def _find_route(self, raw: bytes) -> _Route:
        """Route of a frame whose ``arg`` is new, or whose keys come in another order; raises ValueError."""
        if match := _ARG.match(raw):
            # Known by its name even if the rest is damaged: only a damaged book costs the book.
            route = self._routes[match[0]] = self._route(match[1].decode(), match[2].decode())
            return route
        try:
            probe = self._probe.decode(raw)
        except msgspec.ValidationError:
            msgspec.json.decode(raw)  # of the whole text, for only what is whole can be no frame of a book
            probe = _Probe()
        if isinstance(probe.event, str):
            upgrade = probe.event == "notice" and probe.code == _UPGRADE
            self.closing = self.closing or upgrade
            return _Route("", "", "service upgrade" if upgrade else "control")
        arg = probe.arg if isinstance(probe.arg, dict) else {}
        channel, symbol = arg.get("channel"), arg.get("instId")
        return self._route(str(channel), symbol) if isinstance(symbol, str) else _Route("", "", str(channel))

    def _route(self, channel: str, symbol: str) -> _Route:
        # Books of other depths are numbered apart, and prints of ``trades-all`` are those of ``trades`` one by one.
        return _Route(channel if channel in (_BOOK, _TRADES) else "", symbol, channel)


def decoder(multipliers: Mapping[str, Multiplier], clock: ClockBound | None = None) -> OkxDecoder:
    """A decoder of one connection; as `OkxDecoder`."""
    return OkxDecoder(multipliers, clock)
