"""What a perpetual has beside its book, made from its trades: mark price, funding, open interest, liquidations.

The index follows the trades slowly, the mark price is the index and a basis that follows what traders pay beyond it.
Funding comes of the basis as Binance computes it (exchange documentation, "Introduction to Binance Futures Funding
Rates": premium plus the interest rate less the premium, clamped to ±0.05 %). Liquidations come in bursts: each brings
about others for a second (a Hawkes process, Hawkes 1971), and they sell when the price falls.
"""

import math
import random
import zlib
from typing import NamedTuple

from sources.instrument import Instrument
from synthetic.parameters import MarketParameters

HOURS = 8
_HOURS_MS = HOURS * 3_600_000
_INDEX_MS, _BASIS_MS = 10_000.0, 3_000.0  # time constants
_INTEREST, _CLAMP, _MOST = 1e-4, 5e-4, 7.5e-3
_FIRST_LOTS = 50_000_000  # open interest at the start
_OPENING = 0.3  # share of a print's size by which open interest changes, either way
_ALONE = 0.005  # chance that a print brings about a liquidation
_FOLLOWING, _MOST_HEAT, _HEAT_MS = 0.02, 0.3, 1_000.0  # what each liquidation adds to it, and for how long


class Forced(NamedTuple):
    """An order that closed a position."""

    side: int  # of the order: −1 closes a long position
    size: float  # base units


class DerivativeModel:
    """One instrument's, as far as its trades have been told; the same trades give the same, to the bit.

    Attributes:
        mark, index: prices.
        funding_rate: of the interval of 8 hours.
        open_interest: base units.
    """

    def __init__(self, instrument: Instrument, parameters: MarketParameters) -> None:
        self.mark = self.index = parameters.first_price_ticks / 10**parameters.price_digits
        self.funding_rate = _INTEREST
        self.open_interest = _FIRST_LOTS / 10**parameters.size_digits
        self._size_digits = parameters.size_digits
        self._basis = 0.0
        self._heat = 0.0
        self._time_ms = 0
        self._random = random.Random(zlib.crc32(str(instrument).encode()))

    def trade(self, time_ms: int, price: float, size: float) -> Forced | None:
        """Go on with a trade, size in base units; gives the liquidation that it brings about, if there is one."""
        passed = float(max(0, time_ms - self._time_ms)) if self._time_ms else 0.0
        self._time_ms = max(self._time_ms, time_ms)
        self.index += (price - self.index) * -math.expm1(-passed / _INDEX_MS)
        self._basis += (price / self.index - 1.0 - self._basis) * -math.expm1(-passed / _BASIS_MS)
        self.mark = self.index * (1.0 + self._basis)
        interest = min(max(_INTEREST - self._basis, -_CLAMP), _CLAMP)
        self.funding_rate = min(max(self._basis + interest, -_MOST), _MOST)
        self.open_interest += _OPENING * size * self._random.uniform(-1.0, 1.0)
        self._heat *= math.exp(-passed / _HEAT_MS)
        forced = self._liquidate(price, size) if self._random.random() < _ALONE + self._heat else None
        self.open_interest = max(self.open_interest, 0.0)
        return forced

    def _liquidate(self, price: float, size: float) -> Forced:
        amount = max(size * self._random.lognormvariate(0.0, 1.0), 10.0**-self._size_digits)
        self.open_interest -= amount
        self._heat = min(self._heat + _FOLLOWING, _MOST_HEAT)
        return Forced(-1 if price < self.index else 1, amount)


def next_funding_ms(now_ms: int) -> int:
    """The next funding time after ``now_ms``."""
    return (now_ms // _HOURS_MS + 1) * _HOURS_MS
