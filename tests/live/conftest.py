"""Simulated exchanges for the live connectors."""

import time
from collections.abc import Iterator

import pytest
import stamina

from simulator.thread import SimulatorThread, simulator_thread
from tests.live.rig import BOTH
from tests.markets import market


@pytest.fixture(scope="session", autouse=True)
def _quiet_retries() -> None:
    stamina.instrumentation.set_on_retry_hooks([])


@pytest.fixture
def sim() -> Iterator[SimulatorThread]:
    """One instrument a venue."""
    with simulator_thread(market(instruments=BOTH), time.time_ns) as simulator:
        yield simulator
