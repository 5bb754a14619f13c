"""Which stream a frame of Binance is of, and which of several that tell the same is taken.

Frames are routed by the stream's name, not by their ``e``: the partial books ``@depth5/10/20`` carry the same ``e`` as
the diffs.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from sources.venues.binance.events import DATA_EVENTS, probed

DIFF = re.compile(r"depth(@\d+ms)?")  # stream of diffs, behind the symbol
PRINTS = ("trade", "aggTrade")
DERIVATIVE_KINDS = ("markPrice", "forceOrder")
_PREFIX = b'{"stream":"'
_DERIVATIVES = re.compile(r"(markPrice|forceOrder)(?:@1s)?")
_GENERATED = "depthSnapshot"  # a REST book that whoever recorded has put among the streams


class Route(NamedTuple):
    """What becomes of the frames of a stream."""

    kind: str  # "depth", "partial", "generated", "snapshot", or one of `PRINTS` and `DERIVATIVE_KINDS`; "" = ignored
    symbol: str
    label: str  # what an ignored frame is counted as
    bare: bool = False  # the data stands alone, not below the name of its stream


class Router:
    """The routes of one connection or capture.

    Attributes:
        known: routes by a frame's beginning, up to the end of the stream's name.
    """

    def __init__(
        self,
        capture_of: str | None,
        partial: str | None,
        merge: bool,
        derivatives: bool,
        derivative_events: Mapping[str, str],
    ) -> None:
        """Args:
        capture_of, partial, merge, derivative_events: as of `decoder.BinanceDecoder`.
        derivatives: whether the market has mark prices and liquidations.
        """
        self.known: dict[bytes, Route] = {}
        self._capture_of = capture_of
        self._partial = partial
        self._merge = merge
        self._derivatives = derivatives
        self._derivative_events = derivative_events
        self._print_stream: dict[str, str] = {}  # by symbol
        self._book_stream: dict[str, str] = {}
        self._derivative_stream: dict[tuple[str, str], str] = {}  # by symbol and kind

    def of_frame(self, raw: bytes) -> Route:
        """Route of a frame whose stream is new, or whose keys come in another order; raises ValueError."""
        name, quote, _ = raw[len(_PREFIX) :].partition(b'"')
        if raw.startswith(_PREFIX) and quote and b"\\" not in name:
            # Known by its name even if the rest is damaged: only a damaged book costs the book.
            route = self.known[_PREFIX + name] = self.of_stream(name.decode())
            return route
        probe = probed(raw)
        if probe is None:
            return Route("", "", "control")
        if isinstance(probe.stream, str):
            return self.of_stream(probe.stream)
        if isinstance(probe.number, int):
            if self._capture_of is None:
                raise ValueError("a REST book among the frames, of an unknown symbol")
            return Route("snapshot", self._capture_of, "")
        event = probe.name()
        if event in DATA_EVENTS:
            if self._capture_of is None or probe.data is not None or probe.event is not None:
                raise ValueError("a frame without the name of its stream")
            kind = "depth" if event == "depthUpdate" else event
            symbol = probe.s if isinstance(probe.s, str) else self._capture_of
            return self._chosen(symbol, kind, f"{event} without a stream's name", bare=True)
        if (
            event is not None
            and event in self._derivative_events
            and self._capture_of is not None
            and probe.data is None
        ):
            symbol = probe.s if isinstance(probe.s, str) else self._capture_of
            return self._derivative(symbol, self._derivative_events[event], f"{event} without a stream's name", True)
        if isinstance(probe.topic, str):
            return Route("", "", "topics of another venue")
        return Route("", "", event or "control")

    def of_stream(self, stream: str) -> Route:
        """Route of the frames of a stream."""
        name, _, kind = stream.partition("@")
        if not kind:  # of no symbol: "!serverShutdown", "!contractInfo"
            return Route("", "", name.removeprefix("!"))
        symbol = name.upper()
        if DIFF.fullmatch(kind):
            return self._chosen(symbol, "depth", kind)
        if kind == self._partial and self._capture_of in (None, symbol):
            return self._chosen(symbol, "partial", kind)
        if kind == _GENERATED and symbol == self._capture_of:
            return Route("generated", symbol, "")
        if self._derivatives and (named := _DERIVATIVES.fullmatch(kind)):
            return self._derivative(symbol, named[1], kind)
        return self._chosen(symbol, kind, kind) if kind in PRINTS else Route("", symbol, kind)

    def _derivative(self, symbol: str, kind: str, stream: str, bare: bool = False) -> Route:
        """The route of a stream of mark prices or liquidations: of several of a symbol, the first one seen is taken."""
        taken = self._derivative_stream.setdefault((symbol, kind), stream)
        return Route(kind, symbol, "", bare) if taken == stream else Route("", symbol, f"{stream} beside {taken}")

    def _chosen(self, symbol: str, kind: str, stream: str, bare: bool = False) -> Route:
        """The route of a stream of books or prints: of several of a symbol, the first one seen is recorded.

        They tell the same, cut otherwise: two diff streams are two chains, both print streams carry the same trades.
        Whoever merges them gets all, each with a label.
        """
        taken = self._print_stream if kind in PRINTS else self._book_stream
        if taken.setdefault(symbol, stream) != stream:
            if self._merge and (kind in PRINTS or self._partial is None):
                return Route(kind, symbol, f"{stream} beside {taken[symbol]}", bare)
            return Route("", symbol, f"{stream} beside {taken[symbol]}")
        return Route(kind, symbol, "", bare)
