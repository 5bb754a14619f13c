"""What a synthetic market is made with."""

from dataclasses import dataclass

from sources.instrument import Instrument


@dataclass(frozen=True)
class MarketParameters:
    """Contract and order flow of one synthetic market.

    Prices are whole ticks of ``10**-price_digits``, sizes whole lots of ``10**-size_digits``.

    Raises:
        ValueError: a value is outside its range; the text begins with its name.
    """

    first_price_ticks: int = 10_000
    price_digits: int = 2
    size_digits: int = 1
    levels: int = 1000  # most ticks either side of mid at which orders stand; the first snapshot fills most of them
    diff_interval_ms: int = 100  # 0: one depth diff after every event that changes the book
    events_per_second: float = 1000.0  # mean over a long time: limit orders, market orders and cancellations together
    branching: float = 0.7  # market orders that one market order brings about in the mean
    memory_ms: float = 500.0  # time constant of that excitation
    edge: float | None = (
        None  # predictability of a planted price, 0 to 1 (`planted`); None: the order flow makes the price
    )

    def __post_init__(self) -> None:
        def need(holds: bool, text: str) -> None:
            if not holds:
                raise ValueError(text)

        need(20 <= self.levels <= 1000, f"levels: {self.levels} is outside 20 to 1000")
        # The reference price keeps away from 0 by a few times the reach of the book.
        least = 4 * self.levels
        first = self.first_price_ticks
        need(least <= first <= 10**12, f"first_price_ticks: {first} is outside {least} to 10**12")
        need(0 <= self.price_digits <= 12, f"price_digits: {self.price_digits} is outside 0 to 12")
        need(0 <= self.size_digits <= 8, f"size_digits: {self.size_digits} is outside 0 to 8")
        need(0 <= self.diff_interval_ms <= 60_000, f"diff_interval_ms: {self.diff_interval_ms} is outside 0 to 60000")
        need(1 <= self.events_per_second <= 1e6, f"events_per_second: {self.events_per_second} is outside 1 to 10**6")
        need(0 <= self.branching <= 0.95, f"branching: {self.branching} is outside 0 to 0.95")
        need(1 <= self.memory_ms <= 1e6, f"memory_ms: {self.memory_ms} is outside 1 to 10**6")
        need(self.edge is None or 0 <= self.edge <= 1, f"edge: {self.edge} is outside 0 to 1")


# First price in ticks, digits of price and size, as the venues list them.
_LISTED = {
    "BTCUSDT": (950_000, 1, 3),
    "ETHUSDT": (330_000, 2, 3),
    "SOLUSDT": (19_000, 2, 2),
    "XRPUSDT": (22_000, 4, 1),
}
_SNAPSHOT_LEVELS = {
    "bybit_linear": 200,
    "okx_swap": 400,
}  # of their usual book; elsewhere Binance's largest


def parameters_of(instrument: Instrument) -> MarketParameters:
    """The usual parameters: a venue's depth, and the listing of a few well-known symbols."""
    pair = instrument.symbol.removesuffix("-SWAP").replace("-", "")
    price, price_digits, size_digits = _LISTED.get(pair, (10_000, 2, 1))
    return MarketParameters(price, price_digits, size_digits, _SNAPSHOT_LEVELS.get(instrument.venue, 1000))
