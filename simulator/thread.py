"""A simulator for callers without an event loop: it runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from simulator.config import SimulatorConfig
from simulator.faults import Active
from simulator.simulator import Simulator

T = TypeVar("T")


class SimulatorThread:
    """What another thread may do with a simulator that runs."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self.addresses = simulator.addresses
        self._simulator = simulator
        self._loop = loop

    def call(self, function: Callable[[Simulator], T]) -> T:
        """Run ``function`` between two steps of the simulator, and hand back what it returns."""

        async def run() -> T:
            return function(self._simulator)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def fault(self, kind: str, **fields: Any) -> Active:
        """As `Simulator.fault`."""
        return self.call(lambda simulator: simulator.fault(kind, **fields))


@contextmanager
def simulator_thread(config: SimulatorConfig, clock: Callable[[], int]) -> Iterator[SimulatorThread]:
    """A running simulator, stopped at the end of the block.

    Raises:
        TickwaxError: it cannot begin; see `Simulator`.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()

    async def begin() -> Simulator:
        simulator = Simulator(config, clock)
        await simulator.start()
        return simulator

    try:
        simulator = asyncio.run_coroutine_threadsafe(begin(), loop).result()
        try:
            yield SimulatorThread(simulator, loop)
        finally:
            asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
