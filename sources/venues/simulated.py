"""The venues that the simulated exchange can be handed."""

from simulator.venue import SimulatedVenue
from sources.venues.binance_futures.simulator.venue import SimulatedBinanceFutures
from sources.venues.bybit_linear.simulator.venue import SimulatedBybitLinear
from sources.venues.okx_swap.simulator.venue import SimulatedOkxSwap


def simulated_venues(*changed: SimulatedVenue) -> dict[str, SimulatedVenue]:
    """All of them, by name.

    Args:
        changed: venues that take the place of those with the exchanges' own limits.
    """
    venues: tuple[SimulatedVenue, ...] = (
        SimulatedBinanceFutures(),
        SimulatedBybitLinear(),
        SimulatedOkxSwap(),
        *changed,
    )
    return {venue.name: venue for venue in venues}
