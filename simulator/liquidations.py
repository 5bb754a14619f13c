"""The liquidation streams of all venues: what has been liquidated since the last message, told now and then."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from typing_extensions import override

from simulator.book import TextBook
from simulator.derivatives import DerivativeMarket, Liquidation
from simulator.topic import Topic

_NOT_LOOKED = -1


class LiquidationTopic(Topic):
    """A stream of liquidations, which begins with those that come after its first subscriber.

    Attributes:
        interval_ms: between two messages, at the least.
    """

    interval_ms: ClassVar[int]
    _next_ms = 0
    _told = _NOT_LOOKED  # number of the first liquidation that is still to come

    @override
    def begin(self, book: TextBook[Any]) -> None:
        self._told = _NOT_LOOKED

    @override
    def on_derivatives(self, market: DerivativeMarket) -> None:
        if self._told == _NOT_LOOKED:
            self._told = market.made
        now_ms = self.outlet.now_ms
        if now_ms < self._next_ms or not (new := market.since(self._told)):
            return
        self._next_ms, self._told = now_ms + self.interval_ms, market.made
        payload, last = self.message(new, now_ms)
        self.publish(payload, "liquidation", last.number, 0, last.time_ms)

    @abstractmethod
    def message(self, new: Sequence[Liquidation], now_ms: int) -> tuple[bytes, Liquidation]:
        """What is told of the liquidations since the last message, and the last one of those that it tells."""
