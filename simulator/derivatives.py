"""What a perpetual has beside its book, as the simulated exchanges tell it."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from simulator.market import Print
from sources.instrument import Instrument
from synthetic.derivatives import DerivativeModel
from synthetic.parameters import MarketParameters

_REMEMBERED = 256


class Liquidation(NamedTuple):
    """One order that closed a position."""

    number: int  # counts from 0
    time_ms: int
    side: int  # of the order: −1 closes a long position
    price: bytes
    size: bytes


class DerivativeMarket:
    """One instrument's, as far as its trades have been told.

    Attributes:
        model: mark and index price, funding, open interest.
        liquidations: the newest ones, in order.
        made: how many there have been.
    """

    def __init__(self, instrument: Instrument, parameters: MarketParameters) -> None:
        self.model = DerivativeModel(instrument, parameters)
        self.liquidations: deque[Liquidation] = deque(maxlen=_REMEMBERED)
        self.made = 0
        self._size_digits = parameters.size_digits

    def take(self, prints: Sequence[Print]) -> None:
        """Go on with trades."""
        for p in prints:
            forced = self.model.trade(p.time_ms, float(p.price), float(p.size))
            if forced is not None:
                size = b"%.*f" % (self._size_digits, forced.size)
                self.liquidations.append(Liquidation(self.made, p.time_ms, forced.side, p.price, size))
                self.made += 1

    def since(self, number: int) -> list[Liquidation]:
        """The liquidations from ``number`` on that are remembered."""
        return [one for one in self.liquidations if one.number >= number]
