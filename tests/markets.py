"""Simulated exchanges for tests and benchmarks, by a few words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.config import SimulatorConfig
from simulator.limits import Limits
from sources.instrument import Instrument
from sources.venues.binance_futures.simulator.limits import BinanceLimits
from sources.venues.binance_futures.simulator.venue import SimulatedBinanceFutures
from sources.venues.bybit_linear.simulator.limits import BybitLimits
from sources.venues.bybit_linear.simulator.venue import SimulatedBybitLinear
from sources.venues.okx_swap.simulator.limits import OkxLimits
from sources.venues.okx_swap.simulator.venue import SimulatedOkxSwap
from sources.venues.simulated import simulated_venues


def market(
    instruments: Sequence[Instrument] = (),
    *,
    captures: Sequence[Path] = (),
    speed: float = 1.0,
    snapshot_levels: int = 1000,
    binance_interval_ms: int = 50,
    bybit_interval_ms: int = 20,
    block_trades_every: int = 0,
    limits: Limits | None = None,
    **choices: Any,
) -> SimulatorConfig:
    """All venues; ``limits`` are those of the venue whose limits they are."""
    binance = SimulatedBinanceFutures(
        binance_interval_ms, snapshot_levels, tuple(captures), speed,
        limits if isinstance(limits, BinanceLimits) else BinanceLimits(),
    )  # fmt: skip
    bybit = SimulatedBybitLinear(
        bybit_interval_ms, block_trades_every, limits if isinstance(limits, BybitLimits) else BybitLimits()
    )
    okx = SimulatedOkxSwap(limits=limits if isinstance(limits, OkxLimits) else OkxLimits())
    return SimulatorConfig(simulated_venues(binance, bybit, okx), tuple(instruments), **choices)
