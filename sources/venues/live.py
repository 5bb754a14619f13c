"""The venues that can be connected to: how each is, and its own configuration."""

from typing import Any, NamedTuple

from sources.live.config import LiveVenue
from sources.venues.binance_futures.adapter import BinanceFutures
from sources.venues.binance_futures.config import BinanceFuturesConfig
from sources.venues.bybit_linear.adapter import BybitLinear
from sources.venues.bybit_linear.config import BybitLinearConfig
from sources.venues.okx_swap.adapter import OkxSwap
from sources.venues.okx_swap.config import OkxSwapConfig


class _Registered(NamedTuple):
    adapter: type[Any]
    config: type[Any]


_REGISTERED = {
    venue.adapter.name: venue
    for venue in (
        _Registered(BinanceFutures, BinanceFuturesConfig),
        _Registered(BybitLinear, BybitLinearConfig),
        _Registered(OkxSwap, OkxSwapConfig),
    )
}


def live_venues(*configs: Any) -> dict[str, LiveVenue]:
    """All of them, by name; with the exchanges' own addresses unless one of ``configs`` is of the venue."""
    given = {type(config): config for config in configs}
    return {
        name: LiveVenue(venue.adapter, given.get(venue.config) or venue.config()) for name, venue in _REGISTERED.items()
    }


def config_of(venue: str, **fields: Any) -> Any:
    """A venue's own configuration."""
    return _REGISTERED[venue].config(**fields)
